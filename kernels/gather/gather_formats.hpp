// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/core/dispatch.hpp"
#include "rowmill/format.hpp"

namespace rowmill {

/// One operation's kernels for both widths of ids.
struct GatherKernels {
  Kernel<GatherArgs<std::int32_t>>* i32;
  Kernel<GatherArgs<std::int64_t>>* i64;
};

/// The kernels that gather rows of a lookup format into f32, bf16 or f16, which GatherArgs::to must name too.
GatherKernels gather_kernels(Format from, Format to);

}  // namespace rowmill
