// SPDX-License-Identifier: Apache-2.0
// Optimizers: their options, states and steps.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "layers/c_interface/arguments.hpp"
#include "layers/c_interface/options.hpp"

namespace rowmill::c_interface {
namespace {

WeightDecay decay_of(std::int32_t value, std::string_view op) {
  static_assert(static_cast<int>(WeightDecay::none) == ROWMILL_DECAY_NONE &&
                static_cast<int>(WeightDecay::l2) == ROWMILL_DECAY_L2 &&
                static_cast<int>(WeightDecay::decoupled) == ROWMILL_DECAY_DECOUPLED);
  return enum_of(value, WeightDecay::decoupled, op, "decay");
}

rowmill_sgd_options sgd_to_c(const SgdOptions& o) {
  return {sizeof(rowmill_sgd_options),        o.learning_rate, o.momentum, o.nesterov ? 1 : 0,
          static_cast<std::int32_t>(o.decay), o.weight_decay,  nullptr};
}

template <class Options>
Options adagrad_to_c(const auto& o) {
  return {sizeof(Options), o.learning_rate, o.initial_accumulator, o.epsilon, static_cast<std::int32_t>(o.decay),
          o.weight_decay,  nullptr};
}

template <class Options>
OptimizerOptions adagrad_to_cpp(const auto& o, std::string_view op) {
  return Options{o.learning_rate, o.initial_accumulator, o.epsilon, decay_of(o.decay, op), o.weight_decay};
}

template <class Options>
Options adam_to_c(const auto& o) {
  return {sizeof(Options), o.learning_rate, o.beta1, o.beta2, o.epsilon, static_cast<std::int32_t>(o.decay),
          o.weight_decay,  nullptr};
}

template <class Options>
OptimizerOptions adam_to_cpp(const auto& o, std::string_view op) {
  return Options{o.learning_rate, o.beta1, o.beta2, o.epsilon, decay_of(o.decay, op), o.weight_decay};
}

rowmill_optimizer* make_handle(Optimizer optimizer) {
  auto* const handle = new rowmill_optimizer{std::move(optimizer), nullptr, {}};
  handle->optimizer = &*handle->owned;
  return handle;
}

template <class Options>
rowmill_status create_optimizer(std::int64_t rows, std::int64_t dim, const char* name, const Options* options,
                                rowmill_optimizer** optimizer, std::string_view op) noexcept {
  return call([&] {
    rowmill_optimizer*& result = deref(optimizer, op, "optimizer");
    result = make_handle(Optimizer(optimizer_of(options, op), rows, dim,
                                   storage_of(options_of(options, op).storage, op), text_of(name)));
  });
}

Optimizer with_state(const OptimizerOptions& options, std::int64_t rows, std::int64_t dim,
                     const StorageOptions& storage, const rowmill_view* state, std::int64_t state_count,
                     std::string_view op) {
  check_range(op, "state_count", state_count, 0, kMaxIds);
  std::vector<TableView> views;
  for (std::int64_t i = 0; i < state_count; ++i) {
    deref(state, op, "state");
    views.push_back(view_of(state + i, op, "state"));
  }
  return {options, rows, dim, storage, views};
}

template <class Options>
rowmill_status create_with_state(std::int64_t rows, std::int64_t dim, const Options* options, const rowmill_view* state,
                                 std::int64_t state_count, rowmill_optimizer** optimizer,
                                 std::string_view op) noexcept {
  return call([&] {
    rowmill_optimizer*& result = deref(optimizer, op, "optimizer");
    result = make_handle(with_state(optimizer_of(options, op), rows, dim,
                                    storage_of(options_of(options, op).storage, op), state, state_count, op));
  });
}

template <class Options>
rowmill_status set_options(rowmill_optimizer* optimizer, const Options* options, std::string_view op) noexcept {
  return call([&] {
    Optimizer& o = *deref(optimizer, op, "optimizer").optimizer;
    if (options_of(&deref(options, op, "options"), op).storage != nullptr) refuse(op, "storage can't be changed");
    o.set_options(optimizer_of(options, op));
  });
}

/// `read` converts CppOptions to Options.
template <class CppOptions, class Options, class Read>
rowmill_status get_options(const rowmill_optimizer* optimizer, Options* options, std::string_view op,
                           Read read) noexcept {
  return call([&] {
    const Optimizer& o = *deref(optimizer, op, "optimizer").optimizer;
    Options& result = deref(options, op, "options");
    check_struct_size<Options>(op, result.struct_size);
    const auto* const found = std::get_if<CppOptions>(&o.options());
    if (found == nullptr) refuse(op, "the optimizer is of another kind: " + std::string(o.name()));
    Options filled = read(*found);
    filled.struct_size = result.struct_size;
    std::memcpy(&result, &filled, result.struct_size);
  });
}

}  // namespace

template <>
rowmill_sgd_options defaults<rowmill_sgd_options>() {
  return sgd_to_c(SgdOptions{});
}

template <>
rowmill_adagrad_options defaults<rowmill_adagrad_options>() {
  return adagrad_to_c<rowmill_adagrad_options>(AdagradOptions{});
}

template <>
rowmill_row_wise_adagrad_options defaults<rowmill_row_wise_adagrad_options>() {
  return adagrad_to_c<rowmill_row_wise_adagrad_options>(RowWiseAdagradOptions{});
}

template <>
rowmill_adam_options defaults<rowmill_adam_options>() {
  return adam_to_c<rowmill_adam_options>(AdamOptions{});
}

template <>
rowmill_partial_row_wise_adam_options defaults<rowmill_partial_row_wise_adam_options>() {
  return adam_to_c<rowmill_partial_row_wise_adam_options>(PartialRowWiseAdamOptions{});
}

template <>
rowmill_optimizer_progress defaults<rowmill_optimizer_progress>() {
  return {sizeof(rowmill_optimizer_progress), 0, -1, -1};
}

template <>
rowmill_storage_options defaults<rowmill_storage_options>() {
  rowmill_storage_options o{};  // to the nearest, no stream, not split
  o.struct_size = sizeof o;
  o.overflow = ROWMILL_OVERFLOW_SATURATE;
  o.state_format = ROWMILL_FLOAT32;
  return o;
}

StorageOptions storage_of(const rowmill_storage_options* options, std::string_view op) {
  static_assert(static_cast<int>(Rounding::nearest) == ROWMILL_ROUND_NEAREST &&
                static_cast<int>(Rounding::stochastic) == ROWMILL_ROUND_STOCHASTIC &&
                static_cast<int>(Overflow::infinity) == ROWMILL_OVERFLOW_INFINITY &&
                static_cast<int>(Overflow::saturate) == ROWMILL_OVERFLOW_SATURATE &&
                static_cast<int>(Overflow::error) == ROWMILL_OVERFLOW_ERROR);
  const rowmill_storage_options o = options_of(options, op);
  return {.rounding = enum_of(o.rounding, Rounding::stochastic, op, "rounding"),
          .stream = {.seed = o.seed, .stream = o.stream, .name = text_of(o.stream_name)},
          .first_row = o.first_row,
          .first_column = o.first_column,
          .split = o.split != 0,
          .state_format = format_from_c(o.state_format, op, "state_format"),
          .overflow = enum_of(o.overflow, Overflow::error, op, "overflow")};
}

OptimizerOptions optimizer_of(const rowmill_sgd_options* options, std::string_view op) {
  const rowmill_sgd_options o = options_of(options, op);
  return SgdOptions{o.learning_rate, o.momentum, o.nesterov != 0, decay_of(o.decay, op), o.weight_decay};
}
OptimizerOptions optimizer_of(const rowmill_adagrad_options* options, std::string_view op) {
  return adagrad_to_cpp<AdagradOptions>(options_of(options, op), op);
}
OptimizerOptions optimizer_of(const rowmill_row_wise_adagrad_options* options, std::string_view op) {
  return adagrad_to_cpp<RowWiseAdagradOptions>(options_of(options, op), op);
}
OptimizerOptions optimizer_of(const rowmill_adam_options* options, std::string_view op) {
  return adam_to_cpp<AdamOptions>(options_of(options, op), op);
}
OptimizerOptions optimizer_of(const rowmill_partial_row_wise_adam_options* options, std::string_view op) {
  return adam_to_cpp<PartialRowWiseAdamOptions>(options_of(options, op), op);
}

}  // namespace rowmill::c_interface

