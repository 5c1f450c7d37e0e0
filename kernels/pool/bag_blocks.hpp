// SPDX-License-Identifier: Apache-2.0
// How an operation on bags is shared out: tasks of about the same number of ids, and in a task blocks of bags whose
// begins, divisors and, where ids are not rows as they stand, rows lie on the stack.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/ids/resolve.hpp"
#include "kernels/memory/carve.hpp"
#include "rowmill/bags.hpp"
#include "rowmill/pool.hpp"

namespace rowmill {

inline constexpr std::int64_t kBlockBags = 256;
inline constexpr std::int64_t kBlockIds = 4096;

/// As for_each_bag_task, which it is compiled once for.
void run_bag_tasks(const Bags& bags, std::int64_t row_bytes,
                   void (*run)(const void* task, std::int64_t first, std::int64_t last), const void* task);

/// Calls task(first, last) for ranges of bags: those that begin in one range of positions. `row_bytes` is the size of a
/// row that is read.
template <class Task>
void for_each_bag_task(const Bags& bags, std::int64_t row_bytes, const Task& task) {
  const auto run = [](const void* of, std::int64_t first, std::int64_t last) {
    (*static_cast<const Task*>(of))(first, last);
  };
  run_bag_tasks(bags, row_bytes, run, &task);
}

/// Memory for the rows and weights of some ids.
struct BagMemory {
  std::int64_t* rows = nullptr;
  float* weights = nullptr;

  static BagMemory take(Carver& memory, std::int64_t ids) {
    auto* const rows = memory.take<std::int64_t>(ids);
    return {rows, memory.take<float>(ids)};
  }
};

/// Whether a bag has more ids than a block on the stack.
inline bool has_long_bag(const Bags& bags) {
  if (!bags.has_offsets()) return bags.length() > kBlockIds;
  for (std::int64_t b = 0; b < bags.size(); ++b) {
    if (bags.begin(b + 1) - bags.begin(b) > kBlockIds) return true;
  }
  return false;
}

/// Calls body(b, end, memory) for blocks b .. end-1 of bags first .. last-1, with memory for their ids: on the stack,
/// or for a long bag its part of `whole`, which is for all ids.
template <class Body>
void for_each_bag_block(const Bags& bags, std::int64_t first, std::int64_t last, const BagMemory& whole, Body body) {
  std::int64_t rows[kBlockIds];
  float weights[kBlockIds];
  for (std::int64_t b = first; b < last;) {
    const std::int64_t begin = bags.begin(b);
    std::int64_t end = b;
    while (end < last && end - b < kBlockBags && bags.begin(end + 1) - begin <= kBlockIds) ++end;
    if (end > b) {
      body(b, end, BagMemory{rows, weights});
    } else {
      end = b + 1;
      body(b, end, BagMemory{whole.rows + begin, whole.weights + begin});
    }
    b = end;
  }
}

/// Whether the sum of a bag is divided.
inline bool divides(const PoolOptions& options) {
  return options.pooling == Pooling::mean || options.pooling == Pooling::sqrtn;
}

/// What the sum of a bag of `count` terms is divided by. `weights`, if there are any, are those of its terms.
inline float divisor_of(const PoolOptions& options, const float* weights, std::int64_t count) {
  const bool root = options.pooling == Pooling::sqrtn;
  float total = static_cast<float>(count);
  if (options.divisor == Divisor::weights && weights != nullptr && count > 0) {
    total = root ? weights[0] * weights[0] : weights[0];
    for (std::int64_t i = 1; i < count; ++i) total += root ? weights[i] * weights[i] : weights[i];
  }
  return root ? std::sqrt(total) : total;
}

}  // namespace rowmill
