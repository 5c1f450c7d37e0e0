// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "ceiling_loops.hpp"

namespace bench {

// The plain loops of planning: who touches which row, and where. Each part groups the ids of the rows that it owns, so
// that parts share nothing. It takes them out of all ids, or each part deals out a slice of the ids to their owners.

/// One part of a batch's plan, and what its loops need meanwhile: all of it made before the timing.
class PlannedPart {
 public:
  PlannedPart(std::int64_t id_count, std::int64_t rows);

  std::vector<Segment> segments;  ///< the first segment_count of them
  std::vector<std::int32_t> positions;
  std::int64_t segment_count = 0;

  /// Takes the ids of rows that part `part` of `parts` owns. With bags of `length` ids, a position is its bag.
  void take(const std::vector<std::int32_t>& ids, std::int64_t length, int part, int parts);

  /// The same in two steps, the second when all parts are done with the first.
  void deal_out(const std::vector<std::int32_t>& ids, std::int64_t length, int part, int parts);
  void collect(const std::vector<PlannedPart>& parts, int part);

  /// In two steps again: a slice of the positions is sorted by the shards of their rows; when all parts are done with
  /// that, each groups the rows of some shards.
  void sort_slice(const std::vector<std::int32_t>& ids, int part, int parts);
  void group_shards(const std::vector<PlannedPart>& parts, const std::vector<std::int32_t>& ids, std::int64_t length,
                    int part);

  /// If all ids are equal, plans them, which needs no sorting: all in the first part, by its thread.
  [[nodiscard]] bool plan_equal(const std::vector<std::int32_t>& ids, std::int64_t length, int part);

 private:
  friend struct PlanLoop;
  struct Entry {
    std::uint32_t row;
    std::int32_t position;
  };
  struct Dealt {
    std::vector<Entry> entries;  // the first `count` of them
    std::size_t count;
  };
  void count_by_row();
  void count_in_hash_table();
  void count_in_small_hash_tables();
  void sort_by_digits();
  template <class Slot>
  void count_entries(const Entry* entries, std::int64_t begin, std::int64_t end, std::vector<Slot>& slots);
  template <class Slot, class RowAt, class PositionAt>
  void count_in_hash_table(std::int64_t begin, std::int64_t end, std::vector<Slot>& slots, RowAt row_at,
                           PositionAt position_at);

  std::int64_t rows_;
  std::int64_t taken_ = 0;
  std::vector<Entry> entries_;
  std::vector<Entry> sorted_;
  std::vector<Dealt> dealt_;               // to each part
  std::vector<std::int32_t> by_shard_;     // the slice's positions
  std::vector<std::int64_t> shard_begin_;  // where each shard's positions begin in the slice's, and where the last end
  std::vector<std::int32_t> own_;          // the positions of the part's shards
  std::vector<std::int32_t> by_row_;       // a count for each row of the table; zero between calls
  std::vector<std::int32_t> slots_;        // of the hash table: a segment, or -1
  std::vector<std::uint16_t> small_;       // of a small one
  std::vector<std::int32_t> segment_of_;
};

/// A way to group by row what a part has taken.
struct PlanLoop {
  std::string_view name;
  void (PlannedPart::*group)();

  [[nodiscard]] static const std::vector<PlanLoop>& all();
};

/// What a plan says, to compare plans: each row's positions, or bags of `length` ids, ascending.
using PositionsByRow = std::map<std::int64_t, std::vector<std::int64_t>>;
[[nodiscard]] PositionsByRow positions_by_row(const std::vector<std::int32_t>& ids, std::int64_t length);
[[nodiscard]] PositionsByRow positions_by_row(const std::vector<PlannedPart>& parts);

}  // namespace bench
