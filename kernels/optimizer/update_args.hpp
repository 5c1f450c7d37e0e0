// SPDX-License-Identifier: Apache-2.0
// What every optimizer's update has.
#pragma once

#include <cstdint>

#include "kernels/core/kernel.hpp"
#include "kernels/optimizer/storage_args.hpp"
#include "kernels/plan/segment_args.hpp"
#include "rowmill/weight_decay.hpp"

namespace rowmill {

/// What every optimizer's update has.
struct UpdateArgs {
  SegmentArgs segments;
  GradientArgs gradients;
  PrefetchArgs prefetch;
  float* scratch;  ///< kUpdateScratchRows * dim floats: a gradient, a row of weights, and one of each state
  void* weights;   ///< of the kernel's format
  std::int64_t stride;
  WeightDecay decay = WeightDecay::none;
  float decay_factor = 0;  ///< l2: weight_decay; decoupled: 1 - lr * weight_decay
  /// For the kernels of any format alone, which take the weights from here, and each state that has a value for each
  /// weight.
  const StorageArgs* storage = nullptr;
};

inline constexpr std::int64_t kUpdateScratchRows = 4;

}  // namespace rowmill
