// SPDX-License-Identifier: Apache-2.0
// The segments of a plan and their gradients, as leaf kernels take them.
#pragma once

#include <cstdint>

#include "kernels/core/prefetch.hpp"
#include "rowmill/format.hpp"

namespace rowmill {

/// Segments of a plan: segment s touches rows[s] by positions[begin[s]] .. positions[begin[s+1]-1]. Contribution k is
/// coefficients[k] times the gradient row positions[k]; for max in the columns alone whose winner in that row is
/// bag_positions[k], and +0 in the others.
struct SegmentArgs {
  const std::int64_t* rows;
  const std::int64_t* begin;
  const std::int64_t* positions;
  std::int64_t count;
  const float* coefficients = nullptr;          ///< null: all are 1
  const std::int32_t* bag_positions = nullptr;  ///< for max alone
};

/// The gradient rows of one backward pass: row p - (the previous pass's end) of `data`, for positions p below `end`.
struct GradientPass {
  const void* data;
  std::int64_t stride;
  std::int64_t end;
  Format format = Format::f32;  ///< f32, bf16 or f16
};

/// Where to look for the pass of a position: it is one of first[b] .. first[b+1], where b is position >> shift. Not
/// used if there is one pass.
struct PassIndex {
  const std::int64_t* first;
  int shift;
};

/// A row's gradient is summed in blocks of so many contributions; the block sums are then added in order.
inline constexpr std::int64_t kSumBlock = 1024;

/// The gradients of segments. That of a segment is the sum of its contributions in order, in blocks of `block`, block
/// sums then added in order.
struct GradientArgs {
  const GradientPass* passes;
  std::int64_t pass_count;
  PassIndex index;
  std::int64_t dim;
  std::int64_t block;
  bool prefetched;            ///< not where they are nearer than the cache that rows are prefetched into
  const float* mean_squares;  ///< of each gradient row times its factor, for row-wise optimizers without l2; null: not
                              ///< known
  bool any_format = false;    ///< whether a pass is of 16 bits. Only sums take them, and updates of any format
  const std::int32_t* winners = nullptr;  ///< for max: dim of them for each gradient row. Updates do not take them
};

}  // namespace rowmill
