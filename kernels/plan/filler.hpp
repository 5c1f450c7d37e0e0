// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/plan/grouping.hpp"
#include "kernels/plan/numbering.hpp"

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

/// Writes what a grouping has beside its rows: the position of each contribution, and what plans of bags keep of it. It
/// knows the ids' rows from the segments alone, and so is no template of how ids are read.
class Grouping::Filler {
 public:
  Filler(const Grouping& grouping, const GroupingInput& input);

  /// Reads the bags of positions begin .. end-1, a chunk. Before shards are filled.
  void read_bags(std::int64_t begin, std::int64_t end) const;
  /// Keeps where the segments of shard s first occur, as they were numbered: before their counts are summed.
  template <class Index>
  void keep_first_positions(std::int64_t s, const Numbering<Index>& numbering) const;
  /// Fills shard s, whose segments begin one place late, as group_shard leaves them. segment_of is of its contributions
  /// in the order of their positions.
  template <class Index>
  void fill_shard(std::int64_t s, const Index* segment_of) const;
  /// The same where contributions know their places: place(out, of) writes out[its place] = of(its position) for each
  /// contribution of shard s.
  template <class Place>
  void place_shard(std::int64_t s, Place place) const;
  /// Fills the grouping of ids that are all one row, or are all ignored.
  void fill_one_row(std::int64_t threads, bool is_row) const;

 private:
  void name_bags(std::int64_t begin, std::int64_t end, std::int64_t* out) const;
  void divide_bags(std::int64_t begin, std::int64_t end) const;
  [[nodiscard]] bool bags_are_enough() const;
  [[nodiscard]] std::int64_t* placed_ids(std::int64_t s) const;
  void fill_from_ids(std::int64_t s) const;
  [[nodiscard]] float coefficient(std::int64_t position, std::int64_t bag) const;
  [[nodiscard]] std::int32_t bag_position(std::int64_t position, std::int64_t bag) const;
  template <class Index, class BagOf>
  void fill_bags(std::int64_t s, const Index* segment_of, BagOf bag_of) const;
  template <class Index, class Write>
  void for_each_contribution(std::int64_t s, const Index* segment_of, Write write) const;

  const Grouping& g_;
  const GroupingInput& input_;
  const Bags* bags_;
  bool factors_by_bag_;  // there is room for them, and no position has another coefficient than its bag
};

template <class Place>
void Grouping::Filler::place_shard(std::int64_t s, Place place) const {
  const std::int64_t begin = g_.shard_begin_[s];
  if (!bags_are_enough()) {
    place(placed_ids(s), [](std::int64_t position) { return position; });
    return fill_from_ids(s);
  }
  std::int64_t* const positions = g_.positions_ + begin;
  if (bags_->has_offsets()) {
    place(positions, [bag_of = g_.bag_of_](std::int64_t position) { return bag_of[position]; });
  } else {
    place(positions, DivideByLength(bags_->length()));
  }
  for (std::int64_t k = 0; g_.coefficients_ != nullptr && k < g_.contributions(s); ++k) {
    g_.coefficients_[begin + k] = g_.factors_[positions[k]];
  }
}

}  // namespace rowmill
