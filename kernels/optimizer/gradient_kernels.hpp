// SPDX-License-Identifier: Apache-2.0
// Leaf kernels that sum and square gradients before an update.
#pragma once

#include <cstdint>

#include "kernels/core/kernel.hpp"
#include "kernels/plan/segment_args.hpp"

namespace rowmill {

/// out = the sum of the gradient rows positions[0 .. count-1], in order, starting from the first, whatever
/// `gradients.block` says. count >= 1.
struct SumBlockArgs {
  const std::int64_t* positions;
  std::int64_t count;
  GradientArgs gradients;
  PrefetchArgs prefetch;
  float* out;
};

/// out[p] = sum(g * g) / dim of gradient row p, for p in begin .. end-1: sums across columns as in docs/numerics.md
struct MeanSquaresArgs {
  GradientArgs gradients;
  std::int64_t begin;
  std::int64_t end;
  float* out;
};

#define ROWMILL_GRADIENT_KERNELS(X)      \
  X(sum_block_f32, Kernel<SumBlockArgs>) \
  X(mean_squares_f32, Kernel<MeanSquaresArgs>)

}  // namespace rowmill

#ifdef ROWMILL_ISA
namespace rowmill::ROWMILL_ISA {
ROWMILL_GRADIENT_KERNELS(ROWMILL_DECLARE_KERNEL)
}  // namespace rowmill::ROWMILL_ISA
#endif
