// SPDX-License-Identifier: Apache-2.0
#include "ceiling_plans.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

namespace bench {

namespace {

constexpr int kDigitBits = 11;
constexpr int kPartBits = 3;  // of a hash: enough to tell some parts
constexpr int kShardBits = 5;

std::uint32_t hash(std::uint32_t row) { return row * 0x9E3779B1U; }

}  // namespace

PlannedPart::PlannedPart(std::int64_t id_count, std::int64_t rows)
    : segments(static_cast<std::size_t>(id_count) + 1),
      positions(static_cast<std::size_t>(id_count)),
      rows_(rows),
      entries_(static_cast<std::size_t>(id_count)),
      sorted_(static_cast<std::size_t>(id_count)),
      by_shard_(static_cast<std::size_t>(id_count)),
      shard_begin_((1 << kShardBits) + 1),
      own_(static_cast<std::size_t>(id_count)),
      by_row_(static_cast<std::size_t>(rows)),
      slots_(std::bit_ceil(4 * static_cast<std::size_t>(id_count))),
      small_(8192),
      segment_of_(static_cast<std::size_t>(id_count)) {}

void PlannedPart::take(const std::vector<std::int32_t>& ids, std::int64_t length, int part, int parts) {
  const std::int32_t* const id = ids.data();
  const auto count = static_cast<std::int64_t>(ids.size());
  Entry* const entries = entries_.data();
  const auto owner = static_cast<std::uint64_t>(part);
  std::int64_t taken = 0;
  std::int32_t bag = 0;
  for (std::int64_t begin = 0; begin < count; begin += length, ++bag) {
    for (std::int64_t i = begin; i < begin + length; ++i) {
      const auto row = static_cast<std::uint32_t>(id[i]);
      entries[taken] = {row, length == 1 ? static_cast<std::int32_t>(i) : bag};
      const bool mine = parts == 1 || std::uint64_t{hash(row)} * static_cast<std::uint64_t>(parts) >> 32 == owner;
      taken += mine ? 1 : 0;
    }
  }
  taken_ = taken;
}

void PlannedPart::deal_out(const std::vector<std::int32_t>& ids, std::int64_t length, int part, int parts) {
  const std::int64_t bags = static_cast<std::int64_t>(ids.size()) / length;
  const std::int64_t end = bags * (part + 1) / parts;
  dealt_.resize(static_cast<std::size_t>(parts));
  for (Dealt& to : dealt_) {
    to.entries.resize(ids.size());
    to.count = 0;
  }
  for (std::int64_t bag = bags * part / parts; bag < end; ++bag) {
    for (std::int64_t i = bag * length; i < (bag + 1) * length; ++i) {
      const auto row = static_cast<std::uint32_t>(ids[static_cast<std::size_t>(i)]);
      Dealt& to = dealt_[std::uint64_t{hash(row)} * static_cast<std::uint64_t>(parts) >> 32];
      to.entries[to.count++] = {row, static_cast<std::int32_t>(bag)};
    }
  }
}

void PlannedPart::collect(const std::vector<PlannedPart>& parts, int part) {
  auto end = entries_.begin();
  for (const PlannedPart& from : parts) {
    const Dealt& dealt = from.dealt_[static_cast<std::size_t>(part)];
    end = std::copy_n(dealt.entries.begin(), dealt.count, end);
  }
  taken_ = end - entries_.begin();
}

void PlannedPart::sort_slice(const std::vector<std::int32_t>& ids, int part, int parts) {
  const auto count = static_cast<std::int64_t>(ids.size());
  const std::int64_t first = count * part / parts;
  const std::int64_t last = count * (part + 1) / parts;
  const std::int32_t* const id = ids.data();
  const auto shard_of = [=](std::int64_t i) { return hash(static_cast<std::uint32_t>(id[i])) >> (32 - kShardBits); };
  std::int64_t next[(1 << kShardBits) + 1] = {};
  for (std::int64_t i = first; i < last; ++i) ++next[shard_of(i) + 1];
  for (int s = 0; s < 1 << kShardBits; ++s) next[s + 1] += next[s];
  std::copy(std::begin(next), std::end(next), shard_begin_.begin());
  std::int32_t* const out = by_shard_.data();
  for (std::int64_t i = first; i < last; ++i) out[next[shard_of(i)]++] = static_cast<std::int32_t>(i);
}

void PlannedPart::group_shards(const std::vector<PlannedPart>& parts, const std::vector<std::int32_t>& ids,
                               std::int64_t length, int part) {
  const auto count = static_cast<int>(parts.size());
  const std::int32_t* const id = ids.data();
  std::int32_t* const own = own_.data();
  const double inverse = 1.0 / static_cast<double>(length);
  const auto row_at = [=](std::int64_t k) { return static_cast<std::uint32_t>(id[own[k]]); };
  segment_count = 0;
  std::int64_t end = 0;
  for (int s = (part << kShardBits) / count; s < ((part + 1) << kShardBits) / count; ++s) {
    const auto shard = static_cast<std::size_t>(s);
    const std::int64_t begin = end;
    for (const PlannedPart& from : parts) {
      const auto* const list = from.by_shard_.data();
      end = std::copy(list + from.shard_begin_[shard], list + from.shard_begin_[shard + 1], own + end) - own;
    }
    const auto group = [&](auto& slots) {
      if (length == 1) return count_in_hash_table(begin, end, slots, row_at, [=](std::int64_t k) { return own[k]; });
      // By a multiplication, which is exact here: a division takes as long as the rest.
      count_in_hash_table(begin, end, slots, row_at, [=](std::int64_t k) {
        return static_cast<std::int32_t>((static_cast<double>(own[k]) + 0.5) * inverse);
      });
    };
    2 * (end - begin) <= static_cast<std::int64_t>(small_.size()) ? group(small_) : group(slots_);
  }
}

bool PlannedPart::plan_equal(const std::vector<std::int32_t>& ids, std::int64_t length, int part) {
  constexpr std::size_t kBlock = 64;
  const std::int32_t first = ids.front();
  std::size_t i = 0;
  std::int32_t different = 0;
  for (; i + kBlock <= ids.size() && different == 0; i += kBlock) {
    for (std::size_t k = i; k < i + kBlock; ++k) different |= ids[k] ^ first;  // without a branch: vectorised
  }
  if (different != 0) return false;
  for (; i < ids.size(); ++i) different |= ids[i] ^ first;
  if (different != 0) return false;
  segment_count = 0;
  if (part != 0) return true;
  const auto count = static_cast<std::int32_t>(ids.size());
  if (length == 1) {
    std::iota(positions.begin(), positions.end(), 0);
  } else {
    for (std::int64_t bag = 0; bag * length < count; ++bag) {
      std::fill_n(positions.begin() + bag * length, length, static_cast<std::int32_t>(bag));
    }
  }
  segments[0] = {first, 0, count};
  segment_count = 1;
  return true;
}

void PlannedPart::count_by_row() {
  constexpr std::int64_t kAhead = 16;
  std::int32_t* const next = by_row_.data();
  const Entry* const entries = entries_.data();
  std::int64_t found = 0;
  for (std::int64_t k = 0; k < taken_; ++k) {
    if (k + kAhead < taken_) __builtin_prefetch(next + entries[k + kAhead].row, 1);
    const std::uint32_t row = entries[k].row;
    segments[static_cast<std::size_t>(found)].row = static_cast<std::int32_t>(row);
    found += next[row]++ == 0 ? 1 : 0;
  }
  std::int32_t place = 0;
  for (std::int64_t g = 0; g < found; ++g) {
    Segment& segment = segments[static_cast<std::size_t>(g)];
    const std::int32_t count = next[segment.row];
    segment.begin = next[segment.row] = place;
    place = segment.end = place + count;
  }
  for (std::int64_t k = 0; k < taken_; ++k) {
    positions[static_cast<std::size_t>(next[entries[k].row]++)] = entries[k].position;
  }
  for (std::int64_t g = 0; g < found; ++g) next[segments[static_cast<std::size_t>(g)].row] = 0;
  segment_count = found;
}

void PlannedPart::count_in_hash_table() {
  segment_count = 0;
  count_entries(entries_.data(), 0, taken_, slots_);
}

void PlannedPart::count_in_small_hash_tables() {
  constexpr int kBucketBits = 6;
  std::int64_t begin[(1 << kBucketBits) + 1] = {};
  std::int64_t next[1 << kBucketBits];
  const auto bucket = [](const Entry& entry) { return hash(entry.row) << kPartBits >> (32 - kBucketBits); };
  for (std::int64_t k = 0; k < taken_; ++k) ++begin[bucket(entries_[static_cast<std::size_t>(k)]) + 1];
  for (int d = 0; d < 1 << kBucketBits; ++d) {
    begin[d + 1] += begin[d];
    next[d] = begin[d];
  }
  for (std::int64_t k = 0; k < taken_; ++k) {
    const Entry entry = entries_[static_cast<std::size_t>(k)];
    sorted_[static_cast<std::size_t>(next[bucket(entry)]++)] = entry;
  }
  segment_count = 0;
  for (int d = 0; d < 1 << kBucketBits; ++d) {
    if (2 * (begin[d + 1] - begin[d]) <= static_cast<std::int64_t>(small_.size())) {
      count_entries(sorted_.data(), begin[d], begin[d + 1], small_);
    } else {
      count_entries(sorted_.data(), begin[d], begin[d + 1], slots_);
    }
  }
}

template <class Slot>
void PlannedPart::count_entries(const Entry* entries, std::int64_t begin, std::int64_t end, std::vector<Slot>& slots) {
  count_in_hash_table(
      begin, end, slots, [=](std::int64_t k) { return entries[k].row; },
      [=](std::int64_t k) { return entries[k].position; });
}

template <class Slot, class RowAt, class PositionAt>
void PlannedPart::count_in_hash_table(std::int64_t begin, std::int64_t end, std::vector<Slot>& slots, RowAt row_at,
                                      PositionAt position_at) {
  constexpr auto kEmpty = static_cast<Slot>(-1);
  const std::size_t roomy = std::bit_ceil(8 * static_cast<std::size_t>(end - begin) + 8);  // collisions branch
  const auto mask = static_cast<std::uint32_t>(std::min(roomy, slots.size()) - 1);
  std::fill_n(slots.begin(), std::size_t{mask} + 1, kEmpty);
  const auto first = static_cast<std::int32_t>(segment_count);
  std::int32_t found = first;
  for (std::int64_t k = begin; k < end; ++k) {
    const std::uint32_t touched = row_at(k);
    const auto row = static_cast<std::int32_t>(touched);
    std::uint32_t slot = hash(touched) >> 8 & mask;  // the first bits chose the part and the bucket
    // Whether a row is new can't be guessed: nothing branches on that, which GCC must be told. An empty slot stands for
    // the next segment.
    const auto segment_at = [&] {
      const Slot in_slot = slots[slot];
      const std::int32_t empty = -static_cast<std::int32_t>(in_slot == kEmpty);
      return (found & empty) | ((first + static_cast<std::int32_t>(in_slot)) & ~empty);
    };
    segments[static_cast<std::size_t>(found)] = {row, 0, 0};
    std::int32_t segment = segment_at();
    while (segments[static_cast<std::size_t>(segment)].row != row) {
      slot = (slot + 1) & mask;
      segment = segment_at();
    }
    slots[slot] = static_cast<Slot>(segment - first);
    segment_of_[static_cast<std::size_t>(k)] = segment;
    ++segments[static_cast<std::size_t>(segment)].end;
    found += segment == found ? 1 : 0;
  }
  auto place = static_cast<std::int32_t>(begin);
  for (std::int32_t g = first; g < found; ++g) {
    Segment& segment = segments[static_cast<std::size_t>(g)];
    const std::int32_t count = segment.end;
    segment.begin = segment.end = place;
    place += count;
  }
  for (std::int64_t k = begin; k < end; ++k) {
    Segment& segment = segments[static_cast<std::size_t>(segment_of_[static_cast<std::size_t>(k)])];
    positions[static_cast<std::size_t>(segment.end++)] = position_at(k);
  }
  segment_count = found;
}

void PlannedPart::sort_by_digits() {
  for (int shift = 0; (rows_ - 1) >> shift > 0; shift += kDigitBits) {
    std::int32_t next[(1 << kDigitBits) + 1] = {};
    const auto digit = [shift](const Entry& entry) { return entry.row >> shift & ((1U << kDigitBits) - 1); };
    for (std::int64_t k = 0; k < taken_; ++k) ++next[digit(entries_[static_cast<std::size_t>(k)]) + 1];
    for (int d = 0; d < 1 << kDigitBits; ++d) next[d + 1] += next[d];
    for (std::int64_t k = 0; k < taken_; ++k) {
      const Entry entry = entries_[static_cast<std::size_t>(k)];
      sorted_[static_cast<std::size_t>(next[digit(entry)]++)] = entry;
    }
    entries_.swap(sorted_);
  }
  std::int64_t found = -1;
  for (std::int64_t k = 0; k < taken_; ++k) {
    const Entry& entry = entries_[static_cast<std::size_t>(k)];
    const auto place = static_cast<std::int32_t>(k);
    if (k == 0 || entry.row != entries_[static_cast<std::size_t>(k - 1)].row) {
      segments[static_cast<std::size_t>(++found)] = {static_cast<std::int32_t>(entry.row), place, place};
    }
    segments[static_cast<std::size_t>(found)].end = place + 1;
    positions[static_cast<std::size_t>(k)] = entry.position;
  }
  segment_count = found + 1;
}

const std::vector<PlanLoop>& PlanLoop::all() {
  static const std::vector<PlanLoop> loops = {
      {"counted by row", &PlannedPart::count_by_row},
      {"counted in a hash table", &PlannedPart::count_in_hash_table},
      {"counted in small hash tables", &PlannedPart::count_in_small_hash_tables},
      {"sorted by digits", &PlannedPart::sort_by_digits}};
  return loops;
}

PositionsByRow positions_by_row(const std::vector<std::int32_t>& ids, std::int64_t length) {
  PositionsByRow positions;
  for (std::size_t i = 0; i < ids.size(); ++i) positions[ids[i]].push_back(static_cast<std::int64_t>(i) / length);
  return positions;
}

PositionsByRow positions_by_row(const std::vector<PlannedPart>& parts) {
  PositionsByRow positions;
  for (const PlannedPart& part : parts) {
    for (std::int64_t g = 0; g < part.segment_count; ++g) {
      const Segment& segment = part.segments[static_cast<std::size_t>(g)];
      std::vector<std::int64_t>& of_row = positions[segment.row];
      of_row.insert(of_row.end(), part.positions.begin() + segment.begin, part.positions.begin() + segment.end);
    }
  }
  return positions;
}

}  // namespace bench
