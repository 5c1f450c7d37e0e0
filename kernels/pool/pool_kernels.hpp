// SPDX-License-Identifier: Apache-2.0
// Leaf kernels of pool, and of its gradient.
//
// A kernel whose name ends with an id type (pool_f32_i32) takes ids that are rows of the table. The others take what
// resolve_in_bag gives (kernels/ids/resolve.hpp), in 64 bits: kDropped is left out, kZeroRow is a row of +0.
#pragma once

#include <cstdint>

#include "kernels/core/kernel.hpp"
#include "kernels/core/prefetch.hpp"
#include "rowmill/format.hpp"

namespace rowmill {

/// out[b, :] = sum of weights[i] * row ids[i] over i from begin[b] to begin[b+1]-1, in that order, starting from the
/// first term, over divisors[b]; or the largest of these terms. A bag without terms is +0, and so is one whose divisor
/// is 0. Arithmetic is float32, and rounded once, at the store.
template <class Id>
struct PoolArgs {
  const void* table;  ///< as for GatherArgs
  std::int64_t table_stride;
  const Id* ids;
  /// Null: the rows are the terms. Of float16 and quantised rows, only pool_with_zeros reads them.
  const float* weights;
  const std::int64_t* begin;
  std::int64_t bags;
  const float* divisors;  ///< null: none, as for a maximum; of a bag without terms 0
  void* out;
  std::int64_t out_stride;
  std::int64_t dim;
  PrefetchArgs prefetch;
  Format to = Format::f32;     ///< of `out`: f32, bf16 or f16
  std::int64_t later_ids = 0;  ///< how many follow those of the bags: their rows may be prefetched, for the next call
  /// Sums prefetch a row's lines after its first one from a row so much nearer, 0 .. prefetch.ahead.
  std::int64_t rest_nearer = 0;
};

/// winners[b, c] = which id of bag b, counted from its first, has the largest term in column c; -1 if there is none, or
/// if it is a row of +0.
struct FindWinnersArgs {
  const void* table;
  std::int64_t table_stride;
  const std::int64_t* ids;
  const float* weights;
  const std::int64_t* begin;
  std::int64_t bags;
  std::int32_t* winners;  ///< bags x dim
  std::int64_t dim;
  PrefetchArgs prefetch;
};

/// out[i] = the sum across columns of gradient[b, c] * row ids[i], for the ids of each bag b; +0 for what is left out.
/// With winners only in columns where id i won: others count as +0.
struct PoolDotsArgs {
  const void* table;
  std::int64_t table_stride;
  const std::int64_t* ids;
  const std::int64_t* begin;
  std::int64_t bags;
  const float* gradient;
  std::int64_t gradient_stride;
  const std::int32_t* winners;  ///< bags x dim, or null
  float* out;
  std::int64_t dim;
  PrefetchArgs prefetch;
};

#define ROWMILL_POOL_KERNELS(X)                           \
  X(pool_f32_i32, Kernel<PoolArgs<std::int32_t>>)         \
  X(pool_f32_i64, Kernel<PoolArgs<std::int64_t>>)         \
  X(pool_bf16_i32, Kernel<PoolArgs<std::int32_t>>)        \
  X(pool_bf16_i64, Kernel<PoolArgs<std::int64_t>>)        \
  X(pool_f16_i32, Kernel<PoolArgs<std::int32_t>>)         \
  X(pool_f16_i64, Kernel<PoolArgs<std::int64_t>>)         \
  X(pool_int8_i32, Kernel<PoolArgs<std::int32_t>>)        \
  X(pool_int8_i64, Kernel<PoolArgs<std::int64_t>>)        \
  X(pool_int4_i32, Kernel<PoolArgs<std::int32_t>>)        \
  X(pool_int4_i64, Kernel<PoolArgs<std::int64_t>>)        \
  X(pool_int2_i32, Kernel<PoolArgs<std::int32_t>>)        \
  X(pool_int2_i64, Kernel<PoolArgs<std::int64_t>>)        \
  X(pool_with_zeros_f32, Kernel<PoolArgs<std::int64_t>>)  \
  X(pool_with_zeros_bf16, Kernel<PoolArgs<std::int64_t>>) \
  X(pool_with_zeros_f16, Kernel<PoolArgs<std::int64_t>>)  \
  X(pool_with_zeros_int8, Kernel<PoolArgs<std::int64_t>>) \
  X(pool_with_zeros_int4, Kernel<PoolArgs<std::int64_t>>) \
  X(pool_with_zeros_int2, Kernel<PoolArgs<std::int64_t>>) \
  X(pool_max_f32, Kernel<PoolArgs<std::int64_t>>)         \
  X(pool_max_bf16, Kernel<PoolArgs<std::int64_t>>)        \
  X(pool_max_f16, Kernel<PoolArgs<std::int64_t>>)         \
  X(pool_max_int8, Kernel<PoolArgs<std::int64_t>>)        \
  X(pool_max_int4, Kernel<PoolArgs<std::int64_t>>)        \
  X(pool_max_int2, Kernel<PoolArgs<std::int64_t>>)        \
  X(find_winners_f32, Kernel<FindWinnersArgs>)            \
  X(find_winners_bf16, Kernel<FindWinnersArgs>)           \
  X(find_winners_f16, Kernel<FindWinnersArgs>)            \
  X(pool_dots_f32, Kernel<PoolDotsArgs>)                  \
  X(pool_dots_bf16, Kernel<PoolDotsArgs>)                 \
  X(pool_dots_f16, Kernel<PoolDotsArgs>)

}  // namespace rowmill

#ifdef ROWMILL_ISA
namespace rowmill::ROWMILL_ISA {
ROWMILL_POOL_KERNELS(ROWMILL_DECLARE_KERNEL)
}  // namespace rowmill::ROWMILL_ISA
#endif
