// SPDX-License-Identifier: Apache-2.0
// Numbers the distinct rows of a batch in order of first occurrence: by a hash table, or, where too many rows collide
// in it, by sorting. Both give the same numbers.
#pragma once

#include <algorithm>
#include <cstdint>

namespace rowmill {

/// A hash of a row, good in its top bits: shards take the first of them, hash tables the next. The multiplier is the
/// fraction of the square root of 3: a multiple of it is never close to an integer, so that rows at one distance, which
/// are common, spread evenly (Knuth, volume 3, section 6.4, on the golden ratio). It is not the golden ratio, because
/// callers split ids among machines by the top bits of that product, and one part's ids would then meet here.
inline constexpr std::uint64_t kHashMultiplier = 0xBB67AE8584CAA73BU;
inline std::uint64_t hash_row(std::int64_t row) { return static_cast<std::uint64_t>(row) * kHashMultiplier; }

/// Where numbers are written: arrays with room for each row of the batch. With numbers of 16 bits a word of `counts`
/// has the first position above the count, which saves a store for each row of the batch, and `firsts` is not used.
template <class Index>
struct Numbering {
  static constexpr int kCountBits = sizeof(Index) == 2 ? 16 : 0;

  std::int64_t* rows;    // of each number
  std::int64_t* counts;  // how often it occurs: see count()
  std::int64_t* firsts;  // the position at which it first does: see first()
  Index* numbers;        // of each row of the batch

  void start(std::int64_t number, std::int64_t position) const {
    counts[number] = kCountBits == 0 ? 0 : position << kCountBits;
    if constexpr (kCountBits == 0) firsts[number] = position;
  }
  [[nodiscard]] std::int64_t count(std::int64_t number) const {
    return kCountBits == 0 ? counts[number] : counts[number] & ((std::int64_t{1} << kCountBits) - 1);
  }
  [[nodiscard]] std::int64_t first(std::int64_t number) const {
    return kCountBits == 0 ? firsts[number]
                           : static_cast<std::int64_t>(static_cast<std::uint64_t>(counts[number]) >> kCountBits);
  }
};

/// How many collisions an id may have, on average, before sorting takes less time than hashing. Ordinary ids have less
/// than one; n ids that were made to collide would have n / 2.
inline constexpr std::int64_t kCollisionsPerId = 8;

/// Numbers the rows that each_row(body) gives to body(row, position), which says whether to go on. `slots` is a hash
/// table of 2^bits for bits `skipped_bits` and further of the hashes, more than there are rows. Returns how many
/// distinct rows there are; -1 as soon as it has met more than `collisions_left` slots that other rows had taken: what
/// it wrote then means nothing.
template <class Index, class EachRow>
[[gnu::always_inline]] inline std::int64_t number_by_hash(EachRow each_row, int skipped_bits, int bits, Index* slots,
                                                          std::int64_t collisions_left, const Numbering<Index>& out) {
  constexpr auto kEmpty = static_cast<Index>(-1);
  // Whether a row is new can't be guessed from the rows before it, so nothing branches on that: an empty slot stands
  // for the number that would be next, and what is known of that one is written beforehand. Only a collision branches.
  const std::int64_t mask = (std::int64_t{1} << bits) - 1;
  const int shift = 64 - bits;
  const std::uint64_t multiplier = kHashMultiplier << skipped_bits;  // its products are hashes without those bits
  std::fill_n(slots, mask + 1, kEmpty);
  std::int64_t distinct = 0;
  std::int64_t k = 0;
  each_row([&](std::int64_t row, std::int64_t position) __attribute__((always_inline)) {
    auto slot = static_cast<std::int64_t>((static_cast<std::uint64_t>(row) * multiplier) >> shift);
    const auto number_at = [&] { return slots[slot] == kEmpty ? static_cast<Index>(distinct) : slots[slot]; };
    out.rows[distinct] = row;
    out.start(distinct, position);
    Index number = number_at();
    while (__builtin_expect(out.rows[number] != row, 0)) {
      if (--collisions_left < 0) return false;
      slot = (slot + 1) & mask;
      number = number_at();
    }
    slots[slot] = number;
    out.numbers[k++] = number;
    ++out.counts[number];
    // At most equal, never more: but g++ makes two instructions of this, and four of ==.
    distinct += static_cast<std::uint64_t>(number) >= static_cast<std::uint64_t>(distinct) ? 1 : 0;
    return true;
  });
  return collisions_left < 0 ? -1 : distinct;
}

/// The same by sorting: n log n for any rows. `memory` has room for 3 values for each of `count` rows.
template <class Index, class EachRow>
std::int64_t number_by_sorting(EachRow each_row, std::int64_t count, std::int64_t* memory,
                               const Numbering<Index>& out) {
  struct Occurrence {
    std::int64_t row;
    std::int64_t place;
    bool operator<(const Occurrence& other) const { return row != other.row ? row < other.row : place < other.place; }
  };
  std::int64_t* const first_places = memory;  // of the row at each place
  auto* const occurrences = reinterpret_cast<Occurrence*>(memory + count);
  std::int64_t place = 0;
  each_row([&](std::int64_t row, std::int64_t) {
    occurrences[place] = {row, place};
    ++place;
    return true;
  });
  std::sort(occurrences, occurrences + count);
  for (std::int64_t k = 0; k < count; ++k) {
    const bool first = k == 0 || occurrences[k].row != occurrences[k - 1].row;
    first_places[occurrences[k].place] = first ? occurrences[k].place : first_places[occurrences[k - 1].place];
  }
  std::int64_t distinct = 0;
  place = 0;
  each_row([&](std::int64_t row, std::int64_t position) {
    const std::int64_t first = first_places[place];
    if (first == place) {
      out.rows[distinct] = row;
      out.start(distinct, position);
      out.numbers[place] = static_cast<Index>(distinct++);
    }
    const Index number = out.numbers[first];
    out.numbers[place++] = number;
    ++out.counts[number];
    return true;
  });
  return distinct;
}

}  // namespace rowmill
