// SPDX-License-Identifier: Apache-2.0
#include "kernels/core/prefetch_level.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "kernels/core/tuning.hpp"

namespace rowmill {
namespace {

struct Processor {
  CacheLevel far = CacheLevel::second;  // for what lies beyond the caches
  bool updates_near = true;             // whether updates of near tables go into the first level
};

/// A first-level cache that waits for few misses at a time keeps the loads behind its prefetches waiting; a second
/// level waits for many. Measured: the second level is better on AMD's family 25 (Zen 4), for near updates too, and on
/// Intel's Sapphire and Emerald Rapids; the first on AMD's family 26 (Zen 5).
Processor find_processor() {
  Processor found;
#if defined(__x86_64__)
  constexpr unsigned kZen4Family = 25;
  constexpr unsigned kZen5Family = 26;
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  if (__get_cpuid(0, &eax, &ebx, &ecx, &edx) != 0 && ebx == signature_AMD_ebx &&
      __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0) {
    const unsigned family = (eax >> 8 & 0xF) + (eax >> 20 & 0xFF);  // the base and, on AMD since 2003, the extended one
    if (family >= kZen5Family) found.far = CacheLevel::first;
    if (family <= kZen4Family) found.updates_near = false;
  }
#endif
  return found;
}

const Processor& processor() {
  static const Processor known = find_processor();
  return known;
}

/// Elements that a view spans. As checks.cpp bounds it: any view may have any stride, if it has one row.
std::int64_t elements_of(const ConstTableView& table) {
  return table.rows() == 0 ? 0 : (table.rows() - 1) * table.row_stride() + table.dim();
}

}  // namespace

CacheLevel prefetch_level() { return tuning().prefetch_level.value_or(processor().far); }

CacheLevel prefetch_level(const ConstTableView& table) {
  const std::int64_t bytes = elements_of(table) * element_size(table.format());
  return bytes <= tuning().near_table_bytes ? CacheLevel::first : prefetch_level();
}

CacheLevel prefetch_level_of_update(std::int64_t bytes) {
  return processor().updates_near && bytes <= tuning().near_update_bytes ? CacheLevel::first : prefetch_level();
}

}  // namespace rowmill
