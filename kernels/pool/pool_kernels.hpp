// SPDX-License-Identifier: Apache-2.0
// Leaf kernels of pool, and of its gradient.
#pragma once

#include <cstdint>

#include "kernels/core/kernel.hpp"
#include "kernels/core/prefetch.hpp"

namespace rowmill {

inline constexpr int kDroppedId = -1;

/// out[b, :] = sum of table[ids[i], :] over i from begin[b] to begin[b+1]-1, in that order, starting from the first;
/// kDroppedId is skipped and not counted, another negative id is a row of +0; divided by the count if `mean`; zero for
/// a bag without ids. Sums are float32, and rounded once, at the store.
template <class Id>
struct PoolArgs {
  const void* table;  ///< as for GatherArgs
  std::int64_t table_stride;
  const Id* ids;
  const std::int64_t* begin;
  std::int64_t bags;
  void* out;
  std::int64_t out_stride;
  std::int64_t dim;
  PrefetchArgs prefetch;
  bool mean;
};

/// out[r, :] = in[r, :] / divisors[r]; rows with divisor 0 become zero
struct DivideRowsArgs {
  const float* in;
  std::int64_t in_stride;
  const std::int64_t* divisors;
  std::int64_t rows;
  float* out;
  std::int64_t out_stride;
  std::int64_t dim;
};

#define ROWMILL_POOL_KERNELS(X)                           \
  X(pool_f32_i32, Kernel<PoolArgs<std::int32_t>>)         \
  X(pool_f32_i64, Kernel<PoolArgs<std::int64_t>>)         \
  X(pool_bf16_i32, Kernel<PoolArgs<std::int32_t>>)        \
  X(pool_bf16_i64, Kernel<PoolArgs<std::int64_t>>)        \
  X(pool_bf16_to_f32_i32, Kernel<PoolArgs<std::int32_t>>) \
  X(pool_bf16_to_f32_i64, Kernel<PoolArgs<std::int64_t>>) \
  X(divide_rows_f32, Kernel<DivideRowsArgs>)

}  // namespace rowmill

#ifdef ROWMILL_ISA
namespace rowmill::ROWMILL_ISA {
ROWMILL_POOL_KERNELS(ROWMILL_DECLARE_KERNEL)
}  // namespace rowmill::ROWMILL_ISA
#endif
