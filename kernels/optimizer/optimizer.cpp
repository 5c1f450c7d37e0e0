// SPDX-License-Identifier: Apache-2.0
// The options of each kind of optimizer, its state, and what a step hands to its kernels.
#include "rowmill/optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

#include "kernels/core/checks.hpp"
#include "kernels/core/fp_environment.hpp"
#include "kernels/optimizer/impl.hpp"
#include "kernels/optimizer/storage.hpp"
#include "kernels/table/copy_rows.hpp"
#include "rowmill/error.hpp"

namespace rowmill {
namespace {

void check_option(std::string_view optimizer, std::string_view option, double value, bool allowed,
                  std::string_view range) {
  if (allowed) return;
  throw Error(ErrorCode::invalid_argument, "rowmill: " + std::string(optimizer) + ": " + std::string(option) + " is " +
                                               to_text(value) + "; allowed: " + std::string(range));
}

void check_not_negative(std::string_view optimizer, std::string_view option, double value) {
  // Finite as a float too: the lanes beside a short row hold 0, and 0 * infinity would reach its sum.
  check_option(optimizer, option, value, value >= 0 && value <= std::numeric_limits<float>::max(),
               "0 <= value <= 3.4e38");
}

void check_decay(std::string_view optimizer, std::string_view option, double value) {
  check_option(optimizer, option, value, value >= 0 && value < 1, "0 <= value < 1");
}

/// The learning rate and the weight decay. A rate of decay without a kind would be ignored: that is an error.
void check_common(std::string_view optimizer, const auto& o) {
  check_not_negative(optimizer, "learning_rate", o.learning_rate);
  check_not_negative(optimizer, "weight_decay", o.weight_decay);
  if (o.decay != WeightDecay::none && o.decay != WeightDecay::l2 && o.decay != WeightDecay::decoupled) {
    throw Error(ErrorCode::invalid_argument, "rowmill: " + std::string(optimizer) + ": decay is " +
                                                 std::to_string(static_cast<int>(o.decay)) + "; allowed: 0 to 2");
  }
  if (o.decay == WeightDecay::none && o.weight_decay != 0) {
    throw Error(ErrorCode::invalid_argument, "rowmill: " + std::string(optimizer) + ": weight_decay is " +
                                                 to_text(o.weight_decay) +
                                                 ", but decay is none: choose l2 or decoupled");
  }
}

// What each kind of optimizer has: a name, conditions on its options, and state tables.

template <class Options>
inline constexpr bool kRowWise =
    std::is_same_v<Options, RowWiseAdagradOptions> || std::is_same_v<Options, PartialRowWiseAdamOptions>;

template <class Options>
inline constexpr bool kIsAdam =
    std::is_same_v<Options, AdamOptions> || std::is_same_v<Options, PartialRowWiseAdamOptions>;

std::string_view name_of(const SgdOptions&) { return "sgd"; }
std::string_view name_of(const AdagradOptions&) { return "adagrad"; }
std::string_view name_of(const RowWiseAdagradOptions&) { return "row_wise_adagrad"; }
std::string_view name_of(const AdamOptions&) { return "adam"; }
std::string_view name_of(const PartialRowWiseAdamOptions&) { return "partial_row_wise_adam"; }

void check_state_count(std::string_view op, std::size_t found, std::size_t needed) {
  if (found == needed) return;
  throw Error(ErrorCode::shape_mismatch, "rowmill: " + std::string(op) + ": " + std::to_string(found) +
                                             " state tables are given; this optimizer has " + std::to_string(needed));
}

void check_options(const auto& o) {
  const std::string_view name = name_of(o);
  check_common(name, o);
  if constexpr (std::is_same_v<std::decay_t<decltype(o)>, SgdOptions>) {
    check_decay(name, "momentum", o.momentum);
    if (o.nesterov && o.momentum == 0) {
      throw Error(ErrorCode::invalid_argument, "rowmill: sgd: nesterov needs a momentum; momentum is 0");
    }
  } else if constexpr (kIsAdam<std::decay_t<decltype(o)>>) {
    check_decay(name, "beta1", o.beta1);
    check_decay(name, "beta2", o.beta2);
    check_not_negative(name, "epsilon", o.epsilon);
  } else {
    check_not_negative(name, "initial_accumulator", o.initial_accumulator);
    check_not_negative(name, "epsilon", o.epsilon);
  }
}

struct StateTable {
  const char* name;
  std::int64_t columns;
  Format format;
  double initial;
};

/// Calls add(StateTable) for each state table of a table of dim columns.
template <class Options, class Add>
void for_each_state(const Options& o, const StorageOptions& storage, std::int64_t dim, Add add) {
  const auto each_weight = [&](const char* name, double initial) {
    add(StateTable{name, dim, storage.state_format, initial});
  };
  const Format row_format = storage.state_format == Format::f64 ? Format::f64 : Format::f32;
  const auto each_row = [&](const char* name, double initial) { add(StateTable{name, 1, row_format, initial}); };
  if constexpr (std::is_same_v<Options, SgdOptions>) {
    if (o.momentum != 0) each_weight("momentum", 0);
  } else if constexpr (kIsAdam<Options>) {
    each_weight("m", 0);
    kRowWise<Options> ? each_row("v", 0) : each_weight("v", 0);
  } else {
    kRowWise<Options> ? each_row("accumulator", o.initial_accumulator)
                      : each_weight("accumulator", o.initial_accumulator);
  }
  if (storage.split) add(StateTable{"low", dim, Format::low16, 0});
}

/// The state tables of a rows x dim table called `name`.
std::vector<Table> make_state(const auto& options, const StorageOptions& storage, std::int64_t rows, std::int64_t dim,
                              std::string_view name) {
  const FpEnvironment environment;  // an initial value is rounded to float
  std::vector<Table> state;
  for_each_state(options, storage, dim, [&](const StateTable& table) {
    std::string full_name = std::string(name) + (name.empty() ? "" : ".") + table.name;
    const auto initial = static_cast<float>(table.initial);
    state.emplace_back(rows, table.columns,
                       TableOptions{.name = std::move(full_name),
                                    .initializer = initial == 0 ? Initializer::zeros() : Initializer::constant(initial),
                                    .format = table.format});
    if (table.format != Format::f64 || table.initial == 0) return;
    for (std::int64_t r = 0; r < rows; ++r) std::ranges::fill(state.back().view().row<double>(r), table.initial);
  });
  return state;
}

/// State tables in the caller's memory are those that make_state would make.
void check_state(const auto& options, const StorageOptions& storage, std::int64_t rows, std::int64_t dim,
                 std::span<const TableView> state) {
  const std::string_view op = name_of(options);
  std::size_t count = 0;
  for_each_state(options, storage, dim, [&](const StateTable& own) {
    const auto& [suffix, columns, format, initial] = own;
    if (count < state.size()) {
      const TableView& table = state[count];
      check_writable(op, suffix, table);
      check_format(op, suffix, table, {format});
      check_shape(op, suffix, table, rows, columns, "the state of this optimizer");
      if (table.row_stride() != columns && rows > 1) {
        throw Error(ErrorCode::invalid_argument, "rowmill: " + std::string(op) + ": " + describe(suffix, table) +
                                                     " has row stride " + std::to_string(table.row_stride()) +
                                                     "; state must be contiguous: " + std::to_string(columns));
      }
      for (std::size_t s = 0; s < count; ++s) check_disjoint(op, suffix, table, "other state", state[s]);
    }
    ++count;
  });
  check_state_count(op, state.size(), count);
}

/// One update of the segments of a shard, by any kind of optimizer. The kernel is that of the weights' format, or that
/// of any format.
struct Update {
  const KernelTable& k;
  Format format;
  UpdateArgs args;
  std::span<const TableView> state;
  const AdamScalars& scalars;

