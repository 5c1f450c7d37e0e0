// SPDX-License-Identifier: Apache-2.0
#include "kernels/pool/bag_blocks.hpp"

#include "kernels/core/parallel.hpp"

namespace rowmill {

void run_bag_tasks(const Bags& bags, std::int64_t row_bytes,
                   void (*run)(const void* task, std::int64_t first, std::int64_t last), const void* task) {
  const std::int64_t positions = std::max<std::int64_t>(bags.ids().size(), 1);
  row_bytes = std::max<std::int64_t>(row_bytes, 1);
  const std::int64_t threads = concurrency_for_lookup((positions / 2 + bags.size()) * row_bytes);
  constexpr std::int64_t kMinRowBytes = 256;  // a row that is waited for takes as long as so many read in order
  const std::int64_t grain = rows_per_task(positions, std::max(row_bytes, kMinRowBytes), threads);
  parallel_chunks(threads, positions, grain, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t first = begin == 0 ? 0 : bags.bag_of(begin - 1) + 1;
    const std::int64_t last = end == positions ? bags.size() : bags.bag_of(end - 1) + 1;
    if (first < last) run(task, first, last);
  });
}

}  // namespace rowmill
