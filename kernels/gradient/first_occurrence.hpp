// SPDX-License-Identifier: Apache-2.0
// The order in which a plan's rows first occur.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

#include "kernels/core/parallel.hpp"
#include "kernels/memory/carve.hpp"
#include "rowmill/plan.hpp"

namespace rowmill {

/// Numbers a plan's rows in the order in which they first occur in the ids: by a bit for each position at which one
/// does.
class FirstOccurrence {
 public:
  FirstOccurrence(std::int64_t id_count, Carver& memory)
      : words_(id_count / 64 + 1),
        firsts_(memory.take<std::uint64_t>(words_)),
        before_(memory.take<std::int64_t>(words_)) {}

  /// Where segment g of a shard first occurs.
  [[nodiscard]] static std::int64_t position(const Plan::Shard& shard, std::size_t g) {
    return shard.first_positions.empty() ? shard.id_positions[static_cast<std::size_t>(shard.segment_begin[g])]
                                         : shard.first_positions[g];
  }

  void find(const Plan& plan, std::int64_t threads) const {
    std::fill_n(firsts_, words_, 0);
    parallel_tasks(threads, plan.shard_count(), [&](std::int64_t s) {
      const Plan::Shard shard = plan.shard(s);
      for (std::size_t g = 0; g < shard.rows.size(); ++g) {
        const std::int64_t p = position(shard, g);
        // Other shards set other bits of the word.
        std::atomic_ref(firsts_[p / 64]).fetch_or(std::uint64_t{1} << (p % 64), std::memory_order_relaxed);
      }
    });
    std::int64_t count = 0;
    for (std::int64_t w = 0; w < words_; ++w) {
      before_[w] = count;
      count += std::popcount(firsts_[w]);
    }
  }

  /// The number of the row that first occurs at `position`.
  [[nodiscard]] std::int64_t number(std::int64_t position) const {
    const std::uint64_t earlier = (std::uint64_t{1} << (position % 64)) - 1;
    return before_[position / 64] + std::popcount(firsts_[position / 64] & earlier);
  }

 private:
  std::int64_t words_;
  std::uint64_t* firsts_;  // bit p: a row first occurs at position p
  std::int64_t* before_;   // for each word, the bits set in those before it
};

}  // namespace rowmill
