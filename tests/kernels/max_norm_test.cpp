// SPDX-License-Identifier: Apache-2.0
// Kernels of max_norm.
#include <gtest/gtest.h>

#include <vector>

#include "tests/kernels/kernel_test.hpp"

namespace rowmill::test {
namespace {

/// Rows with special values and without, of which some are within the norm and some are not.
template <class T>
void check_renormalize(Kernel<RenormalizeArgs>* kernel, Kernel<RenormalizeArgs>* reference) {
  std::vector<std::int64_t> rows;
  for (std::int64_t r = 0; r < kRows; r += 2) rows.push_back(kRows - 1 - r);
  const PageEnd<std::int64_t> all_rows(rows);
  for (const std::int64_t dim : kDims) {
    for (const bool special : {false, true}) {
      const auto start = BasicGuardedTable<T>(kRows, dim, 3).fill(13, special);
      for (const NormType norm : {NormType::one, NormType::two, NormType::infinity}) {
        for (const float max_norm : {0.0F, 0.4F, 900.0F}) {
          auto table = start;
          auto expected = start;
          const auto run = [&](Kernel<RenormalizeArgs>* f, BasicGuardedTable<T>& on) {
            f({on.view().bytes(), on.view().row_stride(), all_rows.data(), std::ssize(rows), dim, max_norm, norm,
               prefetch});
          };
          run(kernel, table);
          run(reference, expected);
          EXPECT_TRUE(same(table.view(), expected.view()))
              << "dim " << dim << ", norm " << static_cast<int>(norm) << " of " << max_norm;
          EXPECT_TRUE(table.guards_intact()) << "dim " << dim;
        }
      }
    }
  }
}

// One check for each row of the kernel list, by its name.
namespace check {

void renormalize_f32(Kernel<RenormalizeArgs>* f, Kernel<RenormalizeArgs>* r) { check_renormalize<float>(f, r); }
void renormalize_bf16(Kernel<RenormalizeArgs>* f, Kernel<RenormalizeArgs>* r) { check_renormalize<Bf16>(f, r); }
void renormalize_f16(Kernel<RenormalizeArgs>* f, Kernel<RenormalizeArgs>* r) { check_renormalize<F16>(f, r); }

}  // namespace check

ROWMILL_MAX_NORM_KERNELS(ROWMILL_TEST_KERNEL)

}  // namespace
}  // namespace rowmill::test
