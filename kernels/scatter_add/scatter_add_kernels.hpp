// SPDX-License-Identifier: Apache-2.0
// Leaf kernels of scatter_add.
#pragma once

#include <cstdint>

#include "kernels/core/kernel.hpp"
#include "kernels/plan/segment_args.hpp"
#include "rowmill/format.hpp"

namespace rowmill {

/// for k in order: table[rows[k], :] += values[k, :], rounded to the table's format each time; negative rows are
/// skipped
struct ScatterAddArgs {
  void* table;
  std::int64_t table_stride;
  const std::int64_t* rows;
  std::int64_t count;
  const void* values;
  std::int64_t values_stride;
  std::int64_t dim;
  PrefetchArgs prefetch;
  Format format = Format::f32;  ///< of the table and of the values, for the kernel of any: f32, bf16 or f16
  Format values_format = Format::f32;
};

/// for each segment: table[row, :] = ((table[row, :] + its first contribution) + its second) + ..., in order. Of the
/// values, `block` and `mean_squares` are not used.
struct ScatterAddSegmentsArgs {
  SegmentArgs segments;
  GradientArgs values;
  PrefetchArgs prefetch;
  void* table;
  std::int64_t table_stride;
};

// The kernels of a format take values of float32; scatter_add_any all others.
#define ROWMILL_SCATTER_ADD_KERNELS(X)                         \
  X(scatter_add_f32, Kernel<ScatterAddArgs>)                   \
  X(scatter_add_bf16, Kernel<ScatterAddArgs>)                  \
  X(scatter_add_any, Kernel<ScatterAddArgs>)                   \
  X(scatter_add_segments_f32, Kernel<ScatterAddSegmentsArgs>)  \
  X(scatter_add_segments_bf16, Kernel<ScatterAddSegmentsArgs>) \
  X(scatter_add_segments_f16, Kernel<ScatterAddSegmentsArgs>)

}  // namespace rowmill

#ifdef ROWMILL_ISA
namespace rowmill::ROWMILL_ISA {
ROWMILL_SCATTER_ADD_KERNELS(ROWMILL_DECLARE_KERNEL)
}  // namespace rowmill::ROWMILL_ISA
#endif