using namespace rowmill;  // the functions of C stand in no namespace
using namespace rowmill::c_interface;

rowmill_status rowmill_storage_options_init(rowmill_storage_options* options, std::size_t struct_size) noexcept {
  return init_options(options, struct_size, "storage_options_init");
}

rowmill_status rowmill_sgd_options_init(rowmill_sgd_options* options, std::size_t struct_size) noexcept {
  return init_options(options, struct_size, "sgd_options_init");
}

rowmill_status rowmill_adagrad_options_init(rowmill_adagrad_options* options, std::size_t struct_size) noexcept {
  return init_options(options, struct_size, "adagrad_options_init");
}

rowmill_status rowmill_row_wise_adagrad_options_init(rowmill_row_wise_adagrad_options* options,
                                                     std::size_t struct_size) noexcept {
  return init_options(options, struct_size, "row_wise_adagrad_options_init");
}

rowmill_status rowmill_adam_options_init(rowmill_adam_options* options, std::size_t struct_size) noexcept {
  return init_options(options, struct_size, "adam_options_init");
}

rowmill_status rowmill_partial_row_wise_adam_options_init(rowmill_partial_row_wise_adam_options* options,
                                                          std::size_t struct_size) noexcept {
  return init_options(options, struct_size, "partial_row_wise_adam_options_init");
}

