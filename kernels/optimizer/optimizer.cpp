// SPDX-License-Identifier: Apache-2.0
#include "rowmill/optimizer.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

#include "kernels/core/checks.hpp"
#include "kernels/kernel_list.hpp"
#include "rowmill/error.hpp"

namespace rowmill {
namespace {

void check_option(std::string_view optimizer, std::string_view option, double value, bool allowed,
                  std::string_view range) {
  if (allowed) return;
  throw Error(ErrorCode::invalid_argument, "rowmill: " + std::string(optimizer) + ": " + std::string(option) + " is " +
                                               std::to_string(value) + "; allowed: " + std::string(range));
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
                                                 std::to_string(o.weight_decay) +
                                                 ", but decay is none: choose l2 or decoupled");
  }
}

struct StateTable {
  const char* suffix;
  std::int64_t dim;
  double value;
};

std::vector<Table> make_state(std::int64_t rows, std::string_view name, std::initializer_list<StateTable> tables) {
  std::vector<Table> state;
  for (const auto& [suffix, dim, value] : tables) {
    std::string full_name = std::string(name) + (name.empty() ? "" : ".") + suffix;
    state.emplace_back(
        rows, dim,
        TableOptions{.name = std::move(full_name), .initializer = Initializer::constant(static_cast<float>(value))});
  }
  return state;
}

/// What is common to all kernels' arguments; `o` are the options of any optimizer.
UpdateArgs update_args(const auto& o, double learning_rate, const SegmentArgs& segments, const TableView& weights) {
  const double factor = o.decay == WeightDecay::decoupled ? 1 - learning_rate * o.weight_decay : o.weight_decay;
  return {segments, weights.data(), weights.row_stride(), o.decay, static_cast<float>(factor)};
}

class Sgd final : public Optimizer {
 public:
  Sgd(const SgdOptions& options, std::int64_t rows, std::int64_t dim, std::string_view name)
      : Optimizer("sgd", rows, dim, options.learning_rate,
                  options.momentum == 0 ? std::vector<Table>() : make_state(rows, name, {{"momentum", dim, 0}})),
        options_(options) {}

 private:
  void prepare_step() override {}
  void update(const KernelTable& k, const SegmentArgs& segments, const TableView& weights) override {
    k.sgd_f32({update_args(options_, learning_rate(), segments, weights), state().empty() ? nullptr : state()[0].data(),
               static_cast<float>(learning_rate()), static_cast<float>(options_.momentum), options_.nesterov});
  }

  SgdOptions options_;
};

/// Adagrad and its row-wise form.
template <class Options>
class Adagrad final : public Optimizer {
 public:
  static constexpr bool kRowWise = std::is_same_v<Options, RowWiseAdagradOptions>;
  static constexpr const char* kName = kRowWise ? "row_wise_adagrad" : "adagrad";

  Adagrad(const Options& options, std::int64_t rows, std::int64_t dim, std::string_view name)
      : Optimizer(kName, rows, dim, options.learning_rate,
                  make_state(rows, name, {{"accumulator", kRowWise ? 1 : dim, options.initial_accumulator}})),
        options_(options) {}

 private:
  void prepare_step() override {}
  [[nodiscard]] bool uses_mean_squares() const override { return kRowWise && options_.decay != WeightDecay::l2; }
  void update(const KernelTable& k, const SegmentArgs& segments, const TableView& weights) override {
    (kRowWise ? k.row_wise_adagrad_f32
              : k.adagrad_f32)({update_args(options_, learning_rate(), segments, weights), state()[0].data(),
                                static_cast<float>(learning_rate()), static_cast<float>(options_.epsilon)});
  }

  Options options_;
};

/// Adam and its partially row-wise form.
template <class Options>
class Adam final : public Optimizer {
 public:
  static constexpr bool kRowWise = std::is_same_v<Options, PartialRowWiseAdamOptions>;
  static constexpr const char* kName = kRowWise ? "partial_row_wise_adam" : "adam";

  Adam(const Options& options, std::int64_t rows, std::int64_t dim, std::string_view name)
      : Optimizer(kName, rows, dim, options.learning_rate,
                  make_state(rows, name, {{"m", dim, 0}, {"v", kRowWise ? 1 : dim, 0}})),
        options_(options) {}

