// SPDX-License-Identifier: Apache-2.0
// Kernels of optimizers.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/kernels/kernel_test.hpp"
#include "tests/kernels/segments.hpp"
#include "tests/kernels/stored.hpp"

namespace rowmill::test {
namespace {

/// Each kind of decay, with gradients that are prefetched, and with near ones, whose mean squares are known where that
/// may be; with coefficients or without.
struct DecayAndGradients {
  WeightDecay decay;
  bool near;
  bool scaled;
};
constexpr DecayAndGradients kDecaysAndGradients[] = {
    {WeightDecay::none, false, false}, {WeightDecay::none, false, true},       {WeightDecay::l2, false, true},
    {WeightDecay::none, true, true},   {WeightDecay::decoupled, false, false}, {WeightDecay::none, true, false},
    {WeightDecay::l2, true, false},    {WeightDecay::decoupled, true, true}};

/// Runs an optimizer kernel on copies of one start, with each of these; `make` gives its arguments.
template <class T, class Args, class Make>
void check_optimizer(Kernel<Args>* kernel, Kernel<Args>* reference, const Segments& segments, const Layout& layout,
                     std::int64_t dim, Make make) {
  const auto start = BasicGuardedTable<T>(kRows, dim, layout.table_gap).fill(7);
  GuardedTable start_state = GuardedTable(2 * kRows, dim, 0).fill(8);
  for (std::int64_t r = 0; r < start_state.view().rows(); ++r) {
    for (float& x : start_state.view().row(r)) x = x < 0 ? -x : x;  // squares are not negative
  }
  for (const auto& each : kDecaysAndGradients) {
    const WeightDecay decay = each.decay;
    const bool near = each.near;
    const bool scaled = each.scaled;
    SCOPED_TRACE("decay " + std::to_string(static_cast<int>(decay)) + (near ? ", near gradients" : "") +
                 (scaled ? ", coefficients" : ""));
    const auto run = [&](Kernel<Args>* f, BasicGuardedTable<T>& weights, GuardedTable& state) {
      GuardedTable scratch(1, kUpdateScratchRows * dim);
      for (float& x : scratch.view().row(0)) x = 77;
      const bool squares_known = near && decay != WeightDecay::l2;
      const std::vector<float>& squares = scaled ? segments.scaled_squares : segments.squares;
      const UpdateArgs update{segments.args(scaled),
                              segments.gradient_args(dim, !near, squares_known ? squares.data() : nullptr),
                              prefetch,
                              scratch.view().data(),
                              weights.view().bytes(),
                              weights.view().row_stride(),
                              decay,
                              decay == WeightDecay::l2 ? 0.03F : 0.97F};
      f(make(update, state.view()));
      EXPECT_TRUE(scratch.guards_intact());
    };
    auto weights = start;
    auto expected = start;
    GuardedTable state = start_state;
    GuardedTable expected_state = start_state;
    run(kernel, weights, state);
    run(reference, expected, expected_state);
    EXPECT_TRUE(same(weights.view(), expected.view()));
    EXPECT_TRUE(same(state.view(), expected_state.view())) << "state";
    EXPECT_TRUE(weights.guards_intact());
    EXPECT_TRUE(state.guards_intact()) << "state";
  }
}

template <class T, class Args, class Make>
void check_optimizer(Kernel<Args>* kernel, Kernel<Args>* reference, Make make) {
  for (const std::int64_t dim : kDims) {
    for (const Layout& layout : layouts_for(dim)) {
      SCOPED_TRACE("dim " + std::to_string(dim) + ", table gap " + std::to_string(layout.table_gap) + ", " +
                   std::to_string(layout.passes) + " passes, gradient gap " + std::to_string(layout.gradient_gap));
      check_optimizer<T>(kernel, reference, Segments(dim, layout), layout, dim, make);
    }
  }
}

AdamArgs adam_args(const UpdateArgs& update, const TableView& state) {
  return {update,
          state.data(),
          state.row(kRows).data(),
          {.beta1 = 0.9F,
           .one_minus_beta1 = 0.1F,
           .beta2 = 0.999F,
           .one_minus_beta2 = 0.001F,
           .step_size = 0.02F,
           .inverse_sqrt_bc2 = 3.5F,
           .epsilon = 0.3F}};
}

AdagradArgs adagrad_args(const UpdateArgs& update, const TableView& state) {
  return {update, state.data(), 0.1F, 0.3F};
}

template <class T>
void check_sgd(Kernel<SgdArgs>* f, Kernel<SgdArgs>* r) {
  for (const auto& [has_momentum, nesterov] :
       {std::pair(false, false), std::pair(true, false), std::pair(true, true)}) {
    check_optimizer<T>(f, r, [&, m = has_momentum, n = nesterov](const UpdateArgs& update, const TableView& state) {
      return SgdArgs{update, m ? state.data() : nullptr, 0.1F, 0.9F, n};
    });
  }
}

// One check for each row of the kernel list, by its name.
namespace check {

template <class T>
constexpr auto sgd = [](auto* f, auto* r) { check_sgd<T>(f, r); };
template <class T>
constexpr auto adagrad = [](auto* f, auto* r) { check_optimizer<T>(f, r, adagrad_args); };
template <class T>
constexpr auto adam = [](auto* f, auto* r) { check_optimizer<T>(f, r, adam_args); };

constexpr auto sgd_f32 = sgd<float>;
constexpr auto sgd_bf16 = sgd<Bf16>;
constexpr auto adagrad_f32 = adagrad<float>;
constexpr auto adagrad_bf16 = adagrad<Bf16>;
constexpr auto row_wise_adagrad_f32 = adagrad<float>;
constexpr auto row_wise_adagrad_bf16 = adagrad<Bf16>;
constexpr auto adam_f32 = adam<float>;
constexpr auto adam_bf16 = adam<Bf16>;
constexpr auto partial_row_wise_adam_f32 = adam<float>;
constexpr auto partial_row_wise_adam_bf16 = adam<Bf16>;

constexpr auto sgd_any = [](Kernel<SgdArgs>* f, Kernel<SgdArgs>* r) {
  check_any(f, r, [](const UpdateArgs& update, const TableView&) {
    return SgdArgs{update, nullptr, 0.1F, 0.9F, false};
  });
  check_any(f, r, [](const UpdateArgs& update, const TableView& state) {
    return SgdArgs{update, state.data(), 0.1F, 0.9F, true};
  });
};
constexpr auto adagrad_any = [](auto* f, auto* r) { check_any(f, r, adagrad_args); };
constexpr auto row_wise_adagrad_any = adagrad_any;
constexpr auto adam_any = [](auto* f, auto* r) { check_any(f, r, adam_args); };
constexpr auto partial_row_wise_adam_any = adam_any;

}  // namespace check

ROWMILL_SGD_KERNELS(ROWMILL_TEST_KERNEL)
ROWMILL_ADAGRAD_KERNELS(ROWMILL_TEST_KERNEL)
ROWMILL_ADAM_KERNELS(ROWMILL_TEST_KERNEL)

}  // namespace
}  // namespace rowmill::test
