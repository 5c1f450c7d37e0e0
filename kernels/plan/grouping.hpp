// SPDX-License-Identifier: Apache-2.0
// Grouping of ids by row, which is what a plan is made of.
#pragma once

#include <cstdint>
#include <optional>

#include "kernels/memory/carve.hpp"
#include "rowmill/bags.hpp"
#include "rowmill/ids.hpp"
#include "rowmill/plan.hpp"

namespace rowmill {

/// What a grouping is of, and what it keeps beside the positions.
struct GroupingOf {
  bool bags = false;
  bool id_positions = false;       ///< of bags: those of their ids
  bool weights = false;            ///< the bags have them
  Pooling pooling = Pooling::sum;  ///< of bags
  [[nodiscard]] bool divided() const { return pooling == Pooling::mean || pooling == Pooling::sqrtn; }
  [[nodiscard]] bool coefficients() const { return weights || divided(); }
};

/// What to group. With bags, those of the ids, a contribution's position is its bag; else `bags` is null.
struct GroupingInput {
  Ids ids;
  const Bags* bags = nullptr;
  std::int64_t rows;
  OutOfRange policy;
  std::optional<std::int64_t> padding_id = {};
  Divisor divisor = Divisor::count;

  [[nodiscard]] bool padding_is_row() const { return padding_id && *padding_id >= 0 && *padding_id < rows; }
  /// Whether an id that counts is its row: no id stands for another one.
  [[nodiscard]] bool ids_mean_themselves() const {
    return policy != OutOfRange::clip && policy != OutOfRange::wrap_negative;
  }
};

/// A batch's positions, grouped by the row they touch, and the rows by the shard that owns them: so that threads which
/// take different shards never touch one row, and each row sees its contributions in order. Shard s is the rows whose
/// hash starts with the bits of s. All arrays lie in the caller's memory.
class Grouping {
 public:
  Grouping(std::int64_t id_count, const GroupingOf& of, Carver& memory);

  /// Groups checked ids, as many as this was made for.
  void build(const GroupingInput& input, std::int64_t threads) const;

  [[nodiscard]] std::int64_t shard_count() const { return std::int64_t{1} << shard_bits_; }
  [[nodiscard]] Plan::Shard shard(std::int64_t s) const;
  /// The rows of a shard.
  [[nodiscard]] std::int64_t segment_count(std::int64_t s) const { return segment_counts_[s]; }
  /// The number of contributions of the shard's largest segment; 0 if it has none.
  [[nodiscard]] std::int64_t largest_segment(std::int64_t s) const { return largest_[s]; }
  /// Of bags that are divided and have no weights: what the gradient of each is multiplied by; room for as many as ids.
  [[nodiscard]] const float* factors() const { return factors_; }

 private:
  template <class IdAt>
  class Builder;
  class Filler;

  /// For a chunk of positions, where each shard's begin in its part of sorted_.
  [[nodiscard]] std::uint32_t* lists(std::int64_t chunk) const { return list_begin_ + chunk * (shard_count() + 1); }
  /// Calls body(position) for the positions of shard s, in order, until it says not to go on.
  template <class Body>
  [[gnu::always_inline]] void for_each_position(std::int64_t s, Body body) const {
    const std::uint32_t* list = lists(0) + s;
    for (std::int64_t begin = 0; begin < id_count_; begin += chunk_size_, list += shard_count() + 1) {
      const std::uint16_t* const sorted = sorted_ + begin;
      for (std::uint32_t k = list[0]; k < list[1]; ++k) {
        if (!body(begin + sorted[k])) return;
      }
    }
  }
  /// The contributions of shard s.
  [[nodiscard]] std::int64_t contributions(std::int64_t s) const { return shard_begin_[s + 1] - shard_begin_[s]; }
  /// Where segments first occur is kept where positions don't say it.
  [[nodiscard]] bool keeps_first_positions() const { return of_.bags && id_positions_ == nullptr; }
  /// Two arrays for shard s, over the hash table that is no longer needed then: the position of the id of each
  /// contribution, while building, and where each segment first occurs.
  [[nodiscard]] std::int64_t* shard_ids(std::int64_t s) const { return slots_ + 4 * shard_begin_[s]; }
  [[nodiscard]] std::int64_t* first_positions(std::int64_t s) const { return shard_ids(s) + contributions(s); }

  GroupingOf of_;
  std::int64_t id_count_;
  std::int64_t chunk_size_;  // of positions that are sorted by shard at once
  int shard_bits_;
  std::int64_t* shard_begin_;     // one per shard, and one more: where its contributions begin
  std::int64_t* segment_counts_;  // one per shard
  std::int64_t* largest_;         // one per shard: the contributions of its largest segment
  std::int64_t* segment_rows_;    // one per segment: shard s uses the part that begins at shard_begin_[s]
  std::int64_t* segment_begin_;   // the same, and two more per shard
  std::int64_t* positions_;       // by segment
  std::int64_t* id_positions_;    // by segment, the position of each id; null unless they are kept beside bags
  float* coefficients_;           // by segment; null where all are 1
  std::int32_t* bag_positions_;   // by segment; null but for max
  float* factors_;                // one per bag, or null
  // While building:
  float* coefficient_at_;      // of each position, of bags that are divided
  std::uint16_t* sorted_;      // each chunk's positions, from its begin, sorted by shard
  std::uint32_t* list_begin_;  // for each chunk, where each shard's positions begin in that, and where the last end
  std::int64_t* bag_of_;       // the bag of each id, of bags by offsets
  std::int64_t* segment_of_;   // the segment of each contribution of a large shard, or counters of rows
  std::int64_t* slots_;        // the hash table of a large shard; then see shard_ids()
};

/// The number of shards for `id_count` ids.
std::int64_t shard_count_for(std::int64_t id_count);

}  // namespace rowmill