 private:
  void prepare_step() override {
    beta1_power_ *= options_.beta1;
    beta2_power_ *= options_.beta2;
    scalars_ = {
        .beta1 = static_cast<float>(options_.beta1),
        .one_minus_beta1 = static_cast<float>(1 - options_.beta1),
        .beta2 = static_cast<float>(options_.beta2),
        .one_minus_beta2 = static_cast<float>(1 - options_.beta2),
        .step_size = static_cast<float>(learning_rate() / (1 - beta1_power_)),
        .inverse_sqrt_bc2 = static_cast<float>(1 / std::sqrt(1 - beta2_power_)),
        .epsilon = static_cast<float>(options_.epsilon),
    };
  }
  [[nodiscard]] bool uses_mean_squares() const override { return kRowWise && options_.decay != WeightDecay::l2; }
  void update(const KernelTable& k, const SegmentArgs& segments, const TableView& weights) override {
    (kRowWise ? k.partial_row_wise_adam_f32 : k.adam_f32)(
        {update_args(options_, learning_rate(), segments, weights), state()[0].data(), state()[1].data(), scalars_});
  }

  Options options_;
  double beta1_power_ = 1;  // beta1^t
  double beta2_power_ = 1;  // beta2^t
  AdamScalars scalars_{};
};

/// Checks the options of one kind of optimizer, and makes it.
struct Make {
  std::int64_t rows, dim;
  std::string_view name;

  std::unique_ptr<Optimizer> operator()(const SgdOptions& o) const {
    check_common("sgd", o);
    check_decay("sgd", "momentum", o.momentum);
    if (o.nesterov && o.momentum == 0) {
      throw Error(ErrorCode::invalid_argument, "rowmill: sgd: nesterov needs a momentum; momentum is 0");
    }
    return std::make_unique<Sgd>(o, rows, dim, name);
  }
  template <class Options>
  std::unique_ptr<Optimizer> adagrad(const Options& o) const {
    constexpr const char* kName = Adagrad<Options>::kName;
    check_common(kName, o);
    check_not_negative(kName, "initial_accumulator", o.initial_accumulator);
    check_not_negative(kName, "epsilon", o.epsilon);
    return std::make_unique<Adagrad<Options>>(o, rows, dim, name);
  }
  template <class Options>
  std::unique_ptr<Optimizer> adam(const Options& o) const {
    constexpr const char* kName = Adam<Options>::kName;
    check_common(kName, o);
    check_decay(kName, "beta1", o.beta1);
    check_decay(kName, "beta2", o.beta2);
    check_not_negative(kName, "epsilon", o.epsilon);
    return std::make_unique<Adam<Options>>(o, rows, dim, name);
  }
  std::unique_ptr<Optimizer> operator()(const AdagradOptions& o) const { return adagrad(o); }
  std::unique_ptr<Optimizer> operator()(const RowWiseAdagradOptions& o) const { return adagrad(o); }
  std::unique_ptr<Optimizer> operator()(const AdamOptions& o) const { return adam(o); }
  std::unique_ptr<Optimizer> operator()(const PartialRowWiseAdamOptions& o) const { return adam(o); }
};

}  // namespace

Optimizer::Optimizer(std::string_view name, std::int64_t rows, std::int64_t dim, double learning_rate,
                     std::vector<Table> state)
    : name_(name), rows_(rows), dim_(dim), learning_rate_(learning_rate), state_(std::move(state)) {
  for (const Table& table : state_) state_dims_.push_back(table.dim());
}

Optimizer::~Optimizer() = default;

void Optimizer::set_learning_rate(double learning_rate) {
  check_not_negative(name_, "learning_rate", learning_rate);
  learning_rate_ = learning_rate;
}

std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options, std::int64_t rows, std::int64_t dim,
                                          std::string_view name) {
  // Also for optimizers without state: a wrong shape is an error now, not at the first step.
  check_view("make_optimizer", "weights", ConstTableView(nullptr, 0, dim, 0, name));
  if (rows < 0) {
    throw Error(ErrorCode::invalid_argument,
                "rowmill: make_optimizer: rows is " + std::to_string(rows) + "; it must be at least 0");
  }
  return std::visit(Make{rows, dim, name}, options);
}

}  // namespace rowmill
