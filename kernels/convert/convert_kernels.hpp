// SPDX-License-Identifier: Apache-2.0
// Leaf kernels of convert.
#pragma once

#include <cstdint>

#include "kernels/core/kernel.hpp"

namespace rowmill {

/// out[r, :] = in[r, :], quantised. Its values must be finite, and so must its scale and bias be.
struct QuantizeArgs {
  const float* in;
  std::int64_t in_stride;
  std::uint8_t* out;
  std::int64_t out_stride;
  std::int64_t rows;
  std::int64_t dim;  ///< at least 1
};

/// low[r] and high[r] = the smallest and the largest of in[r, :]; both NaN if one is NaN or infinite.
struct RowRangesArgs {
  const float* in;
  std::int64_t in_stride;
  std::int64_t rows;
  std::int64_t dim;  ///< at least 1
  float* low;
  float* high;
};

#define ROWMILL_CONVERT_KERNELS(X)              \
  X(quantize_f32_to_int8, Kernel<QuantizeArgs>) \
  X(quantize_f32_to_int4, Kernel<QuantizeArgs>) \
  X(quantize_f32_to_int2, Kernel<QuantizeArgs>) \
  X(row_ranges_f32, Kernel<RowRangesArgs>)

}  // namespace rowmill

#ifdef ROWMILL_ISA
namespace rowmill::ROWMILL_ISA {
ROWMILL_CONVERT_KERNELS(ROWMILL_DECLARE_KERNEL)
}  // namespace rowmill::ROWMILL_ISA
#endif
