// SPDX-License-Identifier: Apache-2.0
// Kernels of random numbers.
#include "rowmill/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "tests/kernels/kernel_test.hpp"

namespace rowmill::test {
namespace {

// One check for each row of the kernel list, by its name.
namespace check {

void fill_uniform_f32(Kernel<FillUniformArgs>* f, Kernel<FillUniformArgs>* r) {
  for (const std::int64_t dim : kDims) {
    // The most that a value may be comes into play now and then, or never.
    for (const auto& [first_row, most] : {std::pair(std::int64_t{0}, 0.2F), {(std::int64_t{1} << 32) - 2, 0.4F}}) {
      GuardedTable table(5, dim);
      GuardedTable expected(5, dim);
      const auto run = [&, row = first_row, highest = most](Kernel<FillUniformArgs>* kernel, GuardedTable& to) {
        kernel({to.view().data(), to.view().row_stride(), row, 5, dim, {123, 456}, -0.3F, 0.7F, highest});
      };
      run(f, table);
      run(r, expected);
      EXPECT_TRUE(same(table.view(), expected.view())) << "dim " << dim;
      EXPECT_TRUE(table.guards_intact()) << "dim " << dim;
    }
  }
}

void philox_u32(Kernel<PhiloxArgs>* f, Kernel<PhiloxArgs>*) {
  for (const std::int64_t blocks : {0, 16, 48}) {
    std::vector<std::uint32_t> words(static_cast<std::size_t>(4 * blocks + 8), 77);
    f({{0xFFFFFFF0U, 2, 3, 4}, {5, 6}, blocks, words.data()});
    for (std::size_t b = 0; b < static_cast<std::size_t>(blocks); ++b) {
      const auto expected = philox4x32_10({0xFFFFFFF0U + static_cast<std::uint32_t>(b), 2, 3, 4}, {5, 6});
      for (std::size_t w = 0; w < 4; ++w) ASSERT_EQ(words[4 * b + w], expected[w]) << "block " << b;
    }
    EXPECT_EQ(std::count(words.end() - 8, words.end(), 77U), 8);
  }
}

}  // namespace check

ROWMILL_RANDOM_KERNELS(ROWMILL_TEST_KERNEL)

}  // namespace
}  // namespace rowmill::test