  /// What is common to all kernels' arguments.
  [[nodiscard]] UpdateArgs common(const auto& o) const {
    const double factor = o.decay == WeightDecay::decoupled ? 1 - o.learning_rate * o.weight_decay : o.weight_decay;
    UpdateArgs result = args;
    result.decay = o.decay;
    result.decay_factor = static_cast<float>(factor);
    return result;
  }

  template <class Args>
  void run(Kernel<Args>* f32, Kernel<Args>* bf16, Kernel<Args>* any, const Args& all) const {
    (args.storage != nullptr ? any : format == Format::f32 ? f32 : bf16)(all);
  }

  void operator()(const SgdOptions& o) const {
    run(k.sgd_f32, k.sgd_bf16, k.sgd_any,
        SgdArgs{common(o), state.empty() ? nullptr : floats(0), static_cast<float>(o.learning_rate),
                static_cast<float>(o.momentum), o.nesterov});
  }
  void operator()(const AdagradOptions& o) const { run(k.adagrad_f32, k.adagrad_bf16, k.adagrad_any, adagrad(o)); }
  void operator()(const RowWiseAdagradOptions& o) const {
    run(k.row_wise_adagrad_f32, k.row_wise_adagrad_bf16, k.row_wise_adagrad_any, adagrad(o));
  }
  void operator()(const AdamOptions& o) const { run(k.adam_f32, k.adam_bf16, k.adam_any, adam(o)); }
  void operator()(const PartialRowWiseAdamOptions& o) const {
    run(k.partial_row_wise_adam_f32, k.partial_row_wise_adam_bf16, k.partial_row_wise_adam_any, adam(o));
  }

