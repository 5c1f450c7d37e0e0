// SPDX-License-Identifier: Apache-2.0
#include "rowmill/plan.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "kernels/core/checks.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/kernel_list.hpp"
#include "kernels/plan/partition.hpp"
#include "rowmill/error.hpp"

namespace rowmill {
namespace {

/// Enough shards to feed many threads, each with enough ids to be worth a task: a few ids of long rows with optimizer
/// states are. Of the ids alone, not of the threads.
constexpr std::int64_t kFewestShardIds = 32;
constexpr std::int64_t kFewShards = 8;
int plan_shard_bits(std::int64_t id_count) {
  return shard_bits_for(std::max(id_count / choices.shard_ids, std::min(id_count / kFewestShardIds, kFewShards)));
}

/// The smallest b with 2^b >= n, at least 1.
int bits_for(std::int64_t n) {
  int bits = 1;
  while ((std::int64_t{1} << bits) < n) ++bits;
  return bits;
}

/// A plan's arrays. Shard s uses, of each, the part that begins at its first contribution.
struct Arrays {
  Partition contributions;
  std::int64_t* segment_counts;  // one per shard
  std::int64_t* segment_rows;    // one per segment
  std::int64_t* segment_begin;   // one per segment, and two more per shard
  std::int64_t* positions;       // grouped by segment
  std::int64_t* segment_of;      // the segment of each contribution; while building
  std::int64_t* slots;           // hash tables: row -> segment; while building
  Plan::HotSegment* hot;

