// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "rowmill/ids.hpp"
#include "rowmill/workspace.hpp"

namespace rowmill {

/// What a batch of ids means for updates: which positions touch which row, in order, split into shards that different
/// threads may own. It depends on the ids and the number of rows alone, never on the thread count, and serves every
/// table with those ids: weights, optimizer states, tables that share ids.
///
/// A plan's memory and time follow the number of ids, not the number of rows. Rebuilding reuses its memory.
///
///     shard(r)   a fixed hash of the row, in 0 .. shard_count-1; one shard for small batches
///     segment    one touched row of a shard, in order of first occurrence, with its positions in order
class Plan {
 public:
  Plan() = default;

  /// Plans updates of a table of `rows` rows by `ids`; see build().
  Plan(Ids ids, std::int64_t rows, OutOfRange policy = OutOfRange::error) { build(ids, rows, policy); }

  /// Replaces this plan. `name` is the table's name for error messages. Under OutOfRange::zero, ids out of range are
  /// left out.
  ///
  /// Throws Error, and leaves the plan as it was, if rows < 0 or ids is null (invalid_argument), an id is out of range
  /// (IdError), or memory is refused (out_of_memory).
  void build(Ids ids, std::int64_t rows, OutOfRange policy = OutOfRange::error, std::string_view name = {});

  /// The number of ids planned, those left out included: the rows that a gradient must have.
  [[nodiscard]] std::int64_t id_count() const { return id_count_; }
  /// The rows of the tables that this plan fits.
  [[nodiscard]] std::int64_t rows() const { return rows_; }
  /// The number of distinct rows touched.
  [[nodiscard]] std::int64_t unique_count() const { return unique_count_; }

  /// One shard: the rows it owns, as segments and in position order.
  struct Shard {
    /// Segment g touches row rows[g] by positions[segment_begin[g]] .. positions[segment_begin[g+1] - 1], ascending;
    /// segments stand in order of first occurrence.
    std::span<const std::int64_t> rows;
    std::span<const std::int64_t> segment_begin;  ///< rows.size() + 1 values
    std::span<const std::int64_t> positions;
    /// The same contributions ungrouped: position contribution_positions[k], ascending, updates contribution_rows[k].
    std::span<const std::int64_t> contribution_rows;
    std::span<const std::int64_t> contribution_positions;
  };
  [[nodiscard]] std::int64_t shard_count() const { return shard_count_; }
  [[nodiscard]] Shard shard(std::int64_t s) const;

  /// The number of shards of a plan of `id_count` ids.
  [[nodiscard]] static std::int64_t shard_count_for(std::int64_t id_count);

  /// The bytes that a plan of `id_count` ids holds.
  [[nodiscard]] static std::size_t memory_required(std::int64_t id_count);
  /// Makes room for plans of up to `id_count` ids, so that building them allocates nothing. What was planned is lost.
  void reserve(std::int64_t id_count);

 private:
  Workspace memory_;
  std::int64_t id_count_ = 0;
  std::int64_t rows_ = 0;
  std::int64_t unique_count_ = 0;
  std::int64_t shard_count_ = 0;
};

}  // namespace rowmill
