// SPDX-License-Identifier: Apache-2.0
// Kernels that sum and guard gradients.
#include <gtest/gtest.h>

#include <limits>
#include <utility>
#include <vector>

#include "tests/kernels/kernel_test.hpp"
#include "tests/kernels/segments.hpp"

namespace rowmill::test {
namespace {

// One check for each row of the kernel list, by its name.
namespace check {

void sum_block_f32(Kernel<SumBlockArgs>* f, Kernel<SumBlockArgs>* r) {
  for (const std::int64_t dim : kDims) {
    const Segments segments(dim);
    const auto all = static_cast<std::int64_t>(segments.lists.positions.size());
    for (const std::int64_t count : {1, 2, 3, 100, 200}) {
      for (const std::int64_t first : {std::int64_t{0}, all - count}) {
        GuardedTable out(1, dim);
        GuardedTable expected(1, dim);
        const SegmentArgs part = segments.args(true, true);
        for (const auto& [scaled, of_max] : kContributions) {
          const auto run = [&, s = scaled, m = of_max](Kernel<SumBlockArgs>* kernel, GuardedTable& to) {
            kernel({.positions = part.positions + first,
                    .count = count,
                    .gradients = segments.gradient_args(dim, true, nullptr, m),
                    .prefetch = prefetch,
                    .out = to.view().data(),
                    .coefficients = s ? part.coefficients + first : nullptr,
                    .bag_positions = m ? part.bag_positions + first : nullptr});
          };
          run(f, out);
          run(r, expected);
          EXPECT_TRUE(same(out.view(), expected.view())) << "dim " << dim << ", " << count;
          EXPECT_TRUE(out.guards_intact()) << "dim " << dim << ", " << count;
        }
      }
    }
  }
}

void sum_segments_f32(Kernel<SumSegmentsArgs>* f, Kernel<SumSegmentsArgs>* r) {
  for (const std::int64_t dim : kDims) {
    const Segments segments(dim);
    const MixedPasses mixed(segments);
    for (const auto& [scaled, of_max] : kContributions) {
      GuardedTable out(kRows, dim, 3);
      GuardedTable expected = out;
      bool any_format = false;
      const auto run = [&, s = scaled, m = of_max](Kernel<SumSegmentsArgs>* kernel, GuardedTable& to) {
        kernel({.segments = segments.args(s, m),
                .gradients = any_format ? mixed.of(segments.gradient_args(dim, true, nullptr, m))
                                        : segments.gradient_args(dim, true, nullptr, m),
                .prefetch = prefetch,
                .out = to.view().data(),
                .stride = to.view().row_stride()});
      };
      run(f, out);
      run(r, expected);
      EXPECT_TRUE(same(out.view(), expected.view())) << "dim " << dim << ", " << scaled << ", " << of_max;
      EXPECT_TRUE(out.guards_intact()) << "dim " << dim;
      any_format = true;
      run(f, out);
      run(r, expected);
      EXPECT_TRUE(same(out.view(), expected.view())) << "any format, dim " << dim << ", " << scaled << ", " << of_max;
      EXPECT_TRUE(out.guards_intact()) << "dim " << dim;
    }
  }
}

void mean_squares_f32(Kernel<MeanSquaresArgs>* f, Kernel<MeanSquaresArgs>* r) {
  for (const std::int64_t dim : kDims) {
    const Segments segments(dim);
    // Rows of all passes, and of none.
    for (const auto& rows : {std::pair(0, 256), std::pair(5, 21), std::pair(19, 20), std::pair(7, 7)}) {
      for (const bool scaled : {false, true}) {
        GuardedTable out(1, 256);
        GuardedTable expected(1, 256);
        const auto run = [&](Kernel<MeanSquaresArgs>* kernel, GuardedTable& to) {
          kernel({segments.gradient_args(dim), rows.first, rows.second, to.view().data(),
                  scaled ? segments.factors.data() : nullptr});
        };
        run(f, out);
        run(r, expected);
        EXPECT_TRUE(same(out.view(), expected.view())) << "dim " << dim << ", from " << rows.first;
        EXPECT_TRUE(out.guards_intact()) << "dim " << dim;
      }
    }
  }
}

void guard_rows_f32(Kernel<GuardRowsArgs>* f, Kernel<GuardRowsArgs>* r) {
  constexpr float kNone = std::numeric_limits<float>::infinity();
  const std::int64_t rows[] = {3, 0, 2, 5, 1, 4};
  const float divisors[] = {1, 2, 3, 1, 7, 2};
  for (const std::int64_t dim : kDims) {
    for (const bool special : {false, true}) {
      const GuardedTable start = GuardedTable(6, dim, 2).fill(31, special);
      for (const auto& [clip_value, clip_norm] :
           {std::pair(kNone, kNone), std::pair(0.3F, kNone), std::pair(kNone, 0.5F), std::pair(0.3F, 0.5F)}) {
        for (const bool chosen : {false, true}) {  // rows and divisors are given
          const auto run = [&, v = clip_value, n = clip_norm](Kernel<GuardRowsArgs>* kernel, GuardedTable& to,
                                                              GuardedTable& squares) {
            bool finite = true;
            kernel({.data = to.view().data(),
                    .stride = to.view().row_stride(),
                    .rows = chosen ? rows : nullptr,
                    .begin = 1,
                    .end = 5,
                    .dim = dim,
                    .divisors = chosen ? divisors : nullptr,
                    .clip_value = v,
                    .clip_norm = n,
                    .squares = squares.view().data(),
                    .finite = &finite});
            return finite;
          };
          GuardedTable out = start;
          GuardedTable expected = start;
          GuardedTable squares(1, 6);
          GuardedTable expected_squares = squares;
          EXPECT_EQ(run(f, out, squares), run(r, expected, expected_squares)) << "dim " << dim;
          EXPECT_TRUE(same(out.view(), expected.view())) << "dim " << dim;
          EXPECT_TRUE(same(squares.view(), expected_squares.view())) << "dim " << dim;
          EXPECT_TRUE(out.guards_intact() && squares.guards_intact()) << "dim " << dim;
        }
      }
    }
  }
  // One that is not finite, at each column of a row.
  for (const float bad : {kNone, -kNone, std::numeric_limits<float>::quiet_NaN()}) {
    for (std::int64_t at = 0; at < 35; ++at) {
      std::vector<float> row(35, 1.0F);
      row[static_cast<std::size_t>(at)] = bad;
      float squares = 0;
      bool finite = true;
      f({row.data(), 35, nullptr, 0, 1, 35, nullptr, 0.5F, kNone, &squares, &finite});
      EXPECT_FALSE(finite) << at;
    }
  }
}

void scale_rows_f32(Kernel<ScaleRowsArgs>* f, Kernel<ScaleRowsArgs>* r) {
  const std::int64_t rows[] = {3, 0, 2, 5, 1, 4};
  for (const std::int64_t dim : kDims) {
    for (const std::int64_t* chosen : {static_cast<const std::int64_t*>(nullptr), rows}) {
      GuardedTable out = GuardedTable(6, dim, 2).fill(32, true);
      GuardedTable expected = out;
      f({out.view().data(), out.view().row_stride(), chosen, 1, 5, dim, 0.3F});
      r({expected.view().data(), expected.view().row_stride(), chosen, 1, 5, dim, 0.3F});
      EXPECT_TRUE(same(out.view(), expected.view())) << "dim " << dim;
      EXPECT_TRUE(out.guards_intact()) << "dim " << dim;
    }
  }
}

}  // namespace check

ROWMILL_GRADIENT_KERNELS(ROWMILL_TEST_KERNEL)

}  // namespace
}  // namespace rowmill::test
