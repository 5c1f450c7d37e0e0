// SPDX-License-Identifier: Apache-2.0
// The threads of parallel regions. oneTBB starts a worker when a region first needs it; a start that the system refuses
// throws from there, and ends the process where a worker starts another. So no region may be the first to need them.
#pragma once

#include <tbb/task_arena.h>

#include <atomic>
#include <mutex>

namespace rowmill {

/// How many threads an arena may use, because their workers were started.
extern std::atomic<int> ready_threads;

/// Starts the workers that an arena of `threads` needs, and at least as many as the machine has processors, if oneTBB
/// may use them: one at a time, from the calling thread. Returns how many threads a region in that arena may use: all;
/// or those that there are, for the rest of the process, if the system refused one; or one, the calling thread, while
/// another starts workers.
int start_threads(int threads) noexcept;

/// How many threads a region in the caller's arena may use. Costs one load once they are started.
inline int available_threads() noexcept {
  const int threads = tbb::this_task_arena::max_concurrency();
  return threads <= ready_threads.load(std::memory_order_relaxed) ? threads : start_threads(threads);
}

/// After a refusal, all regions run in this arena of the threads that there are, one at a time: the demands of several
/// arenas can reach oneTBB in another order than they were made in, and it then starts one worker too many.
struct ArenaAfterRefusal {
  tbb::task_arena arena;
  std::mutex mutex{};
};

/// Null as long as the system has refused no thread.
extern std::atomic<ArenaAfterRefusal*> arena_after_refusal;

/// Calls region(): in the caller's arena, or in that one. Returns false, and has done nothing, if that is in use.
template <class Region>
bool run_region(const Region& region) {
  ArenaAfterRefusal* const one = arena_after_refusal.load(std::memory_order_acquire);
  if (one == nullptr) {
    region();
    return true;
  }
  const std::unique_lock lock(one->mutex, std::try_to_lock);
  if (lock) one->arena.execute(region);
  return lock.owns_lock();
}

}  // namespace rowmill
