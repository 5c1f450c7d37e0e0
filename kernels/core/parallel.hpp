// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "kernels/core/fp_environment.hpp"
#include "kernels/core/threads.hpp"
#include "kernels/core/tuning.hpp"

namespace rowmill {

/// How many threads a region of `bytes` of traffic may use here. They are there then: the system can refuse none later.
inline std::int64_t concurrency_for(std::int64_t bytes) noexcept {
  return bytes < tuning().parallel_bytes ? 1 : available_threads();
}

/// The same for a lookup, which writes no row.
inline std::int64_t concurrency_for_lookup(std::int64_t bytes) noexcept {
  return bytes < tuning().parallel_lookup_bytes ? 1 : available_threads();
}

/// Rows for one task of a region over `rows` rows of `row_bytes` traffic each: so many tasks that threads which finish
/// early find more to do, and none so small that starting it shows; but at least one for each thread.
inline std::int64_t rows_per_task(std::int64_t rows, std::int64_t row_bytes, std::int64_t threads) {
  constexpr std::int64_t kTasksPerThread = 16;
  constexpr std::int64_t kMinBytes = std::int64_t{1} << 19;
  const std::int64_t min_rows = std::min(kMinBytes / row_bytes, (rows + threads - 1) / threads);
  return std::max({min_rows, rows / (kTasksPerThread * threads), std::int64_t{1}});
}

/// A thread's part of the items of a region.
struct alignas(64) Share {
  std::int64_t next;  // of all threads
  std::int64_t end;

  /// The next item, which is then the caller's alone; `end` or more if there is none.
  std::int64_t take() {
    const std::atomic_ref<std::int64_t> shared(next);
    const std::int64_t item = shared.load(std::memory_order_relaxed);
    return item < end ? shared.fetch_add(1, std::memory_order_relaxed) : item;
  }
};

/// Calls task(i) for i in 0 .. count-1 in the caller's arena, in any order, on up to `threads` of its threads; on the
/// calling thread alone if `threads` is 1.
///
/// Each thread begins with the share of its number in the arena, and helps with the others when that is done. So a
/// thread meets the same shards in a plan and in the steps after it, and finds much of them in the caches of its core.
///
/// The region has a context of its own, so that a cancelled group of the caller's can't leave it half done, and is
/// isolated, so that a thread which waits in it can't pick up a task that calls the library again. It never fails, for
/// work may be half done: no task may throw, and what oneTBB has no memory for is done by the calling thread.
template <class Task>
void parallel_tasks(std::int64_t threads, std::int64_t count, Task task) noexcept {
  if (threads == 1 || count <= 1) {
    const FpEnvironment environment;
    for (std::int64_t i = 0; i < count; ++i) task(i);
    return;
  }
  constexpr std::int64_t kMaxShares = 64;
  Share shares[kMaxShares];
  const std::int64_t workers = std::min(threads, count);
  const std::int64_t n = std::min(workers, kMaxShares);
  for (std::int64_t s = 0; s < n; ++s) {
    shares[s] = {count * s / n, count * (s + 1) / n};
  }
  const auto work = [&] {
    const FpEnvironment environment;
    const std::int64_t own = std::max(tbb::this_task_arena::current_thread_index(), 0);
    for (std::int64_t k = 0; k < n; ++k) {
      Share& share = shares[(own + k) % n];
      for (std::int64_t i = share.take(); i < share.end; i = share.take()) task(i);
    }
  };
  const auto region = [&] {
    tbb::this_task_arena::isolate([&] {
      tbb::task_group_context context(tbb::task_group_context::isolated);
      tbb::parallel_for(
          tbb::blocked_range<std::int64_t>(0, workers, 1), [&](const auto&) { work(); }, tbb::simple_partitioner(),
          context);
    });
  };
  bool done = false;
  try {
    done = run_region(region);
  } catch (...) {
  }
  if (!done) work();  // all that nobody has taken
}

/// As parallel_tasks, for a range of `size` items cut into chunks of `grain`: task(begin, end).
template <class Task>
void parallel_chunks(std::int64_t threads, std::int64_t size, std::int64_t grain, Task task) noexcept {
  const std::int64_t chunks = (size + grain - 1) / grain;
  parallel_tasks(threads, chunks, [&](std::int64_t chunk) {
    const std::int64_t begin = chunk * grain;
    task(begin, size - begin < grain ? size : begin + grain);
  });
}

}  // namespace rowmill
