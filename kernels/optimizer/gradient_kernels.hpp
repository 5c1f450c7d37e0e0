// SPDX-License-Identifier: Apache-2.0
// Leaf kernels that sum, square, clip and scale gradients before an update.
#pragma once

#include <cstdint>

#include "kernels/core/kernel.hpp"
#include "kernels/plan/segment_args.hpp"

namespace rowmill {

/// out = the sum of `count` contributions in order, starting from the first, whatever `gradients.block` says.
/// count >= 1. They are those of a segment: see SegmentArgs.
struct SumBlockArgs {
  const std::int64_t* positions;
  std::int64_t count;
  GradientArgs gradients;
  PrefetchArgs prefetch;
  float* out;
  const float* coefficients = nullptr;
  const std::int32_t* bag_positions = nullptr;
};

/// for each segment s: out[segments.rows[s], :] = the sum of its contributions
struct SumSegmentsArgs {
  SegmentArgs segments;
  GradientArgs gradients;
  PrefetchArgs prefetch;
  float* out;
  std::int64_t stride;
};

/// What GradientOptions do to rows of finished sums, each by itself, in this order. For k in begin .. end-1, with g the
/// row rows[k] of `data`, or k if `rows` is null:
///
///     g = g / divisors[k]                          if there are divisors
///     finite = finite and all of g are finite
///     g = clip_value where g > clip_value, -clip_value where g < -clip_value
///     norm = sqrt(sum(g * g));  g = g * (clip_norm / norm) where norm > clip_norm
///     squares[k] = sum(g * g)                      sums across columns as in docs/numerics.md
struct GuardRowsArgs {
  float* data;
  std::int64_t stride;
  const std::int64_t* rows;
  std::int64_t begin;
  std::int64_t end;
  std::int64_t dim;
  const float* divisors;
  float clip_value;  ///< infinity: not clipped
  float clip_norm;   ///< infinity: not clipped
  float* squares;
  bool* finite;  ///< set to false, or left as it is
};

/// rows[k] of `data`, or k if `rows` is null, times `factor`, for k in begin .. end-1.
struct ScaleRowsArgs {
  float* data;
  std::int64_t stride;
  const std::int64_t* rows;
  std::int64_t begin;
  std::int64_t end;
  std::int64_t dim;
  float factor;
};

/// out[p] = sum(g * g) / dim of g = factors[p] * gradient row p, for p in begin .. end-1: sums across columns as in
/// docs/numerics.md
struct MeanSquaresArgs {
  GradientArgs gradients;
  std::int64_t begin;
  std::int64_t end;
  float* out;
  const float* factors = nullptr;  ///< null: all are 1
};

#define ROWMILL_GRADIENT_KERNELS(X)            \
  X(sum_block_f32, Kernel<SumBlockArgs>)       \
  X(sum_segments_f32, Kernel<SumSegmentsArgs>) \
  X(mean_squares_f32, Kernel<MeanSquaresArgs>) \
  X(guard_rows_f32, Kernel<GuardRowsArgs>)     \
  X(scale_rows_f32, Kernel<ScaleRowsArgs>)

}  // namespace rowmill

#ifdef ROWMILL_ISA
namespace rowmill::ROWMILL_ISA {
ROWMILL_GRADIENT_KERNELS(ROWMILL_DECLARE_KERNEL)
}  // namespace rowmill::ROWMILL_ISA
#endif