rowmill_status rowmill_sgd_create(std::int64_t rows, std::int64_t dim, const char* name,
                                  const rowmill_sgd_options* options, rowmill_optimizer** optimizer) noexcept {
  return create_optimizer(rows, dim, name, options, optimizer, "sgd");
}

rowmill_status rowmill_adagrad_create(std::int64_t rows, std::int64_t dim, const char* name,
                                      const rowmill_adagrad_options* options, rowmill_optimizer** optimizer) noexcept {
  return create_optimizer(rows, dim, name, options, optimizer, "adagrad");
}

rowmill_status rowmill_row_wise_adagrad_create(std::int64_t rows, std::int64_t dim, const char* name,
                                               const rowmill_row_wise_adagrad_options* options,
                                               rowmill_optimizer** optimizer) noexcept {
  return create_optimizer(rows, dim, name, options, optimizer, "row_wise_adagrad");
}

rowmill_status rowmill_adam_create(std::int64_t rows, std::int64_t dim, const char* name,
                                   const rowmill_adam_options* options, rowmill_optimizer** optimizer) noexcept {
  return create_optimizer(rows, dim, name, options, optimizer, "adam");
}

rowmill_status rowmill_partial_row_wise_adam_create(std::int64_t rows, std::int64_t dim, const char* name,
                                                    const rowmill_partial_row_wise_adam_options* options,
                                                    rowmill_optimizer** optimizer) noexcept {
  return create_optimizer(rows, dim, name, options, optimizer, "partial_row_wise_adam");
}

rowmill_status rowmill_sgd_create_with_state(std::int64_t rows, std::int64_t dim, const rowmill_sgd_options* options,
                                             const rowmill_view* state, std::int64_t state_count,
                                             rowmill_optimizer** optimizer) noexcept {
  return create_with_state(rows, dim, options, state, state_count, optimizer, "sgd");
}

rowmill_status rowmill_sgd_set_options(rowmill_optimizer* optimizer, const rowmill_sgd_options* options) noexcept {
  return set_options(optimizer, options, "sgd");
}

rowmill_status rowmill_sgd_get_options(const rowmill_optimizer* optimizer, rowmill_sgd_options* options) noexcept {
  return get_options<SgdOptions>(optimizer, options, "sgd", sgd_to_c);
}

rowmill_status rowmill_adagrad_create_with_state(std::int64_t rows, std::int64_t dim,
                                                 const rowmill_adagrad_options* options, const rowmill_view* state,
                                                 std::int64_t state_count, rowmill_optimizer** optimizer) noexcept {
  return create_with_state(rows, dim, options, state, state_count, optimizer, "adagrad");
}

rowmill_status rowmill_adagrad_set_options(rowmill_optimizer* optimizer,
                                           const rowmill_adagrad_options* options) noexcept {
  return set_options(optimizer, options, "adagrad");
}

rowmill_status rowmill_adagrad_get_options(const rowmill_optimizer* optimizer,
                                           rowmill_adagrad_options* options) noexcept {
  return get_options<AdagradOptions>(optimizer, options, "adagrad",
                                     [](const AdagradOptions& o) { return adagrad_to_c<rowmill_adagrad_options>(o); });
}

rowmill_status rowmill_row_wise_adagrad_create_with_state(std::int64_t rows, std::int64_t dim,
                                                          const rowmill_row_wise_adagrad_options* options,
                                                          const rowmill_view* state, std::int64_t state_count,
                                                          rowmill_optimizer** optimizer) noexcept {
  return create_with_state(rows, dim, options, state, state_count, optimizer, "row_wise_adagrad");
}

rowmill_status rowmill_row_wise_adagrad_set_options(rowmill_optimizer* optimizer,
                                                    const rowmill_row_wise_adagrad_options* options) noexcept {
  return set_options(optimizer, options, "row_wise_adagrad");
}