  [[nodiscard]] AdagradArgs adagrad(const auto& o) const {
    return {common(o), floats(0), static_cast<float>(o.learning_rate), static_cast<float>(o.epsilon)};
  }
  [[nodiscard]] AdamArgs adam(const auto& o) const { return {common(o), floats(0), floats(1), scalars}; }
  /// A state's memory. Where it holds no floats, the kernel takes it from `args.storage`.
  [[nodiscard]] float* floats(std::size_t number) const { return static_cast<float*>(state[number].bytes()); }
};

/// base^exponent as so many steps multiply it. What a multiplication does not change, none after it does.
double repeated_power(double base, std::int64_t exponent) {
  double power = 1;
  for (std::int64_t i = 0; i < exponent; ++i) {
    const double next = power * base;
    if (next == power) break;
    power = next;
  }
  return power;
}

void check_power(std::string_view op, std::string_view argument, const std::optional<double>& power, bool has_powers) {
  if (!power || (has_powers && *power >= 0 && *power <= 1)) return;
  throw Error(ErrorCode::invalid_argument,
              "rowmill: " + std::string(op) + ": " + std::string(argument) + " is " + to_text(*power) +
                  (has_powers ? "; allowed: 0 <= value <= 1" : ", but this optimizer has no betas"));
}

}  // namespace

Optimizer::Impl::Impl(const OptimizerOptions& options, const StorageOptions& storage, std::string_view name,
                      std::int64_t rows, std::int64_t dim, std::vector<Table> tables, std::span<const TableView> state)
    : options_(options),
      stream_name_(storage.stream.name.empty() ? name : storage.stream.name),
      storage_(storage),
      name_(std::visit([](const auto& o) { return name_of(o); }, options)),
      rows_(rows),
      dim_(dim),
      tables_(std::move(tables)),
      state_(state.begin(), state.end()),
      const_state_(state_.begin(), state_.end()) {
  storage_.stream.name = stream_name_;
}

std::unique_ptr<Optimizer::Impl> Optimizer::Impl::clone() const {
  std::vector<Table> tables;
  for (const TableView& state : state_) {
    tables.emplace_back(state.rows(), state.dim(),
                        TableOptions{.name = std::string(state.name()), .format = state.format()});
    copy_rows(state, tables.back());
  }
  const std::vector<TableView> views(tables.begin(), tables.end());
  auto copy = std::make_unique<Impl>(options_, storage_, stream_name_, rows_, dim_, std::move(tables), views);
  copy->skipped_steps_ = skipped_steps_;
  copy->step_count_ = step_count_;
  copy->beta1_power_ = beta1_power_;
  copy->beta2_power_ = beta2_power_;
  return copy;
}

OptimizerProgress Optimizer::Impl::progress() const {
  OptimizerProgress progress{.step_count = step_count_};
  std::visit(
      [&]<class Options>(const Options&) {
        if constexpr (kIsAdam<Options>) {
          progress.beta1_power = beta1_power_;
          progress.beta2_power = beta2_power_;
        }
      },
      options_);
  return progress;
}

double Optimizer::Impl::learning_rate() const {
  return std::visit([](const auto& o) { return o.learning_rate; }, options_);
}

void Optimizer::Impl::set_learning_rate(double learning_rate) {
  check_not_negative(name_, "learning_rate", learning_rate);
  std::visit([&](auto& o) { o.learning_rate = learning_rate; }, options_);
}

void Optimizer::Impl::set_options(const OptimizerOptions& options) {
  std::visit(
      [&]<class Options>(const Options& o) {
        if (!std::holds_alternative<Options>(options_)) {
          throw Error(ErrorCode::invalid_argument, "rowmill: " + std::string(name_) + ": the options are those of " +
                                                       std::string(name_of(o)) + "; the kind can't be changed");
        }
        check_options(o);
        if constexpr (std::is_same_v<Options, SgdOptions>) {
          const bool has_momentum = !formula_states().empty();
          if ((o.momentum != 0) != has_momentum) {
            throw Error(ErrorCode::invalid_argument,
                        "rowmill: sgd: momentum is " + to_text(o.momentum) + ", which needs " +
                            (has_momentum ? "no state table; this optimizer has one"
                                          : "a state table that this optimizer does not have"));
          }
        }
      },
      options);
  options_ = options;
}

void Optimizer::Impl::prepare_step() {
  std::visit(
      [&]<class Options>(const Options& o) {
        if constexpr (kIsAdam<Options>) {
          beta1_power_ *= o.beta1;
          beta2_power_ *= o.beta2;
          adam_ = {
              .beta1 = static_cast<float>(o.beta1),
              .one_minus_beta1 = static_cast<float>(1 - o.beta1),
              .beta2 = static_cast<float>(o.beta2),
              .one_minus_beta2 = static_cast<float>(1 - o.beta2),
              .step_size = static_cast<float>(o.learning_rate / (1 - beta1_power_)),
              .inverse_sqrt_bc2 = static_cast<float>(1 / std::sqrt(1 - beta2_power_)),
              .epsilon = static_cast<float>(o.epsilon),
          };
        }
      },
      options_);
}

bool Optimizer::Impl::uses_mean_squares() const {
  return std::visit([]<class Options>(const Options& o) { return kRowWise<Options> && o.decay != WeightDecay::l2; },
                    options_);
}

bool Optimizer::Impl::has_16_bit_states() const {
  return std::ranges::any_of(formula_states(), [](const TableView& state) { return state.format() == Format::bf16; });
}

std::int64_t Optimizer::Impl::saved_bytes_a_row() const {
  std::int64_t bytes = dim_ * std::int64_t{sizeof(F16)};
  for (const TableView& state : state_) bytes += row_bytes(state);
  return bytes;
}

void Optimizer::Impl::update(const KernelTable& k, Format format, UpdateArgs args) const {
  std::visit(Update{k, format, args, formula_states(), adam_}, options_);
}

void Optimizer::Impl::restore(const OptimizerProgress& progress, std::span<const ConstTableView> state) {
  if (progress.step_count < 0) {
    throw Error(ErrorCode::invalid_argument, "rowmill: " + std::string(name_) + ": step_count is " +
                                                 std::to_string(progress.step_count) + "; it must be at least 0");
  }
  const bool has_powers = this->progress().beta1_power.has_value();
  check_power(name_, "beta1_power", progress.beta1_power, has_powers);
  check_power(name_, "beta2_power", progress.beta2_power, has_powers);
  check_state_count(name_, state.size(), state_.size());
  const auto is_own = [&](std::size_t s) {
    return state[s].bytes() == state_[s].bytes() && state[s].row_stride() == state_[s].row_stride();
  };
  for (std::size_t s = 0; s < state.size(); ++s) {
    check_view(name_, "state", state[s]);
    check_format(name_, "state", state[s], {state_[s].format()});
    check_shape(name_, "state", state[s], rows_, state_[s].dim(), "the shape of this optimizer's");
    for (std::size_t own = 0; own < state_.size(); ++own) {
      if (own != s || !is_own(s)) check_disjoint(name_, "state", state[s], "this optimizer's state", state_[own]);
    }
  }

  for (std::size_t s = 0; s < state.size(); ++s) {
    if (!is_own(s)) copy_rows(state[s], state_[s]);
  }
  const FpEnvironment environment;
  step_count_ = progress.step_count;
  std::visit(
      [&]<class Options>(const Options& o) {
        if constexpr (kIsAdam<Options>) {
          beta1_power_ = progress.beta1_power ? *progress.beta1_power : repeated_power(o.beta1, step_count_);
          beta2_power_ = progress.beta2_power ? *progress.beta2_power : repeated_power(o.beta2, step_count_);
        }
      },
      options_);
}

Optimizer::Optimizer(const OptimizerOptions& options, std::int64_t rows, std::int64_t dim, std::string_view name)
    : Optimizer(options, rows, dim, StorageOptions(), name) {}

Optimizer::Optimizer(const OptimizerOptions& options, std::int64_t rows, std::int64_t dim,
                     const StorageOptions& storage, std::string_view name) {
  // Also for optimizers without state: a wrong shape is an error now, not at the first step.
  (void)checked_size("optimizer", ConstTableView(nullptr, Format::f32, rows, dim, dim, name));
  std::visit(
      [&](const auto& o) {
        check_options(o);
        check_storage(name_of(o), storage, name);
        std::vector<Table> tables = make_state(o, storage, rows, dim, name);
        const std::vector<TableView> views(tables.begin(), tables.end());
        impl_ = std::make_unique<Impl>(options, storage, name, rows, dim, std::move(tables), views);
      },
      options);
}

Optimizer::Optimizer(const OptimizerOptions& options, std::int64_t rows, std::int64_t dim,
                     std::span<const TableView> state)
    : Optimizer(options, rows, dim, StorageOptions(), state) {}

Optimizer::Optimizer(const OptimizerOptions& options, std::int64_t rows, std::int64_t dim,
                     const StorageOptions& storage, std::span<const TableView> state) {
  (void)checked_size("optimizer", ConstTableView(nullptr, Format::f32, rows, dim, dim));
  std::visit(
      [&](const auto& o) {
        check_options(o);
        check_storage(name_of(o), storage, {});
        check_state(o, storage, rows, dim, state);
        impl_ = std::make_unique<Impl>(options, storage, "", rows, dim, std::vector<Table>(), state);
      },
      options);
}

Optimizer::Optimizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Optimizer::Optimizer(Optimizer&&) noexcept = default;
Optimizer& Optimizer::operator=(Optimizer&&) noexcept = default;
Optimizer::~Optimizer() = default;

Optimizer Optimizer::clone() const { return Optimizer(impl_->clone()); }

void Optimizer::step(const TableView& weights, const Plan& plan, std::span<const ConstTableView> gradients,
                     Workspace* workspace) {
  impl_->step(weights, plan, gradients, {}, workspace);
}

void Optimizer::step(const TableView& weights, const Plan& plan, std::span<const ConstTableView> gradients,
                     const GradientOptions& options, Workspace* workspace) {
  impl_->step(weights, plan, gradients, options, workspace);
}

std::size_t Optimizer::memory_required(std::int64_t id_count, std::int64_t passes) const {
  return memory_required(id_count, passes, {});
}

std::size_t Optimizer::memory_required(std::int64_t id_count, std::int64_t passes, const GradientOptions& options,
                                       Pooling pooling) const {
  return impl_->memory_required(id_count, passes, options, pooling);
}

std::string_view Optimizer::name() const { return impl_->name(); }
std::int64_t Optimizer::skipped_steps() const { return impl_->skipped_steps(); }
const OptimizerOptions& Optimizer::options() const { return impl_->options(); }
const StorageOptions& Optimizer::storage() const { return impl_->storage(); }
void Optimizer::set_options(const OptimizerOptions& options) { impl_->set_options(options); }
double Optimizer::learning_rate() const { return impl_->learning_rate(); }
void Optimizer::set_learning_rate(double learning_rate) { impl_->set_learning_rate(learning_rate); }
std::span<const TableView> Optimizer::state() { return impl_->state(); }
std::span<const ConstTableView> Optimizer::state() const { return std::as_const(*impl_).state(); }
OptimizerProgress Optimizer::progress() const { return impl_->progress(); }

void Optimizer::restore(const OptimizerProgress& progress, std::span<const ConstTableView> state) {
  impl_->restore(progress, state);
}

}  // namespace rowmill
