// SPDX-License-Identifier: Apache-2.0
#include "kernels/core/prefetch_level.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "kernels/core/tuning.hpp"

namespace rowmill {
namespace {

/// A first-level cache that waits for few misses at a time keeps the loads behind its prefetches waiting; a second
/// level waits for many. Measured: the second level is better on AMD's family 25 (Zen 4) and on Intel's Sapphire and
/// Emerald Rapids, the first on AMD's family 26 (Zen 5).
CacheLevel level_of_processor() {
#if defined(__x86_64__)
  constexpr unsigned kZen5Family = 26;
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  if (__get_cpuid(0, &eax, &ebx, &ecx, &edx) != 0 && ebx == signature_AMD_ebx &&
      __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0) {
    const unsigned family = (eax >> 8 & 0xF) + (eax >> 20 & 0xFF);  // the base and, on AMD since 2003, the extended one
    if (family >= kZen5Family) return CacheLevel::first;
  }
#endif
  return CacheLevel::second;
}

}  // namespace

CacheLevel prefetch_level() {
  static const CacheLevel known = level_of_processor();
  return tuning().prefetch_level.value_or(known);
}

CacheLevel prefetch_level(const ConstTableView& table) {
  // As checks.cpp bounds it: any view may have any stride, if it has one row.
  const std::int64_t elements = table.rows() == 0 ? 0 : (table.rows() - 1) * table.row_stride() + table.dim();
  return elements * element_size(table.format()) <= tuning().near_table_bytes ? CacheLevel::first : prefetch_level();
}

}  // namespace rowmill
