// SPDX-License-Identifier: Apache-2.0
// The check of kernels that take weights and states of any format.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <tuple>

#include "tests/kernels/kernel_test.hpp"
#include "tests/kernels/segments.hpp"

namespace rowmill::test {

/// How a step's tables are stored, for the kernels of any format.
struct Stored {
  bool split = false;
  Rounding rounding = Rounding::nearest;
  Overflow overflow = Overflow::saturate;
  bool packed =
      false;  // rows without gaps, and gradients of bf16 in one pass without gaps: these have loops of their own
};

/// T: the weights' storage type, S: that of the states with a value for each weight.
template <class T, class S, class Args, class Make>
void check_stored(Kernel<Args>* kernel, Kernel<Args>* reference, const Segments& segments, std::int64_t dim,
                  const Stored& how, Make make) {
  SCOPED_TRACE("dim " + std::to_string(dim) + ", " + std::string(format_name(format_of<T>)) + ", states " +
               std::string(format_name(format_of<S>)) + (how.split ? ", split" : "") + (how.packed ? ", packed" : "") +
               (how.rounding == Rounding::stochastic ? ", stochastic" : "") + ", overflow " +
               std::to_string(static_cast<int>(how.overflow)));
  struct Tables {
    Tables(std::int64_t columns, std::int64_t gap)
        : weights(BasicGuardedTable<T>(kRows, columns, gap).fill(7)),
          low(GuardedBf16Table(kRows, columns, 0).fill(9)),
          states{BasicGuardedTable<S>(kRows, columns, 0).fill(8), BasicGuardedTable<S>(kRows, columns, 0).fill(10)},
          row_states(GuardedTable(2 * kRows, columns, 0).fill(11)) {
      const auto make_positive = [](const TableView& table, auto zero) {  // squares are not negative
        for (std::int64_t r = 0; r < table.rows(); ++r) {
          for (auto& x : table.row<decltype(zero)>(r)) {
            if (static_cast<float>(x) < 0) x = decltype(zero)(-static_cast<float>(x));
          }
        }
      };
      for (auto& table : states) make_positive(table.view(), S(0.0F));
      make_positive(row_states.view(), 0.0F);
    }
    BasicGuardedTable<T> weights;
    GuardedBf16Table low;
    BasicGuardedTable<S> states[2];
    GuardedTable row_states;
    bool overflowed = false;
  };
  const MixedPasses mixed(segments);
  const GuardedBf16Table packed = GuardedBf16Table(256, dim, 0).fill(12);
  const GradientPass packed_pass{packed.view().bytes(), dim, 256, Format::bf16};
  GradientArgs packed_gradients = segments.gradient_args(dim);
  packed_gradients.passes = &packed_pass;
  packed_gradients.pass_count = 1;
  packed_gradients.any_format = true;
  for (const auto& [decay, scaled, any_gradients] : {std::tuple(WeightDecay::none, false, false),
                                                     {WeightDecay::l2, true, true},
                                                     {WeightDecay::decoupled, false, true},
                                                     {WeightDecay::none, true, false}}) {
    const auto run = [&, kind = decay, coefficients = scaled, any = any_gradients](Kernel<Args>* f, Tables& to) {
      GuardedTable scratch(1, kUpdateScratchRows * dim);
      const auto stored = [&](const TableView& table, std::uint32_t key) {
        return StoredTable{.data = table.bytes(),
                           .stride = table.row_stride(),
                           .low = nullptr,
                           .format = table.format(),
                           .key = {key, 5}};
      };
      StorageArgs storage{.weights = stored(to.weights.view(), 1),
                          .states = {stored(to.states[0].view(), 2), stored(to.states[1].view(), 3)},
                          .rounding = how.rounding,
                          .overflow = how.overflow,
                          .first_row = (std::uint64_t{1} << 32) - 30,
                          .first_column = how.packed ? 256U : 77U,
                          .step = 3,
                          .overflowed = &to.overflowed};
      if (how.split) storage.weights.low = to.low.view().bytes();
      if (how.packed) {  // states of floats are those of the other arguments
        const TableView states = to.row_states.view();
        storage.states[0] = stored({states.data(), kRows, dim}, 2);
        storage.states[1] = stored({states.row(kRows).data(), kRows, dim}, 3);
      }
      const UpdateArgs update{segments.args(coefficients),
                              how.packed ? packed_gradients
                              : any      ? mixed.of(segments.gradient_args(dim))
                                         : segments.gradient_args(dim),
                              prefetch,
                              scratch.view().data(),
                              to.weights.view().bytes(),
                              to.weights.view().row_stride(),
                              kind,
                              kind == WeightDecay::l2 ? 0.03F : 0.97F,
                              &storage};
      f(make(update, to.row_states.view()));
      EXPECT_TRUE(scratch.guards_intact());
    };
    Tables tables(dim, how.packed ? 0 : 3);
    Tables expected(dim, how.packed ? 0 : 3);
    run(kernel, tables);
    run(reference, expected);
    EXPECT_TRUE(same(tables.weights.view(), expected.weights.view()));
    for (int i : {0, 1}) EXPECT_TRUE(same(tables.states[i].view(), expected.states[i].view())) << "state " << i;
    EXPECT_TRUE(same(tables.row_states.view(), expected.row_states.view()));
    for (std::int64_t r = 0; r < kRows && how.split; ++r) {
      for (std::size_t c = 0; c < static_cast<std::size_t>(dim); ++c) {
        if (std::isnan(element(expected.weights.view(), r, c))) continue;
        ASSERT_EQ(tables.low.view().template row<Bf16>(r)[c].bits, expected.low.view().template row<Bf16>(r)[c].bits);
      }
    }
    EXPECT_EQ(tables.overflowed, expected.overflowed);
    EXPECT_TRUE(tables.weights.guards_intact() && tables.low.guards_intact() && tables.states[0].guards_intact() &&
                tables.states[1].guards_intact() && tables.row_states.guards_intact());
  }
}

template <class Args, class Make>
void check_any(Kernel<Args>* kernel, Kernel<Args>* reference, Make make) {
  for (const std::int64_t dim : {1, 17, 64, 200}) {
    const Segments segments(dim);
    check_stored<Bf16, float>(kernel, reference, segments, dim, {}, make);
    check_stored<Bf16, float>(kernel, reference, segments, dim, {.split = true}, make);
    check_stored<Bf16, Bf16>(kernel, reference, segments, dim, {.rounding = Rounding::stochastic}, make);
    check_stored<float, Bf16>(kernel, reference, segments, dim, {}, make);
    check_stored<F16, float>(kernel, reference, segments, dim, {.overflow = Overflow::error}, make);
    check_stored<F16, float>(kernel, reference, segments, dim, {.rounding = Rounding::stochastic}, make);
  }
  for (const std::int64_t dim : {1, 16, 17, 32, 64, 128}) {
    const Segments segments(dim);
    check_stored<Bf16, float>(kernel, reference, segments, dim, {.packed = true}, make);
    if (dim < 64) continue;
    check_stored<float, float>(kernel, reference, segments, dim, {.packed = true}, make);
    check_stored<Bf16, float>(kernel, reference, segments, dim, {.split = true, .packed = true}, make);
    check_stored<Bf16, float>(kernel, reference, segments, dim, {.rounding = Rounding::stochastic, .packed = true},
                              make);
  }
}

}  // namespace rowmill::test
