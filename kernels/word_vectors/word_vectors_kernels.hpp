// SPDX-License-Identifier: Apache-2.0
// Leaf kernels of word vectors: what docs/numerics.md, "Word vectors", computes for a tile of positions.
//
// Here `dim` is a multiple of 16, and the columns past a vector's own are zeros: so no loop has a tail. A group has 16
// positions. If it has fewer, the other pointers lead to a row of zeros where they are read, and to a row that nobody
// reads where they are written. A dot product is that of docs/numerics.md: 16 lanes, then a balanced tree.
#pragma once

#include <cstdint>

#include "kernels/core/kernel.hpp"

namespace rowmill {

inline constexpr std::int64_t kGroup = 16;

/// out[i, :] = 1 / (left[i] + right[i]) * (the sum of table[ids[j], :] for j in i - left[i] .. i + right[i] but i),
/// from +0 in the order of j; +0 for an empty window.
struct WindowMeanArgs {
  const float* table;
  std::int64_t table_stride;
  const std::int32_t* ids;    ///< of position 0; of each window's positions too
  std::int64_t ids_end;       ///< ids before this one may be prefetched
  const std::int32_t* left;   ///< 0 .. window
  const std::int32_t* right;  ///< 0 .. window
  std::int64_t count;
  std::int64_t window;
  const float* zeros;  ///< a row
  float* out;          ///< rows one after another
  std::int64_t dim;
};

/// The transpose of the windows: out[window + j, :] = the sum of in[i, :] for all i but j with
/// i - left[i] <= j <= i + right[i], from +0 in the order of i; for j in -window .. count + window - 1. `in` may be
/// out + 2 * window * dim: no row of `in` is read after it was overwritten.
struct WindowTransposeArgs {
  const float* in;            ///< rows one after another
  const std::int32_t* left;   ///< zeros for i in -2 window .. -1, and for count .. count + 2 window - 1
  const std::int32_t* right;  ///< as left
  std::int64_t count;
  std::int64_t window;
  const float* zeros;  ///< a row
  float* out;          ///< rows one after another
  std::int64_t dim;
};

/// out[i] = a[i] . b[i], for a group
struct DotPairsArgs {
  const float* const* a;
  const float* const* b;
  float* out;
  std::int64_t dim;
};

/// out[k, i] = samples[k] . rows[i], for a group
struct DotTileArgs {
  const float* const* rows;
  const float* const* samples;
  std::int64_t sample_count;  ///< a multiple of 8
  const float* const* next;   ///< rows that are prefetched, from the caches further away
  std::int64_t next_count;
  float* out;
  std::int64_t dim;
};

/// The derivatives of the loss by the scores, for a group, times the learning rate:
///
///     target_out[i] = alpha * sigmoid(-target_scores[i])               # +0 if targets[i] < 0
///     out[k, i] = -(sample_alpha * sigmoid(scores[k, i]))              # +0 if targets[i] < 0 or samples[k] =
///     targets[i]
struct CoefficientsArgs {
  const float* target_scores;
  const float* scores;
  const std::int32_t* targets;
  const std::int32_t* samples;
  std::int64_t sample_count;
  float alpha;
  float sample_alpha;
  float* target_out;
  float* out;
};

/// gradients[i, :] = target_coefficients[i] * targets[i, :] + (the sum of coefficients[k, i] * samples[k, :], added in
/// the order of k); sample_gradients[k, :] = the sum of coefficients[k, i] * rows[i, :], from +0 in the order of i.
struct CoefficientTileArgs {
  const float* const* rows;
  const float* const* targets;
  const float* target_coefficients;
  const float* const* samples;
  std::int64_t sample_count;  ///< a multiple of 8
  const float* coefficients;
  float* const* gradients;
  float* sample_gradients;  ///< rows one after another
  std::int64_t dim;
};

/// An update of a row: scale * values[:] is added to it.
struct ScaledRow {
  const float* values;
  std::int32_t row;
  float scale;
};

/// for e in order: table[entries[e].row, :] += entries[e].scale * entries[e].values[:]
struct AddScaledRowsArgs {
  float* table;
  std::int64_t table_stride;
  const ScaledRow* entries;
  std::int64_t count;
  std::int64_t dim;
};

#define ROWMILL_WORD_VECTORS_KERNELS(X)                    \
  X(window_mean_f32_i32, Kernel<WindowMeanArgs>)           \
  X(window_transpose_f32, Kernel<WindowTransposeArgs>)     \
  X(dot_pairs_f32, Kernel<DotPairsArgs>)                   \
  X(dot_tile_f32, Kernel<DotTileArgs>)                     \
  X(sample_coefficients_f32_i32, Kernel<CoefficientsArgs>) \
  X(coefficient_tile_f32, Kernel<CoefficientTileArgs>)     \
  X(add_scaled_rows_f32, Kernel<AddScaledRowsArgs>)

}  // namespace rowmill

#ifdef ROWMILL_ISA
namespace rowmill::ROWMILL_ISA {
ROWMILL_WORD_VECTORS_KERNELS(ROWMILL_DECLARE_KERNEL)
}  // namespace rowmill::ROWMILL_ISA
#endif
