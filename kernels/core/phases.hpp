// SPDX-License-Identifier: Apache-2.0
// Several phases of parallel tasks in one region, so that its threads are woken once.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "kernels/core/parallel.hpp"

namespace rowmill {

/// What the threads of parallel_phases share.
///
/// A phase is announced by a number that grows, together with its count of tasks. A task is claimed by writing the
/// phase's number over a smaller one: so a thread that comes late, with a phase that is over, finds nothing to claim.
class PhaseTasks {
 public:
  static constexpr std::uint32_t kMaxTasks = 512;

  /// Begins the next phase; one of 0 tasks is the last. No task may be running.
  void begin(std::int64_t count) {
    left_.store(static_cast<std::uint32_t>(count), std::memory_order_relaxed);
    const std::uint32_t phase = (announced_.load(std::memory_order_relaxed) >> kCountBits) + 1;
    announced_.store(phase << kCountBits | static_cast<std::uint32_t>(count), std::memory_order_release);
    announced_.notify_all();
  }

  /// Takes part until the last phase: begins with task `own`, then goes on with the others in turn.
  template <class Next, class Task>
  void work(std::int64_t own, std::int64_t threads, Next& next, Task& task) {
    for (std::uint32_t now = announced_.load(std::memory_order_acquire);; now = wait(now)) {
      const std::uint32_t phase = now >> kCountBits;
      const std::uint32_t count = now & kCountMask;
      if (count == 0) return;
      const auto first = static_cast<std::uint32_t>(count * (own % threads) / threads);
      for (std::uint32_t k = 0; k < count; ++k) {
        const std::uint32_t i = first + k < count ? first + k : first + k - count;
        if (!claim(i, phase)) continue;
        task(static_cast<std::int64_t>(i));
        if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) begin(next());
      }
    }
  }

 private:
  static constexpr std::uint32_t kCountBits = 16;
  static constexpr std::uint32_t kCountMask = (1U << kCountBits) - 1;

  bool claim(std::uint32_t task, std::uint32_t phase) {
    std::uint32_t claimed = claimed_[task].load(std::memory_order_relaxed);
    return claimed < phase && claimed_[task].compare_exchange_strong(claimed, phase, std::memory_order_relaxed);
  }

  /// Until another phase than that of `now` is announced. Most phases end soon after a thread has no more to do in
  /// them, sooner than a thread that sleeps wakes up. But where threads have no core each, one that spins keeps others
  /// from working.
  std::uint32_t wait(std::uint32_t now) const {
    constexpr std::chrono::microseconds kSpin(50);
    constexpr int kLooksBetween = 64;
    const auto end = std::chrono::steady_clock::now() + kSpin;
    for (;;) {
      for (int look = 0; look < kLooksBetween; ++look) {
        const std::uint32_t announced = announced_.load(std::memory_order_acquire);
        if (announced != now) return announced;
        pause();
      }
      if (std::chrono::steady_clock::now() > end) break;
    }
    announced_.wait(now, std::memory_order_acquire);
    return announced_.load(std::memory_order_acquire);
  }

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  std::atomic<std::uint32_t> announced_{0};
  alignas(64) std::atomic<std::uint32_t> left_{0};
  alignas(64) std::array<std::atomic<std::uint32_t>, kMaxTasks> claimed_{};
};

/// Runs phases one after another, in one region of parallel_tasks: `next()` prepares a phase and returns how many tasks
/// it has, at most PhaseTasks::kMaxTasks, or 0 after the last one; then task(i) is called for i in 0 .. count-1, in any
/// order and on up to `threads` threads. next() is called by one of them, while no task runs. Neither may throw. There
/// may be 65,000 phases.
///
/// Between two phases no thread leaves the region, which costs more than short phases take: a thread that sleeps wakes
/// up in about the time of such a phase. A thread that has no more to do waits for the next phase, at first awake.
template <class Next, class Task>
void parallel_phases(std::int64_t threads, Next next, Task task) noexcept {
  const FpEnvironment environment;
  if (threads == 1) {
    for (std::int64_t count = next(); count > 0; count = next()) {
      for (std::int64_t i = 0; i < count; ++i) task(i);
    }
    return;
  }
  PhaseTasks tasks;
  tasks.begin(next());
  parallel_tasks(threads, threads, [&](std::int64_t) {
    const std::int64_t own = std::max(tbb::this_task_arena::current_thread_index(), 0);
    tasks.work(own, threads, next, task);
  });
}

}  // namespace rowmill