rowmill_status rowmill_row_wise_adagrad_get_options(const rowmill_optimizer* optimizer,
                                                    rowmill_row_wise_adagrad_options* options) noexcept {
  return get_options<RowWiseAdagradOptions>(optimizer, options, "row_wise_adagrad", [](const RowWiseAdagradOptions& o) {
    return adagrad_to_c<rowmill_row_wise_adagrad_options>(o);
  });
}

rowmill_status rowmill_adam_create_with_state(std::int64_t rows, std::int64_t dim, const rowmill_adam_options* options,
                                              const rowmill_view* state, std::int64_t state_count,
                                              rowmill_optimizer** optimizer) noexcept {
  return create_with_state(rows, dim, options, state, state_count, optimizer, "adam");
}

rowmill_status rowmill_adam_set_options(rowmill_optimizer* optimizer, const rowmill_adam_options* options) noexcept {
  return set_options(optimizer, options, "adam");
}

rowmill_status rowmill_adam_get_options(const rowmill_optimizer* optimizer, rowmill_adam_options* options) noexcept {
  return get_options<AdamOptions>(optimizer, options, "adam",
                                  [](const AdamOptions& o) { return adam_to_c<rowmill_adam_options>(o); });
}

rowmill_status rowmill_partial_row_wise_adam_create_with_state(std::int64_t rows, std::int64_t dim,
                                                               const rowmill_partial_row_wise_adam_options* options,
                                                               const rowmill_view* state, std::int64_t state_count,
                                                               rowmill_optimizer** optimizer) noexcept {
  return create_with_state(rows, dim, options, state, state_count, optimizer, "partial_row_wise_adam");
}

rowmill_status rowmill_partial_row_wise_adam_set_options(
    rowmill_optimizer* optimizer, const rowmill_partial_row_wise_adam_options* options) noexcept {
  return set_options(optimizer, options, "partial_row_wise_adam");
}

rowmill_status rowmill_partial_row_wise_adam_get_options(const rowmill_optimizer* optimizer,
                                                         rowmill_partial_row_wise_adam_options* options) noexcept {
  return get_options<PartialRowWiseAdamOptions>(
      optimizer, options, "partial_row_wise_adam",
      [](const PartialRowWiseAdamOptions& o) { return adam_to_c<rowmill_partial_row_wise_adam_options>(o); });
}

void rowmill_optimizer_destroy(rowmill_optimizer* optimizer) noexcept { delete optimizer; }

rowmill_status rowmill_optimizer_clone(const rowmill_optimizer* optimizer, rowmill_optimizer** clone) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "optimizer_clone";
    rowmill_optimizer*& result = deref(clone, kOp, "clone");
    result = make_handle(deref(optimizer, kOp, "optimizer").optimizer->clone());
  });
}

rowmill_status rowmill_optimizer_step(rowmill_optimizer* optimizer, const rowmill_view* weights,
                                      const rowmill_plan* plan, const rowmill_view* gradients,
                                      std::int64_t gradient_count, rowmill_workspace* workspace) noexcept {
  return rowmill_optimizer_step_with(optimizer, weights, plan, gradients, gradient_count, nullptr, workspace);
}

rowmill_status rowmill_optimizer_step_with(rowmill_optimizer* optimizer, const rowmill_view* weights,
                                           const rowmill_plan* plan, const rowmill_view* gradients,
                                           std::int64_t gradient_count, const rowmill_gradient_options* options,
                                           rowmill_workspace* workspace) noexcept {
  return call([&] {
    rowmill_optimizer& handle = deref(optimizer, "step", "optimizer");
    const std::string_view op = handle.optimizer->name();
    check_range(op, "gradient_count", gradient_count, 0, kMaxIds);
    views_of(gradients, gradient_count, op, "gradients", "gradient", handle.gradients);
    handle.optimizer->step(view_of(weights, op, "weights"), deref(plan, op, "plan").plan, handle.gradients,
                           gradient_options_of(options, op), workspace_of(workspace));
  });
}

std::int64_t rowmill_optimizer_skipped_steps(const rowmill_optimizer* optimizer) noexcept {
  return value_or<std::int64_t>(
      -1, [&] { return deref(optimizer, "optimizer_skipped_steps", "optimizer").optimizer->skipped_steps(); });
}

std::size_t rowmill_optimizer_memory_required(const rowmill_optimizer* optimizer, std::int64_t id_count,
                                              std::int64_t gradient_count) noexcept {
  return value_or<std::size_t>(0, [&] {
    constexpr std::string_view kOp = "optimizer_memory_required";
    const Optimizer& o = *deref(optimizer, kOp, "optimizer").optimizer;
    check_range(kOp, "id_count", id_count, 0, kMaxIds);
    check_range(kOp, "gradient_count", gradient_count, 0, kMaxIds);
    return o.memory_required(id_count, gradient_count);
  });
}

