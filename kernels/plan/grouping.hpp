// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/memory/carve.hpp"
#include "rowmill/bags.hpp"
#include "rowmill/ids.hpp"
#include "rowmill/plan.hpp"

namespace rowmill {

/// i / length for 0 <= i < 2^50, by one multiplication: (i + 0.5) / length lies at least 0.5 / length from any integer,
/// and the two roundings together err by less.
class DivideByLength {
 public:
  explicit DivideByLength(std::int64_t length) : inverse_(1.0 / static_cast<double>(length)) {}
  [[nodiscard]] std::int64_t operator()(std::int64_t i) const {
    return static_cast<std::int64_t>((static_cast<double>(i) + 0.5) * inverse_);
  }

 private:
  double inverse_;
};

/// What a grouping is for: ids alone, bags, or bags whose ids' positions are kept.
enum class GroupingOf : std::uint8_t { ids, bags, bags_and_ids };

/// A batch's positions, grouped by the row they touch, and the rows by the shard that owns them: so that threads which
/// take different shards never touch one row, and each row sees its contributions in order. Shard s is the rows whose
/// hash starts with the bits of s. All arrays lie in the caller's memory.
class Grouping {
 public:
  Grouping(std::int64_t id_count, GroupingOf of, Carver& memory);

  /// Groups checked ids, as many as this was made for. With `bags`, those of the ids, a contribution's position is its
  /// bag; else bags is null.
  void build(Ids ids, const Bags* bags, std::int64_t rows, OutOfRange policy, std::int64_t threads) const;

  [[nodiscard]] std::int64_t shard_count() const { return std::int64_t{1} << shard_bits_; }
  [[nodiscard]] Plan::Shard shard(std::int64_t s) const;
  /// The number of contributions of the shard's largest segment; 0 if it has none.
  [[nodiscard]] std::int64_t largest_segment(std::int64_t s) const { return largest_[s]; }

 private:
  template <class IdAt>
  class Builder;

  int shard_bits_;
  std::int64_t* shard_begin_;     // one per shard, and one more: where its contributions begin
  std::int64_t* segment_counts_;  // one per shard
  std::int64_t* largest_;         // one per shard: the contributions of its largest segment
  std::int64_t* segment_rows_;    // one per segment: shard s uses the part that begins at shard_begin_[s]
  std::int64_t* segment_begin_;   // the same, and two more per shard
  std::int64_t* positions_;       // by segment
  std::int64_t* id_positions_;    // by segment, the position of each id; null unless they are kept beside bags
  // While building:
  std::uint16_t* sorted_;      // each chunk's positions, from its begin, sorted by shard
  std::uint32_t* list_begin_;  // for each chunk, where each shard's positions begin in that, and where the last end
  std::int64_t* bag_of_;       // the bag of each id, of bags by offsets
  std::int64_t* segment_of_;   // the segment of each contribution of a large shard
  std::int64_t* slots_;        // the hash table of a large shard
};

/// The number of shards for `id_count` ids.
std::int64_t shard_count_for(std::int64_t id_count);

/// How many threads grouping `id_count` ids may use here.
std::int64_t grouping_threads(std::int64_t id_count);

}  // namespace rowmill
