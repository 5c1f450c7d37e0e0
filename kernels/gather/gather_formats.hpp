// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/core/dispatch.hpp"
#include "rowmill/format.hpp"

namespace rowmill {

/// For ids of either width.
struct GatherKernels {
  Kernel<GatherArgs<std::int32_t>>* i32;
  Kernel<GatherArgs<std::int64_t>>* i64;
};

/// The kernels that gather from a lookup format into f32, bf16 or f16; they are told which in GatherArgs::to.
GatherKernels gather_kernels(Format from, Format to);

}  // namespace rowmill
