// SPDX-License-Identifier: Apache-2.0
#include "kernels/core/parallel.hpp"

#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <atomic>

#include "kernels/core/fp_environment.hpp"

namespace rowmill {
namespace {

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

}  // namespace

void run_tasks(std::int64_t threads, std::int64_t count, void (*run)(const void* task, std::int64_t i),
               const void* task) noexcept {
  if (threads == 1 || count <= 1) {
    const FpEnvironment environment;
    for (std::int64_t i = 0; i < count; ++i) run(task, i);
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
      for (std::int64_t i = share.take(); i < share.end; i = share.take()) run(task, i);
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

}  // namespace rowmill
