// SPDX-License-Identifier: Apache-2.0
// Prefetching of rows: how much, how far ahead, and into which cache. For kernels/simd.hpp alone.
//
// The level is an ordinary argument. Where it is a constant, the compiler drops the branch; where it is known at run
// time only, the branch is foreseen, and costs nothing that was measured beside the loads of a row.
#pragma once

#include <cstdint>

#include "kernels/core/cache_level.hpp"

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

/// Prefetches the first `bytes` at p. Written out four lines at a time: fewer instructions and branches for each row.
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

/// Prefetches the line in which column c of a row lies, where c begins a vector: once for each line.
template <class Value>
[[gnu::always_inline]] inline void prefetch_column(const Value* row, std::int64_t c, CacheLevel into) {
  constexpr std::int64_t kLineColumns = kCacheLine / std::int64_t{sizeof(Value)};
  if (kLanes == kLineColumns || c % kLineColumns == 0) prefetch_line(reinterpret_cast<const char*>(row + c), into);
}

/// How many rows ahead to prefetch, `max` where they are short: enough to cover a miss. Measured:
/// docs/design/performance.md.
constexpr std::int64_t prefetch_distance(std::int64_t row_bytes, std::int64_t max) {
  constexpr std::int64_t kBytes = 8192;
  constexpr std::int64_t kMaxBytes = 32768;  // of the first-level cache
  constexpr std::int64_t kMin = 8;
  std::int64_t rows = kBytes / row_bytes;
  rows = rows < kMin ? kMin : rows > max ? max : rows;
  const std::int64_t fitting = kMaxBytes / row_bytes;
  return fitting < 1 ? 1 : rows > fitting ? fitting : rows;
}

/// For reading rows, for updating them and what belongs to them, and for summing the many gradients of one row, which
/// are mostly contiguous.
constexpr std::int64_t read_distance(std::int64_t row_bytes) { return prefetch_distance(row_bytes, 32); }
constexpr std::int64_t update_distance(std::int64_t row_bytes, CacheLevel into) {
  return prefetch_distance(row_bytes, into == CacheLevel::first ? 16 : 32);
}
constexpr std::int64_t sum_distance(std::int64_t row_bytes) { return prefetch_distance(row_bytes, 16); }

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