std::size_t rowmill_optimizer_memory_required_with(const rowmill_optimizer* optimizer, std::int64_t id_count,
                                                   std::int64_t gradient_count, const rowmill_gradient_options* options,
                                                   rowmill_pooling pooling) noexcept {
  return value_or<std::size_t>(0, [&] {
    constexpr std::string_view kOp = "optimizer_memory_required";
    const Optimizer& o = *deref(optimizer, kOp, "optimizer").optimizer;
    check_range(kOp, "id_count", id_count, 0, kMaxIds);
    check_range(kOp, "gradient_count", gradient_count, 0, kMaxIds);
    return o.memory_required(id_count, gradient_count, gradient_options_of(options, kOp), pooling_of(pooling, kOp));
  });
}

const char* rowmill_optimizer_name(const rowmill_optimizer* optimizer) noexcept {
  return value_or<const char*>(nullptr, [&] {
    return deref(optimizer, "optimizer_name", "optimizer").optimizer->name().data();  // a literal
  });
}

std::int64_t rowmill_optimizer_step_count(const rowmill_optimizer* optimizer) noexcept {
  return value_or<std::int64_t>(
      -1, [&] { return deref(optimizer, "optimizer_step_count", "optimizer").optimizer->step_count(); });
}

double rowmill_optimizer_learning_rate(const rowmill_optimizer* optimizer) noexcept {
  return value_or<double>(
      -1, [&] { return deref(optimizer, "optimizer_learning_rate", "optimizer").optimizer->learning_rate(); });
}

rowmill_status rowmill_optimizer_set_learning_rate(rowmill_optimizer* optimizer, double learning_rate) noexcept {
  return call([&] {
    deref(optimizer, "optimizer_set_learning_rate", "optimizer").optimizer->set_learning_rate(learning_rate);
  });
}

std::int64_t rowmill_optimizer_state_count(const rowmill_optimizer* optimizer) noexcept {
  return value_or<std::int64_t>(
      -1, [&] { return std::ssize(deref(optimizer, "optimizer_state_count", "optimizer").optimizer->state()); });
}

rowmill_status rowmill_optimizer_state(const rowmill_optimizer* optimizer, std::int64_t index,
                                       rowmill_view* view) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "optimizer_state";
    const auto state = deref(optimizer, kOp, "optimizer").optimizer->state();
    if (state.empty()) refuse(kOp, std::string(optimizer->optimizer->name()) + " has no state");
    check_range(kOp, "index", index, 0, std::ssize(state) - 1);
    deref(view, kOp, "view") = to_c(state[static_cast<std::size_t>(index)]);
  });
}

rowmill_status rowmill_optimizer_progress_init(rowmill_optimizer_progress* progress, std::size_t struct_size) noexcept {
  return init_options(progress, struct_size, "optimizer_progress_init");
}

rowmill_status rowmill_optimizer_get_progress(const rowmill_optimizer* optimizer,
                                              rowmill_optimizer_progress* progress) noexcept {
  return call([&] {
    constexpr std::string_view kOp = "optimizer_get_progress";
    rowmill_optimizer_progress& result = deref(progress, kOp, "progress");
    check_struct_size<rowmill_optimizer_progress>(kOp, result.struct_size);
    const OptimizerProgress found = deref(optimizer, kOp, "optimizer").optimizer->progress();
    result.step_count = found.step_count;
    result.beta1_power = found.beta1_power.value_or(-1);
    result.beta2_power = found.beta2_power.value_or(-1);
  });
}

rowmill_status rowmill_optimizer_restore(rowmill_optimizer* optimizer, const rowmill_optimizer_progress* progress,
                                         const rowmill_view* state, std::int64_t state_count) noexcept {
  return call([&] {
    Optimizer& o = *deref(optimizer, "optimizer_restore", "optimizer").optimizer;
    const std::string_view op = o.name();
    check_range(op, "state_count", state_count, 0, kMaxIds);
    const rowmill_optimizer_progress p = options_of(&deref(progress, op, "progress"), op);
    const auto power = [](double value) { return value == -1 ? std::nullopt : std::optional<double>(value); };
    std::vector<ConstTableView> views;
    views_of(state, state_count, op, "state", "state", views);
    o.restore({.step_count = p.step_count, .beta1_power = power(p.beta1_power), .beta2_power = power(p.beta2_power)},
              views);
  });
}
