// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace rowmill {

/// The sizes at which the library goes about its work another way. Each was measured: docs/design/performance.md has
/// the results, and bench/tuning_bench.cpp, the only code that may change them, shows where the crossovers lie on a
/// machine.
struct Choices {
  /// Below this many bytes of memory traffic, the calling thread works alone: waking a second one takes microseconds
  /// too, and so does fetching a row that the other core wrote. What is only read counts half, because it is often in
  /// a cache. A worker that still spins pays from a fourth of this on, one that fell asleep from about this on.
  std::int64_t parallel_bytes = std::int64_t{1} << 20;
  /// A plan's shards have about so many ids, if that makes 256 shards at most: their hash tables then stay in the
  /// first-level cache.
  std::int64_t shard_ids = 1024;
  /// From this many bytes of gradients on, a row of more than a block of contributions is summed by all threads.
  std::int64_t share_bytes = std::int64_t{3} << 19;
  /// From this many bytes of values on, scatter_add goes row by row on all threads; below, in the order of the ids on
  /// the calling one, which needs no grouping.
  std::int64_t group_bytes = std::int64_t{3} << 19;
  /// What a thread can count on of the caches that it shares with others: a core's part of the last level, with its
  /// second level, on the servers of today. A larger output is written past the caches.
  std::int64_t core_cache_bytes = std::int64_t{8} << 20;
  /// From a first-level cache of this size on, or of an unknown one, rows are asked for into it, else into the second
  /// level. A smaller one stands for cores that wait for few of its misses at a time, and keep the loads behind them
  /// waiting. Measured on Zen 4 (32 KiB) and Zen 5 (48 KiB) alone.
  std::int64_t first_level_bytes = std::int64_t{48} << 10;
  /// For gradients of bags nothing is asked if they are at most this large and there are two ids or more for each:
  /// their rows are in a cache of the core.
  std::int64_t near_gradient_bytes = std::int64_t{1} << 20;
  /// Row-wise optimizers compute the mean square of each gradient row once, beforehand, if at least so many rows of the
  /// table are touched for each: those of one contribution then find theirs. At least 1: there is room for as many as
  /// ids.
  std::int64_t rows_per_mean_square = 2;
  /// Lookups in a table of at most this size ask into the first level everywhere: much of what they read is near.
  std::int64_t near_table_bytes = std::int64_t{16} << 20;
};

inline Choices choices;

}  // namespace rowmill
