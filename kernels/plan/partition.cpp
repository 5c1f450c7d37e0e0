// SPDX-License-Identifier: Apache-2.0
#include "kernels/plan/partition.hpp"

#include <algorithm>

#include "kernels/core/parallel.hpp"
#include "kernels/ids/resolve.hpp"

namespace rowmill {
namespace {

// Chunks of positions are counted and then placed by different threads; their number follows the ids alone.
constexpr std::int64_t kChunkIds = 4096;
constexpr std::int64_t kMostChunks = 256;

std::int64_t chunk_size(std::int64_t id_count) {
  return std::max(kChunkIds, (id_count + kMostChunks - 1) / kMostChunks);
}

std::int64_t chunk_count(std::int64_t id_count) { return (id_count + chunk_size(id_count) - 1) / chunk_size(id_count); }

/// Calls body(row, position) for ids begin .. end-1 that are not ignored. A position is i, or the bag that holds i.
template <class Id, class Body>
void for_each_contribution(const Id* ids, const Bags* bags, std::int64_t rows, OutOfRange policy, std::int64_t begin,
                           std::int64_t end, Body body) {
  const auto in_range = [&](std::int64_t first, std::int64_t last, auto position_of) {
    if (policy == OutOfRange::error) {
      for (std::int64_t i = first; i < last; ++i) body(std::int64_t{ids[i]}, position_of(i));
      return;
    }
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t row = resolve(ids[i], rows, policy);
      if (row != kIgnored) body(row, position_of(i));
    }
  };
  if (bags == nullptr) return in_range(begin, end, [](std::int64_t i) { return i; });
  for (std::int64_t bag = bags->bag_of(begin); begin < end; ++bag) {
    const std::int64_t last = std::min(end, bags->begin(bag + 1));
    in_range(begin, last, [bag](std::int64_t) { return bag; });
    begin = last;
  }
}

}  // namespace

Partition::Partition(std::int64_t id_count, int shard_bits, Carver& memory)
    : shard_begin(memory.take<std::int64_t>((std::int64_t{1} << shard_bits) + 1)),
      rows(memory.take<std::int64_t>(id_count)),
      positions(memory.take<std::int64_t>(id_count)),
      chunk_counts(memory.take<std::int64_t>(chunk_count(id_count) << shard_bits)) {}

void partition(Ids ids, const Bags* bags, std::int64_t rows, OutOfRange policy, int shard_bits, std::int64_t threads,
               const Partition& out) {
  const std::int64_t shards = std::int64_t{1} << shard_bits;
  const std::int64_t grain = chunk_size(ids.size());
  const std::int64_t chunks = chunk_count(ids.size());
  // Of a hash of `shard_bits` bits; two shifts, because one by 64 has no meaning.
  const int shift = 63 - shard_bits;
  const auto shard_of = [shift](std::int64_t row) { return (hash_row(row) >> shift) >> 1; };
  ids.visit([&](const auto* data) {
    parallel_chunks(threads, ids.size(), grain, [&](std::int64_t begin, std::int64_t end) {
      std::int64_t* const counts = out.chunk_counts + begin / grain * shards;
      std::fill_n(counts, shards, 0);
      for_each_contribution(data, nullptr, rows, policy, begin, end,
                            [=](std::int64_t row, std::int64_t) { ++counts[shard_of(row)]; });
    });

    // Counts become the places where each chunk writes: shard by shard, and within a shard chunk by chunk.
    std::int64_t place = 0;
    for (std::int64_t s = 0; s < shards; ++s) {
      out.shard_begin[s] = place;
      for (std::int64_t c = 0; c < chunks; ++c) {
        const std::int64_t count = out.chunk_counts[c * shards + s];
        out.chunk_counts[c * shards + s] = place;
        place += count;
      }
    }
    out.shard_begin[shards] = place;

    parallel_chunks(threads, ids.size(), grain, [&](std::int64_t begin, std::int64_t end) {
      std::int64_t* const places = out.chunk_counts + begin / grain * shards;
      for_each_contribution(
          data, bags, rows, policy, begin, end,
          [=, placed_rows = out.rows, positions = out.positions](std::int64_t row, std::int64_t position) {
            const std::int64_t at = places[shard_of(row)]++;
            placed_rows[at] = row;
            positions[at] = position;
          });
    });
  });
}

}  // namespace rowmill
