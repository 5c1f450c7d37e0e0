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
  ids.visit([&](const auto* data) {
    parallel_chunks(threads, ids.size(), grain, [&](std::int64_t begin, std::int64_t end) {
      std::int64_t* counts = out.chunk_counts + begin / grain * shards;
      std::fill_n(counts, shards, 0);
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t row = resolve(data[i], rows, policy);
        if (row != kIgnored) ++counts[top_bits(hash_row(row), shard_bits)];
      }
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
      std::int64_t* places = out.chunk_counts + begin / grain * shards;
      std::int64_t bag = bags == nullptr ? 0 : bags->bag_of(begin);
      for (std::int64_t i = begin; i < end; ++i) {
        if (bags != nullptr) {
          while (i >= bags->begin(bag + 1)) ++bag;
        }
        const std::int64_t row = resolve(data[i], rows, policy);
        if (row == kIgnored) continue;
        const std::int64_t at = places[top_bits(hash_row(row), shard_bits)]++;
        out.rows[at] = row;
        out.positions[at] = bags == nullptr ? i : bag;
      }
    });
  });
}

}  // namespace rowmill
