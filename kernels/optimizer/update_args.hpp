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
  void* weights;  ///< of the kernel's format
  std::int64_t stride;
  WeightDecay decay;
  float decay_factor;  ///< l2: weight_decay; decoupled: 1 - lr * weight_decay
};

}  // namespace rowmill
