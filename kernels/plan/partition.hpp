// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/memory/carve.hpp"
#include "rowmill/bags.hpp"
#include "rowmill/ids.hpp"

namespace rowmill {

/// A hash of a row, good in its top bits: shards take the first of them, hash tables the next.
inline std::uint64_t hash_row(std::int64_t row) { return static_cast<std::uint64_t>(row) * 0x9E3779B97F4A7C15U; }
inline std::int64_t top_bits(std::uint64_t hash, int bits) {
  return bits == 0 ? 0 : static_cast<std::int64_t>(hash >> (64 - bits));
}

inline constexpr int kMostShardBits = 8;

/// The largest b with 2^b <= n, from 0 to kMostShardBits.
inline int shard_bits_for(std::int64_t n) {
  int bits = 0;
  while (bits < kMostShardBits && (std::int64_t{2} << bits) <= n) ++bits;
  return bits;
}

/// A batch's contributions (row, position), grouped by the shard that owns the row, positions ascending in each: so
/// that threads which take different shards never touch one row, and each row sees its contributions in order.
/// Shard s is the rows whose hash starts with the bits of s.
struct Partition {
  std::int64_t* shard_begin;  // 2^shard_bits + 1: where each shard's contributions begin
  std::int64_t* rows;
  std::int64_t* positions;
  std::int64_t* chunk_counts;  // for partition() itself

  /// Arrays for `id_count` ids and 2^shard_bits shards.
  Partition(std::int64_t id_count, int shard_bits, Carver& memory);
};

/// Fills `out`, made for ids.size() ids, from checked ids. With `bags`, those of the ids, a contribution's position is
/// its bag.
void partition(Ids ids, const Bags* bags, std::int64_t rows, OutOfRange policy, int shard_bits, std::int64_t threads,
               const Partition& out);

}  // namespace rowmill