  Arrays(std::int64_t id_count, int shard_bits, Carver& memory)
      : contributions(id_count, shard_bits, memory),
        segment_counts(memory.take<std::int64_t>(std::int64_t{1} << shard_bits)),
        segment_rows(memory.take<std::int64_t>(id_count)),
        segment_begin(memory.take<std::int64_t>(id_count + (std::int64_t{2} << shard_bits))),
        positions(memory.take<std::int64_t>(id_count)),
        segment_of(memory.take<std::int64_t>(id_count)),
        slots(memory.take<std::int64_t>(4 * id_count)),
        hot(memory.take<Plan::HotSegment>(id_count / kSumBlock)) {}
};

/// Groups the contributions of shard s by row: segments in order of first occurrence, positions ascending in each.
/// `slots` is a hash table of 2^bits from row to segment, `segment_of` has room for each contribution.
template <class Index>
void group_shard(const Arrays& arrays, std::int64_t s, int shard_bits, int bits, Index* slots, Index* segment_of) {
  const std::int64_t begin = arrays.contributions.shard_begin[s];
  const std::int64_t count = arrays.contributions.shard_begin[s + 1] - begin;
  const std::int64_t* rows = arrays.contributions.rows + begin;
  const std::int64_t* positions = arrays.contributions.positions + begin;
  std::int64_t* segment_rows = arrays.segment_rows + begin;
  std::int64_t* segment_begin = arrays.segment_begin + begin + 2 * s;
  constexpr auto kEmpty = static_cast<Index>(-1);

  // Whether a row is new can't be guessed from the rows before it, so nothing branches on that: an empty slot stands
  // for the segment that would be next, and that one's row is written beforehand. Only a collision branches.
  const std::int64_t mask = (std::int64_t{1} << bits) - 1;
  const int shift = 64 - bits;
  std::fill_n(slots, mask + 1, kEmpty);
  std::fill_n(segment_begin, count + 2, 0);
  std::int64_t segments = 0;
  for (std::int64_t k = 0; k < count; ++k) {
    const std::int64_t row = rows[k];
    auto slot = static_cast<std::int64_t>((hash_row(row) << shard_bits) >> shift);
    const auto segment_at = [&] { return slots[slot] == kEmpty ? static_cast<Index>(segments) : slots[slot]; };
    segment_rows[segments] = row;
    Index segment = segment_at();
    while (segment_rows[segment] != row) {
      slot = (slot + 1) & mask;
      segment = segment_at();
    }
    slots[slot] = segment;
    segment_of[k] = segment;
    ++segment_begin[segment + 2];
    segments += segment == segments ? 1 : 0;
  }
  arrays.segment_counts[s] = segments;

  // Counts stand two places late, so that after summing each segment's start stands one place late; filling moves it
  // to the segment's end, which is the next one's start.
  for (std::int64_t g = 0; g < segments; ++g) segment_begin[g + 2] += segment_begin[g + 1];
  for (std::int64_t k = 0; k < count; ++k) {
    arrays.positions[begin + segment_begin[segment_of[k] + 1]++] = positions[k];
  }
}

/// The same, on the stack where the shard is small enough: its hash table then stays in the first-level cache, so it
/// may be emptier.
void group_shard(const Arrays& arrays, std::int64_t s, int shard_bits) {
  constexpr std::int64_t kSmall = 2048;
  const std::int64_t begin = arrays.contributions.shard_begin[s];
  const std::int64_t count = arrays.contributions.shard_begin[s + 1] - begin;
  if (count <= kSmall) {
    std::uint16_t slots[4 * kSmall];
    std::uint16_t segment_of[kSmall];
    group_shard(arrays, s, shard_bits, bits_for(4 * count), slots, segment_of);
  } else {
    group_shard(arrays, s, shard_bits, bits_for(2 * count), arrays.slots + 4 * begin, arrays.segment_of + begin);
  }
}

constexpr std::string_view kOp = "plan";

void check_rows(std::int64_t rows) {
  if (rows >= 0) return;
  throw Error(ErrorCode::invalid_argument,
              "rowmill: plan: rows is " + std::to_string(rows) + "; it must be at least 0");
}

}  // namespace

std::int64_t Plan::shard_count_for(std::int64_t id_count) { return std::int64_t{1} << plan_shard_bits(id_count); }

std::size_t Plan::memory_required(std::int64_t id_count) {
  Carver memory(nullptr);
  const Arrays arrays(id_count, plan_shard_bits(id_count), memory);
  return memory.used();
}

void Plan::reserve(std::int64_t id_count) {
  memory_.reserve(memory_required(id_count));
  id_count_ = gradient_rows_ = rows_ = unique_count_ = shard_count_ = hot_count_ = 0;
}

void Plan::build(Ids ids, std::int64_t rows, OutOfRange policy, std::string_view name) {
  check_ids_pointer(kOp, ids);
  check_rows(rows);
  check_ids(kOp, ids, rows, policy, name);
  build(ids, nullptr, rows, policy);
}

void Plan::build(const Bags& bags, std::int64_t rows, OutOfRange policy, std::string_view name) {
  check_bags(kOp, bags);
  check_rows(rows);
  check_ids(kOp, bags, rows, policy, name);
  build(bags.ids(), &bags, rows, policy);
}

void Plan::build(Ids ids, const Bags* bags, std::int64_t rows, OutOfRange policy) {
  const int shard_bits = plan_shard_bits(ids.size());
  memory_.reserve(memory_required(ids.size()));
  Carver memory(memory_.data());
  const Arrays arrays(ids.size(), shard_bits, memory);
  constexpr std::int64_t kBytesPerId = 128;  // the traffic of planning one id, roughly: what concurrency_for asks for
  const std::int64_t threads = concurrency_for(ids.size() * kBytesPerId);
  partition(ids, bags, rows, policy, shard_bits, threads, arrays.contributions);
  const std::int64_t shards = shard_count_for(ids.size());
  parallel_tasks(threads, shards, [&](std::int64_t s) { group_shard(arrays, s, shard_bits); });

  id_count_ = ids.size();
  gradient_rows_ = bags == nullptr ? ids.size() : bags->size();
  rows_ = rows;
  shard_count_ = shards;
  unique_count_ = 0;
  hot_count_ = 0;
  for (std::int64_t s = 0; s < shards; ++s) {
    unique_count_ += arrays.segment_counts[s];
    const std::int64_t begin = arrays.contributions.shard_begin[s];
    if (arrays.contributions.shard_begin[s + 1] - begin <= kSumBlock) continue;
    const std::int64_t* segment_begin = arrays.segment_begin + begin + 2 * s;
    for (std::int64_t g = 0; g < arrays.segment_counts[s]; ++g) {
      if (segment_begin[g + 1] - segment_begin[g] > kSumBlock) arrays.hot[hot_count_++] = {s, g};
    }
  }
}

Plan::Shard Plan::shard(std::int64_t s) const {
  if (id_count_ == 0) return {};
  Carver memory(memory_.data());
  const Arrays arrays(id_count_, plan_shard_bits(id_count_), memory);
  const auto length = [](std::int64_t n) { return static_cast<std::size_t>(n); };
  const std::int64_t begin = arrays.contributions.shard_begin[s];
  const std::int64_t count = arrays.contributions.shard_begin[s + 1] - begin;
  const std::int64_t segments = arrays.segment_counts[s];
  return {
      .rows = {arrays.segment_rows + begin, length(segments)},
      .segment_begin = {arrays.segment_begin + begin + 2 * s, length(segments) + 1},
      .positions = {arrays.positions + begin, length(count)},
      .contribution_rows = {arrays.contributions.rows + begin, length(count)},
      .contribution_positions = {arrays.contributions.positions + begin, length(count)},
  };
}

std::span<const Plan::HotSegment> Plan::hot_segments() const {
  if (hot_count_ == 0) return {};
  Carver memory(memory_.data());
  const Arrays arrays(id_count_, plan_shard_bits(id_count_), memory);
  return {arrays.hot, static_cast<std::size_t>(hot_count_)};
}

}  // namespace rowmill
