// SPDX-License-Identifier: Apache-2.0
// The segments of a plan, as leaf kernels take them.
#pragma once

#include <cstdint>

#include "kernels/core/cache_level.hpp"

namespace rowmill {

/// The gradient rows of one backward pass: row p - (the previous pass's end) of `data`, for positions p below `end`.
struct GradientPass {
  const float* data;
  std::int64_t stride;
  std::int64_t end;
};

/// A row's gradient is summed in blocks of so many contributions; the block sums are then added in order.
inline constexpr std::int64_t kSumBlock = 1024;

/// Segments of a plan with their gradients: segment s touches rows[s] by positions[begin[s]] ..
/// positions[begin[s+1]-1]. Its gradient is the sum of its contributions in order, in blocks of `block`, block sums
/// then added in order.
struct SegmentArgs {
  const std::int64_t* rows;
  const std::int64_t* begin;
  const std::int64_t* positions;
  std::int64_t count;
  std::int64_t block;
  const GradientPass* passes;
  std::int64_t pass_count;
  std::int64_t dim;
  CacheLevel prefetch_into;
  bool near_gradients;        ///< not to be prefetched where rows are prefetched into the second level: they are nearer
  float* scratch;             ///< 2 * dim floats: a gradient; and a row of weights, of the scalar reference alone
  const float* mean_squares;  ///< of each gradient row, for row-wise optimizers without l2; null: not known
};

}  // namespace rowmill
