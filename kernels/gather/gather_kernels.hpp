// SPDX-License-Identifier: Apache-2.0
// Leaf kernels of gather.
#pragma once

#include <cstdint>

#include "kernels/core/kernel.hpp"
#include "kernels/core/prefetch.hpp"
#include "rowmill/format.hpp"

namespace rowmill {

/// out[i, :] = ids[i] < 0 ? 0 : table[ids[i], :]
template <class Id>
struct GatherArgs {
  const void* table;  ///< has the format of the kernel's name; strides are in elements
  std::int64_t table_stride;
  const Id* ids;
  std::int64_t count;
  void* out;
  std::int64_t out_stride;
  std::int64_t dim;
  PrefetchArgs prefetch;
  bool streaming;  ///< needs out, its rows and its stride to be multiples of 64 bytes, and no narrowing to 16 bits
  Format to = Format::f32;     ///< of `out`: f32, bf16 or f16. Kernels that copy do not use it
  std::int64_t later_ids = 0;  ///< how many ids follow in the array: their rows may be prefetched for the next call
};

// Within one format rows are copied; bf16 and f16 share a kernel. Between formats they are converted.
#define ROWMILL_GATHER_KERNELS(X)                             \
  X(gather_f32_i32, Kernel<GatherArgs<std::int32_t>>)         \
  X(gather_f32_i64, Kernel<GatherArgs<std::int64_t>>)         \
  X(gather_16bit_i32, Kernel<GatherArgs<std::int32_t>>)       \
  X(gather_16bit_i64, Kernel<GatherArgs<std::int64_t>>)       \
  X(gather_f32_to_any_i32, Kernel<GatherArgs<std::int32_t>>)  \
  X(gather_f32_to_any_i64, Kernel<GatherArgs<std::int64_t>>)  \
  X(gather_bf16_to_any_i32, Kernel<GatherArgs<std::int32_t>>) \
  X(gather_bf16_to_any_i64, Kernel<GatherArgs<std::int64_t>>) \
  X(gather_f16_to_any_i32, Kernel<GatherArgs<std::int32_t>>)  \
  X(gather_f16_to_any_i64, Kernel<GatherArgs<std::int64_t>>)  \
  X(gather_int8_to_any_i32, Kernel<GatherArgs<std::int32_t>>) \
  X(gather_int8_to_any_i64, Kernel<GatherArgs<std::int64_t>>) \
  X(gather_int4_to_any_i32, Kernel<GatherArgs<std::int32_t>>) \
  X(gather_int4_to_any_i64, Kernel<GatherArgs<std::int64_t>>) \
  X(gather_int2_to_any_i32, Kernel<GatherArgs<std::int32_t>>) \
  X(gather_int2_to_any_i64, Kernel<GatherArgs<std::int64_t>>)

}  // namespace rowmill

#ifdef ROWMILL_ISA
namespace rowmill::ROWMILL_ISA {
ROWMILL_GATHER_KERNELS(ROWMILL_DECLARE_KERNEL)
}  // namespace rowmill::ROWMILL_ISA
#endif
