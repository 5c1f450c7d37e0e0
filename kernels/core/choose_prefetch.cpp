// SPDX-License-Identifier: Apache-2.0
#include "kernels/core/choose_prefetch.hpp"

#include <algorithm>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "kernels/core/checks.hpp"
#include "kernels/core/tuning.hpp"

namespace rowmill {
namespace {

constexpr std::int64_t kNearBytes = 8192;

struct Processor {
  CacheLevel far = CacheLevel::second;  // for what lies beyond the caches
  bool updates_near = true;             // whether updates of near tables go into the first level
  bool pools_near_doubled = false;      // whether pools of near tables prefetch twice as far ahead, as of far ones
  bool gathers_far_doubled = true;      // whether gathers from far tables do too
  bool pools_far_in_two = true;         // whether pools of far tables prefetch all lines but a row's first half as far
  std::int64_t far_bytes = 16384;       // of the rows that are on their way from far tables
};

/// A first-level cache that waits for few misses at a time keeps the loads behind its prefetches waiting; a second
/// level waits for many. Measured: the second level is better on AMD's family 25 (Zen 4), for near updates too, and on
/// Intel's Sapphire and Emerald Rapids; the first on AMD's family 26 (Zen 5). Half the distance in near pools gained on
/// Zen 4 and, by 3 to 9 %, on Emerald Rapids. Twice the distance in far tables gains 5 to 25 % on Emerald Rapids, where
/// rows have 128 columns or are gathered. There, rows of far tables of which only the first line is prefetched as far,
/// and the others half as far, are summed 3 to 10 % faster, if they have more than two lines.
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
    found.gathers_far_doubled = false;
    found.pools_far_in_two = false;
    found.far_bytes = kNearBytes;
    if (family >= kZen5Family) {
      found.far = CacheLevel::first;
      found.pools_near_doubled = true;
    }
    if (family <= kZen4Family) found.updates_near = false;
  }
#endif
  return found;
}

const Processor& processor() {
  static const Processor known = find_processor();
  return known;
}

/// Bytes that a view spans. As checks.cpp bounds it: any view may have any stride, if it has one row.
std::int64_t table_bytes(const ConstTableView& table) {
  if (table.rows() == 0) return 0;
  return (table.rows() - 1) * table.row_stride() * element_size(table.format()) + row_bytes(table);
}

bool is_near(const ConstTableView& table) { return table_bytes(table) <= tuning().near_table_bytes; }

/// How many rows ahead: enough to cover a miss, fewer where they are long. Measured: docs/design/measurements.md.
std::int64_t rows_ahead(std::int64_t row_bytes, bool near, std::int64_t max) {
  const std::int64_t bytes = near ? kNearBytes : processor().far_bytes;
  constexpr std::int64_t kMaxBytes = 32768;  // of the first-level cache
  constexpr std::int64_t kMin = 8;
  return std::clamp(bytes / row_bytes, std::min(kMin, kMaxBytes / row_bytes), max);
}

PrefetchArgs prefetch(CacheLevel into, std::int64_t ahead) {
  return {into, tuning().prefetch_ahead.value_or(std::max<std::int64_t>(ahead, 1))};
}

constexpr std::int64_t kMaxAhead = 32;

/// At least 1: a row may have no columns.
std::int64_t row_bytes_of(const ConstTableView& table) { return std::max<std::int64_t>(row_bytes(table), 1); }

}  // namespace

CacheLevel far_prefetch_level() { return tuning().prefetch_level.value_or(processor().far); }

PrefetchArgs prefetch_for_gather(const ConstTableView& table) {
  const bool near = is_near(table);
  const std::int64_t once = rows_ahead(row_bytes_of(table), near, kMaxAhead);
  return prefetch(near ? CacheLevel::first : far_prefetch_level(),
                  !near && processor().gathers_far_doubled ? 2 * once : once);
}

PrefetchArgs prefetch_for_pool(const ConstTableView& table) {
  constexpr std::int64_t kGroupBytes = 1024;  // of longer rows, a group of columns is summed at a time
  const bool near = is_near(table);
  const std::int64_t once = rows_ahead(std::min(row_bytes_of(table), kGroupBytes), near, kMaxAhead);
  return prefetch(near ? CacheLevel::first : far_prefetch_level(),
                  near && !processor().pools_near_doubled ? once : 2 * once);
}

std::int64_t rest_nearer_for_pool(const ConstTableView& table) {
  constexpr std::int64_t kShortRow = 2 * 64;
  const bool in_two = processor().pools_far_in_two && !is_near(table) && row_bytes(table) > kShortRow;
  return in_two && !tuning().prefetch_ahead ? prefetch_for_pool(table).ahead / 2 : 0;
}

PrefetchArgs prefetch_for_update(std::int64_t bytes, std::int64_t touched_bytes, std::int64_t row_bytes,
                                 bool weights_alone) {
  const std::int64_t limit = weights_alone ? tuning().near_table_bytes : tuning().near_update_bytes;
  const bool near = processor().updates_near && (bytes <= limit || touched_bytes <= tuning().near_touched_bytes);
  const CacheLevel into = near ? CacheLevel::first : far_prefetch_level();
  const std::int64_t max = into == CacheLevel::first ? kMaxAhead / 2 : kMaxAhead;
  return prefetch(into, rows_ahead(row_bytes, near, max));
}

}  // namespace rowmill
