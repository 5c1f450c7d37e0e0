// SPDX-License-Identifier: Apache-2.0
// How many threads work on a call, and the loops that they share.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/core/fp_environment.hpp"
#include "kernels/core/threads.hpp"
#include "kernels/core/tuning.hpp"

namespace rowmill {

/// How many threads a region of `bytes` of traffic may use here. When this returns they were started, so that the
/// system can refuse none later.
inline std::int64_t concurrency_for(std::int64_t bytes) noexcept {
  return bytes < tuning().parallel_bytes ? 1 : available_threads();
}

/// The same for a lookup, which writes no row.
inline std::int64_t concurrency_for_lookup(std::int64_t bytes) noexcept {
  return bytes < tuning().parallel_lookup_bytes ? 1 : available_threads();
}

/// The same for grouping so many ids.
inline std::int64_t concurrency_for_plan(std::int64_t ids) noexcept {
  return ids < tuning().parallel_plan_ids ? 1 : available_threads();
}

/// Rows for one task of a region over `rows` rows of `row_bytes` traffic each: so many tasks that threads which finish
/// early find more to do, and none so small that starting it shows. Each thread has as many as the others.
inline std::int64_t rows_per_task(std::int64_t rows, std::int64_t row_bytes, std::int64_t threads) {
  constexpr std::int64_t kTasksPerThread = 16;
  constexpr std::int64_t kMinBytes = std::int64_t{1} << 19;
  const std::int64_t min_rows = std::max(kMinBytes / row_bytes, std::int64_t{1});
  const std::int64_t tasks = threads * std::clamp(rows / (threads * min_rows), std::int64_t{1}, kTasksPerThread);
  return std::max((rows + tasks - 1) / tasks, std::int64_t{1});
}

/// As parallel_tasks, which it is compiled once for: oneTBB's templates are large.
void run_tasks(std::int64_t threads, std::int64_t count, void (*run)(const void* task, std::int64_t i),
               const void* task) noexcept;

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
void parallel_tasks(std::int64_t threads, std::int64_t count, const Task& task) noexcept {
  const auto run = [](const void* of, std::int64_t i) { (*static_cast<const Task*>(of))(i); };
  run_tasks(threads, count, run, &task);
}

/// As parallel_tasks, for a range of `size` items cut into chunks of `grain`: task(begin, end).
template <class Task>
void parallel_chunks(std::int64_t threads, std::int64_t size, std::int64_t grain, const Task& task) noexcept {
  const std::int64_t chunks = (size + grain - 1) / grain;
  parallel_tasks(threads, chunks, [&](std::int64_t chunk) {
    const std::int64_t begin = chunk * grain;
    task(begin, size - begin < grain ? size : begin + grain);
  });
}

}  // namespace rowmill
