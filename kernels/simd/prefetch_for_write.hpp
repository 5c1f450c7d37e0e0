// SPDX-License-Identifier: Apache-2.0
// Prefetching rows that are going to be written. Included by *.isa.cpp files only.
#pragma once

#include <cstdint>

namespace rowmill::ROWMILL_ISA {
namespace {

/// Prefetches the first `bytes` at p into the first cache in exclusive state: a store then does not wait until other
/// cores have given them up.
[[gnu::always_inline]] inline void prefetch_for_write(const void* p, std::int64_t bytes) {
  constexpr std::int64_t kLine = 64;
  const char* const begin = static_cast<const char*>(p);
  for (std::int64_t b = 0; b < bytes; b += kLine) {
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(begin[b]));
#elif defined(__aarch64__)
    __asm__ volatile("prfm pstl1keep, %0" : : "Q"(begin[b]));
#endif
  }
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
