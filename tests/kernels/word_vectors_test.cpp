// SPDX-License-Identifier: Apache-2.0
// Kernels of the training of word vectors.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/kernels/kernel_test.hpp"
#include "tests/support/word_vector_data.hpp"

namespace rowmill::test {
namespace {

/// Everything that a kernel of word vectors can write, and what lies around it. Values of 1e30 overflow, to infinities
/// and NaNs.
template <class Args>
void check_word_vectors(Kernel<Args>* kernel, Kernel<Args>* reference) {
  for (const std::int64_t dim : {16, 32, 48, 112, 128, 256, 304}) {
    for (const std::int64_t samples : {8, 16, 24}) {
      for (const float most : {1.0F, 1e30F}) {
        const std::int64_t count = 16 + dim % 7;
        WordVectorData data(dim, count, samples, 20, most);
        WordVectorData expected(dim, count, samples, 20, most);
        const auto run = [](Kernel<Args>* f, WordVectorData& on) {
          Args args;
          on.make(args);
          f(args);
        };
        run(kernel, data);
        run(reference, expected);
        const auto same_values = [](const std::vector<float>& a, const std::vector<float>& b) {
          const auto size = static_cast<std::int64_t>(a.size());
          return same({a.data(), 1, size}, {b.data(), 1, size});
        };
        EXPECT_TRUE(same_values(data.out, expected.out)) << "dim " << dim << ", " << samples << " samples";
        EXPECT_TRUE(same_values(data.more_out, expected.more_out)) << "dim " << dim << ", " << samples << " samples";
        EXPECT_TRUE(same_values(data.table, expected.table)) << "dim " << dim << ", " << samples << " samples";
      }
    }
  }
}

// One check for each row of the kernel list, by its name.
namespace check {

void window_transpose_f32(Kernel<WindowTransposeArgs>* f, Kernel<WindowTransposeArgs>* r) { check_word_vectors(f, r); }
void dot_pairs_f32(Kernel<DotPairsArgs>* f, Kernel<DotPairsArgs>* r) { check_word_vectors(f, r); }
void dot_tile_f32(Kernel<DotTileArgs>* f, Kernel<DotTileArgs>* r) { check_word_vectors(f, r); }
void coefficient_tile_f32(Kernel<CoefficientTileArgs>* f, Kernel<CoefficientTileArgs>* r) { check_word_vectors(f, r); }
void add_scaled_rows_f32(Kernel<AddScaledRowsArgs>* f, Kernel<AddScaledRowsArgs>* r) { check_word_vectors(f, r); }

void window_mean_f32_i32(Kernel<WindowMeanArgs>* f, Kernel<WindowMeanArgs>* r) {
  check_word_vectors(f, r);
  // Ids are not prefetched past the last.
  WordVectorData data(16, 40, 8, 21);
  const PageEnd<std::int32_t> ids(data.ids);
  WindowMeanArgs args;
  data.make(args);
  args.ids = ids.data() + WordVectorData::kWindow;
  f(args);
}

void sample_coefficients_f32_i32(Kernel<CoefficientsArgs>* f, Kernel<CoefficientsArgs>* r) {
  check_word_vectors(f, r);
  // The sigmoid is one, where it is computed and where it is constant.
  WordVectorData data(16, 16, 8, 22);
  CoefficientsArgs args;
  data.make(args);
  for (int step = -400; step <= 400; ++step) {
    const float x = static_cast<float>(step) / 16;
    std::ranges::fill(data.target_scores, x);
    std::ranges::fill(data.scores, -x);
    data.target_ids.fill(kRows);
    args.alpha = 1;
    args.sample_alpha = 1;
    f(args);
    EXPECT_NEAR(args.target_out[5], 1 / (1 + std::exp(static_cast<double>(x))), 2e-7) << "x " << x;
    EXPECT_EQ(args.out[7 * kGroup + 5], -args.target_out[5]) << "x " << x;
    EXPECT_GT(args.target_out[5], 0);
    EXPECT_LE(args.target_out[5], 1);
  }
}

}  // namespace check

ROWMILL_WORD_VECTORS_KERNELS(ROWMILL_TEST_KERNEL)

}  // namespace
}  // namespace rowmill::test
