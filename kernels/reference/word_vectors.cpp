// SPDX-License-Identifier: Apache-2.0
// The scalar reference of word vectors' leaf kernels: kernels/word_vectors/word_vectors_kernels.hpp says what each is.
#include "kernels/reference/word_vectors.hpp"

#include "kernels/reference/lane_sum.hpp"
#include "kernels/word_vectors/sigmoid.hpp"
#include "kernels/word_vectors/word_vectors_kernels.hpp"

namespace rowmill::reference {

float dot(const float* a, const float* b, std::int64_t dim) {
  return lane_sum(dim, [=](std::int64_t c) { return a[c] * b[c]; });
}

float sigmoid(float x) {
  namespace fit = sigmoid_fit;
  float u = x * 0.5F;
  u = u < -fit::kMax ? -fit::kMax : u;
  u = u > fit::kMax ? fit::kMax : u;
  const float u2 = u * u;
  float p = fit::kP[4];
  float q = fit::kQ[4];
  for (int k = 3; k >= 0; --k) {
    p = p * u2 + fit::kP[k];
    q = q * u2 + fit::kQ[k];
  }
  return 0.5F + 0.5F * ((u * p) / q);
}

}  // namespace rowmill::reference

namespace rowmill::scalar {

using reference::dot;
using reference::sigmoid;

void window_mean_f32_i32(const WindowMeanArgs& a) {
  for (std::int64_t i = 0; i < a.count; ++i) {
    float* const out = a.out + i * a.dim;
    for (std::int64_t c = 0; c < a.dim; ++c) out[c] = 0;
    for (std::int64_t j = i - a.left[i]; j <= i + a.right[i]; ++j) {
      if (j == i) continue;
      for (std::int64_t c = 0; c < a.dim; ++c) out[c] += a.table[a.ids[j] * a.table_stride + c];
    }
    const std::int32_t words = a.left[i] + a.right[i];
    if (words == 0) continue;
    const float scale = 1.0F / static_cast<float>(words);
    for (std::int64_t c = 0; c < a.dim; ++c) out[c] *= scale;
  }
}

void window_transpose_f32(const WindowTransposeArgs& a) {
  for (std::int64_t j = -a.window; j < a.count + a.window; ++j) {
    for (std::int64_t c = 0; c < a.dim; ++c) {
      float sum = 0;
      for (std::int64_t i = 0; i < a.count; ++i) {
        if (i != j && j >= i - a.left[i] && j <= i + a.right[i]) sum += a.in[i * a.dim + c];
      }
      a.out[(a.window + j) * a.dim + c] = sum;
    }
  }
}

void dot_pairs_f32(const DotPairsArgs& a) {
  for (std::int64_t i = 0; i < kGroup; ++i) a.out[i] = dot(a.a[i], a.b[i], a.dim);
}

void dot_tile_f32(const DotTileArgs& a) {
  for (std::int64_t k = 0; k < a.sample_count; ++k) {
    for (std::int64_t i = 0; i < kGroup; ++i) a.out[k * kGroup + i] = dot(a.samples[k], a.rows[i], a.dim);
  }
}

void sample_coefficients_f32_i32(const CoefficientsArgs& a) {
  for (std::int64_t i = 0; i < kGroup; ++i) {
    a.target_out[i] = a.targets[i] < 0 ? 0.0F : a.alpha * sigmoid(-a.target_scores[i]);
    for (std::int64_t k = 0; k < a.sample_count; ++k) {
      const std::int64_t at = k * kGroup + i;
      const bool counts = a.targets[i] >= 0 && a.targets[i] != a.samples[k];
      a.out[at] = counts ? -(a.sample_alpha * sigmoid(a.scores[at])) : 0.0F;
    }
  }
}

void coefficient_tile_f32(const CoefficientTileArgs& a) {
  for (std::int64_t i = 0; i < kGroup; ++i) {
    for (std::int64_t c = 0; c < a.dim; ++c) {
      float sum = a.target_coefficients[i] * a.targets[i][c];
      for (std::int64_t k = 0; k < a.sample_count; ++k) sum += a.coefficients[k * kGroup + i] * a.samples[k][c];
      a.gradients[i][c] = sum;
    }
  }
  for (std::int64_t k = 0; k < a.sample_count; ++k) {
    for (std::int64_t c = 0; c < a.dim; ++c) {
      float sum = 0;
      for (std::int64_t i = 0; i < kGroup; ++i) sum += a.coefficients[k * kGroup + i] * a.rows[i][c];
      a.sample_gradients[k * a.dim + c] = sum;
    }
  }
}

void add_scaled_rows_f32(const AddScaledRowsArgs& a) {
  for (std::int64_t e = 0; e < a.count; ++e) {
    float* const row = a.table + a.entries[e].row * a.table_stride;
    for (std::int64_t c = 0; c < a.dim; ++c) row[c] += a.entries[e].scale * a.entries[e].values[c];
  }
}

}  // namespace rowmill::scalar
