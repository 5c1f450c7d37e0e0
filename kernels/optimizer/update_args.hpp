// SPDX-License-Identifier: Apache-2.0
// What every optimizer's update has.
#pragma once

#include <cstdint>

#include "kernels/core/kernel.hpp"
#include "kernels/plan/segment_args.hpp"
#include "rowmill/weight_decay.hpp"

namespace rowmill {

/// What every optimizer's update has.
struct UpdateArgs {
  SegmentArgs segments;
  GradientArgs gradients;
  PrefetchArgs prefetch;
  float* scratch;  ///< 2 * dim floats: a gradient; and a row of weights, of the scalar reference alone
  void* weights;   ///< of the kernel's format
  std::int64_t stride;
  WeightDecay decay = WeightDecay::none;
  float decay_factor = 0;  ///< l2: weight_decay; decoupled: 1 - lr * weight_decay
};

}  // namespace rowmill
