// SPDX-License-Identifier: Apache-2.0
// The thresholds between one way of working and another.
#pragma once

#include <cstdint>
#include <optional>

#include "kernels/core/prefetch.hpp"

namespace rowmill {

/// The sizes at which the library changes its way of working. Each was measured: docs/design/measurements.md has the
/// results, and bench/tuning_bench.cpp shows where the crossovers lie on a machine.
struct Tuning {
  /// Below this many bytes of memory traffic, the calling thread works alone: waking a second one takes microseconds
  /// too, and so does fetching a row that the other core wrote. What is only read counts half, because it is often in
  /// a cache.
  std::int64_t parallel_bytes = std::int64_t{3} << 18;
  /// The same for lookups. They find rows that nobody has written since, and so a second thread pays sooner.
  std::int64_t parallel_lookup_bytes = std::int64_t{3} << 17;
  /// The same for plans, in ids. They read nothing that another core wrote, and an id takes as long as 256 bytes of
  /// other traffic.
  std::int64_t parallel_plan_ids = std::int64_t{1} << 12;
  /// A plan's shards have about this many ids, if that makes at most 256 shards: their hash tables then stay in the
  /// first-level cache.
  std::int64_t shard_ids = 1024;
  /// From this many bytes of gradients on, all threads sum the blocks of a row that has more than one.
  std::int64_t share_bytes = std::int64_t{3} << 19;
  /// From this many bytes of values on, scatter_add goes row by row on all threads; below, in the order of the ids on
  /// the calling one, which needs no grouping.
  std::int64_t group_bytes = std::int64_t{3} << 19;
  /// What a thread can count on of the caches that it shares with others: a core's part of the last level, with its
  /// second level, on the servers of today. A larger output is written past the caches.
  std::int64_t core_cache_bytes = std::int64_t{8} << 20;
  /// The cache into which rows of far tables are prefetched, and how many rows ahead of all, if not as
  /// choose_prefetch.cpp decides.
  std::optional<CacheLevel> prefetch_level = std::nullopt;
  std::optional<std::int64_t> prefetch_ahead = std::nullopt;
  /// Gradients of bags are not prefetched if they are at most this large and there are two ids or more for each: their
  /// rows are in a cache of the core.
  std::int64_t near_gradient_bytes = std::int64_t{1} << 20;
  /// Row-wise optimizers compute the mean square of each gradient row once, beforehand, if at least this many rows of
  /// the table are touched for each: rows of one contribution then use it. At least 1, because there is memory for as
  /// many mean squares as there are ids.
  std::int64_t rows_per_mean_square = 2;
  /// Lookups in a table of at most this size prefetch into the first level on every machine: much of what they read is
  /// in a cache already.
  std::int64_t near_table_bytes = std::int64_t{16} << 20;
  /// Updates prefetch into the first level too, except on Zen 4, if the table and its states have at most this size.
  /// If the ids of a bag share a gradient, and the optimizer has no state for each weight, near_table_bytes counts in
  /// its place.
  std::int64_t near_update_bytes = std::int64_t{4} << 20;
  /// Updates of a larger table do so too, if the rows that they touch have at most this size: these stay in a
  /// second-level cache.
  std::int64_t near_touched_bytes = std::int64_t{1} << 18;
};

/// The tuning in force: the defaults above, but in benchmarks and tests that override them (override_tuning.hpp).
const Tuning& tuning() noexcept;

}  // namespace rowmill
