// SPDX-License-Identifier: Apache-2.0
// Prefetching rows into the first or the second cache. For kernels/simd.hpp alone.
//
// The level is an ordinary argument. If it is a constant, the compiler drops the branch. If not, the branch is
// predicted, and its cost could not be measured beside the loads of a row.
#pragma once

#include <cstdint>

#include "kernels/core/prefetch.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

inline constexpr std::int64_t kCacheLine = 64;

/// Calls f.operator()<level>(): the loops of f are compiled once for each level, without a branch on it.
template <class F>
[[gnu::always_inline]] inline void with_level(CacheLevel level, F f) {
  if (level == CacheLevel::first) {
    f.template operator()<CacheLevel::first>();
  } else {
    f.template operator()<CacheLevel::second>();
  }
}

/// Prefetches the first `bytes` at p. Unrolled by four cache lines, for fewer instructions and branches.
template <CacheLevel kInto>
[[gnu::always_inline]] inline void prefetch(const void* p, std::int64_t bytes) {
  const char* const begin = static_cast<const char*>(p);
  std::int64_t b = 0;
  for (; b + 4 * kCacheLine <= bytes; b += 4 * kCacheLine) {
    prefetch_line(begin + b, kInto);
    prefetch_line(begin + b + kCacheLine, kInto);
    prefetch_line(begin + b + 2 * kCacheLine, kInto);
    prefetch_line(begin + b + 3 * kCacheLine, kInto);
  }
  for (; b < bytes; b += kCacheLine) prefetch_line(begin + b, kInto);
}
[[gnu::always_inline]] inline void prefetch(const void* p, std::int64_t bytes, CacheLevel into) {
  with_level(
      into, [=]<CacheLevel kInto>() __attribute__((always_inline)) { prefetch<kInto>(p, bytes); });
}

/// For each c that begins a vector of a row: prefetches the cache line of column c, each line once.
template <class Value>
[[gnu::always_inline]] inline void prefetch_column(const Value* row, std::int64_t c, CacheLevel into) {
  constexpr std::int64_t kLineColumns = kCacheLine / std::int64_t{sizeof(Value)};
  if (kLanes == kLineColumns || c % kLineColumns == 0) prefetch_line(reinterpret_cast<const char*>(row + c), into);
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
