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

/// The kernels that gather from a format into another: f32 or bf16.
GatherKernels gather_kernels(Format from, Format to);

}  // namespace rowmill
