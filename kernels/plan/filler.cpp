// SPDX-License-Identifier: Apache-2.0
#include "kernels/plan/filler.hpp"

#include <algorithm>
#include <numeric>

#include "kernels/core/parallel.hpp"
#include "kernels/plan/bag_factor.hpp"

namespace rowmill {

Grouping::Filler::Filler(const Grouping& grouping, const GroupingInput& input)
    : g_(grouping),
      input_(input),
      bags_(input.bags),
      factors_by_bag_(grouping.factors_ != nullptr && bags_->size() <= grouping.id_count_) {}

void Grouping::Filler::read_bags(std::int64_t begin, std::int64_t end) const {
  if (bags_->has_offsets()) name_bags(begin, end, g_.bag_of_);
  if (g_.of_.divided()) divide_bags(begin, end);
}

/// out[i] = the bag of position i, for i in begin .. end-1
void Grouping::Filler::name_bags(std::int64_t begin, std::int64_t end, std::int64_t* out) const {
  for (std::int64_t bag = bags_->bag_of(begin); begin < end; ++bag) {
    const std::int64_t last = std::min(end, bags_->begin(bag + 1));
    // With eight positions at a time a bag takes few rounds, and the processor predicts which one is the last.
    for (; last - begin >= 8; begin += 8) std::fill_n(out + begin, 8, bag);
    for (; begin < last; ++begin) out[begin] = bag;
  }
}

/// Computes the factors of the bags that begin at positions begin .. end-1, of a mean or sqrtn, or where there is no
/// room for them the coefficients of their positions. Bags behind the last position belong to the last chunk.
void Grouping::Filler::divide_bags(std::int64_t begin, std::int64_t end) const {
  std::int64_t bag = begin == 0 ? 0 : bags_->bag_of(begin - 1) + 1;
  for (; bag < bags_->size() && (bags_->begin(bag) < end || end == g_.id_count_); ++bag) {
    const float factor = bag_factor<float>(*bags_, bag, input_, g_.of_.pooling);
    if (factors_by_bag_) {
      g_.factors_[bag] = factor;
      continue;
    }
    const bool scaled = bags_->has_weights() && factor != 0;
    for (std::int64_t i = bags_->begin(bag); i < bags_->begin(bag + 1); ++i) {
      g_.coefficient_at_[i] = scaled ? bags_->weights()[static_cast<std::size_t>(i)] * factor : factor;
    }
  }
}

/// What the gradient of a bag is multiplied by to be that of a position in it.
float Grouping::Filler::coefficient(std::int64_t position, std::int64_t bag) const {
  if (factors_by_bag_) return g_.factors_[bag];
  return g_.of_.divided() ? g_.coefficient_at_[position] : bags_->weights()[static_cast<std::size_t>(position)];
}

std::int32_t Grouping::Filler::bag_position(std::int64_t position, std::int64_t bag) const {
  return static_cast<std::int32_t>(position - bags_->begin(bag));
}

void Grouping::Filler::fill_one_row(std::int64_t threads, bool is_row) const {
  if (g_.of_.divided()) {
    parallel_chunks(threads, g_.id_count_, g_.chunk_size_,
                    [&](std::int64_t begin, std::int64_t end) { divide_bags(begin, end); });
  }
  if (!is_row) return;
  parallel_chunks(threads, g_.id_count_, g_.chunk_size_, [&](std::int64_t begin, std::int64_t end) {
    if (bags_ == nullptr) {
      std::iota(g_.positions_ + begin, g_.positions_ + end, begin);
      return;
    }
    name_bags(begin, end, g_.positions_);
    if (g_.id_positions_ != nullptr) std::iota(g_.id_positions_ + begin, g_.id_positions_ + end, begin);
    for (std::int64_t i = begin; g_.coefficients_ != nullptr && i < end; ++i) {
      g_.coefficients_[i] = coefficient(i, g_.positions_[i]);
    }
    for (std::int64_t i = begin; g_.bag_positions_ != nullptr && i < end; ++i) {
      g_.bag_positions_[i] = bag_position(i, g_.positions_[i]);
    }
  });
  // The shard that has the row begins at 0, as do the empty ones before it.
  const std::int64_t last = g_.shard_count() - 1;
  std::int64_t owner = 0;
  while (owner < last && g_.contributions(owner) == 0) ++owner;
  if (g_.keeps_first_positions()) g_.first_positions(owner)[0] = 0;
}

template <class Index>
void Grouping::Filler::keep_first_positions(std::int64_t s, const Numbering<Index>& numbering) const {
  std::int64_t* const out = g_.first_positions(s);
  const std::int64_t segments = g_.segment_counts_[s];
  const Numbering<Index> from = numbering;  // a copy, because the stores could alias it
  for (std::int64_t g = 0; g < segments; ++g) out[g] = from.first(g);
}

/// Calls write(place, position) for each contribution of shard s; `place` is where it goes.
template <class Index, class Write>
void Grouping::Filler::for_each_contribution(std::int64_t s, const Index* segment_of, Write write) const {
  std::int64_t* const segment_begin = g_.segment_begin_ + g_.shard_begin_[s] + 2 * s;
  std::int64_t k = 0;
  g_.for_each_position(s, [&](std::int64_t position) {
    const auto segment = static_cast<std::int64_t>(segment_of[k++]);
    write(segment_begin[segment + 1]++, position);
    return true;
  });
}

template <class Index>
void Grouping::Filler::fill_shard(std::int64_t s, const Index* segment_of) const {
  if (bags_ == nullptr) {
    std::int64_t* const positions = g_.positions_ + g_.shard_begin_[s];
    for_each_contribution(s, segment_of,
                          [=](std::int64_t place, std::int64_t position) { positions[place] = position; });
  } else if (bags_->has_offsets()) {
    fill_bags(s, segment_of, [bag_of = g_.bag_of_](std::int64_t position) { return bag_of[position]; });
  } else {
    fill_bags(s, segment_of, DivideByLength(bags_->length()));
  }
}

template <class Index, class BagOf>
void Grouping::Filler::fill_bags(std::int64_t s, const Index* segment_of, BagOf bag_of) const {
  if (!bags_are_enough()) {
    std::int64_t* const ids = placed_ids(s);
    for_each_contribution(s, segment_of, [=](std::int64_t place, std::int64_t position) { ids[place] = position; });
    fill_from_ids(s);
    return;
  }
  const std::int64_t begin = g_.shard_begin_[s];
  std::int64_t* const positions = g_.positions_ + begin;
  for_each_contribution(s, segment_of,
                        [=](std::int64_t place, std::int64_t position) { positions[place] = bag_of(position); });
  if (g_.coefficients_ == nullptr) return;
  std::transform(positions, positions + g_.contributions(s), g_.coefficients_ + begin,
                 [factors = g_.factors_](std::int64_t bag) { return factors[bag]; });
}

/// Whether all that is kept of a contribution follows from its bag.
bool Grouping::Filler::bags_are_enough() const {
  return bags_ != nullptr && g_.id_positions_ == nullptr && g_.bag_positions_ == nullptr &&
         (g_.coefficients_ == nullptr || factors_by_bag_);
}

/// Where the positions of the ids of shard s go.
std::int64_t* Grouping::Filler::placed_ids(std::int64_t s) const {
  if (bags_ == nullptr) return g_.positions_ + g_.shard_begin_[s];
  return g_.id_positions_ != nullptr ? g_.id_positions_ + g_.shard_begin_[s] : g_.shard_ids(s);
}

/// Fills the rest of a shard of bags whose ids are placed.
void Grouping::Filler::fill_from_ids(std::int64_t s) const {
  if (bags_ == nullptr) return;
  const std::int64_t begin = g_.shard_begin_[s];
  const std::int64_t count = g_.contributions(s);
  const std::int64_t* const ids = placed_ids(s);
  std::int64_t* const positions = g_.positions_ + begin;
  if (bags_->has_offsets()) {
    for (std::int64_t k = 0; k < count; ++k) positions[k] = g_.bag_of_[ids[k]];
  } else {
    std::transform(ids, ids + count, positions, DivideByLength(bags_->length()));
  }
  for (std::int64_t k = 0; g_.coefficients_ != nullptr && k < count; ++k) {
    g_.coefficients_[begin + k] = coefficient(ids[k], positions[k]);
  }
  for (std::int64_t k = 0; g_.bag_positions_ != nullptr && k < count; ++k) {
    g_.bag_positions_[begin + k] = bag_position(ids[k], positions[k]);
  }
}

template void Grouping::Filler::keep_first_positions(std::int64_t s, const Numbering<std::uint16_t>& numbering) const;
template void Grouping::Filler::keep_first_positions(std::int64_t s, const Numbering<std::int64_t>& numbering) const;
template void Grouping::Filler::fill_shard(std::int64_t s, const std::uint16_t* segment_of) const;
template void Grouping::Filler::fill_shard(std::int64_t s, const std::int64_t* segment_of) const;

}  // namespace rowmill
