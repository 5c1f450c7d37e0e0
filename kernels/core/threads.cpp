// SPDX-License-Identifier: Apache-2.0
#include "kernels/core/threads.hpp"

#include <tbb/global_control.h>
#include <tbb/info.h>
#include <tbb/task_scheduler_observer.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <limits>
#include <new>
#include <thread>

namespace rowmill {
namespace {

constexpr auto kParallelism = tbb::global_control::max_allowed_parallelism;
constexpr int kNotRefused = std::numeric_limits<int>::max();

/// How many threads may be used, once the system has refused one.
std::atomic<int> most_threads{kNotRefused};

// A round of starts: each worker that comes is held until the last has come, so that oneTBB needs another for the next
// task. All of it is static, because a task may find a thread only after its round.
std::atomic<int> open_round{0};
std::atomic<int> arrived{0};
std::atomic<int> left{0};
std::atomic<int> late{0};

void hold(int round) {
  int open = open_round.load();
  if (open >= round) {
    ++late;
    return;
  }
  ++arrived;
  for (; open < round; open = open_round.load()) open_round.wait(open);
}

/// Counts the workers that leave an arena.
class Exits final : public tbb::task_scheduler_observer {
 public:
  explicit Exits(tbb::task_arena& arena) : task_scheduler_observer(arena) { observe(true); }
  ~Exits() override { observe(false); }
  Exits(const Exits&) = delete;
  Exits& operator=(const Exits&) = delete;
  void on_scheduler_exit(bool is_worker) override { left += is_worker ? 1 : 0; }
};

/// Memory of an object that is never destroyed.
template <class T>
struct Everlasting {
  alignas(T) std::byte memory[sizeof(T)];

  template <class... Args>
  T& make(Args... args) {
    return *::new (static_cast<void*>(memory)) T{args...};
  }
};

/// One round, by recursion: each level has an arena of its own, for the calling thread and one worker.
class Round {
 public:
  explicit Round(int workers) : workers_(workers), number_(open_round.load() + 1) { arrived = left = late = 0; }

  /// Whether the system refused no thread.
  bool run() { return start(1); }

 private:
  bool start(int worker) {
    if (worker > workers_) {
      release();
      return true;
    }
    Everlasting<tbb::task_arena> place;
    tbb::task_arena* arena = nullptr;
    bool all = false;
    try {
      arena = &place.make(2);
      arena->initialize();
      const Exits exits(*arena);
      arena->enqueue([round = number_] { hold(round); });
      // The worker has come: so it starts no other one. It does not come where oneTBB may use fewer threads than an
      // arena has, and late where all workers are busy. Then nothing waits for any more.
      waiting_ = waiting_ && wait_until([worker] { return arrived >= worker; });
      all = start(worker + 1);
    } catch (...) {
      // The arena stays for ever: after a refusal, some versions of oneTBB never return from what it is asked next.
      release();
      keep_what_there_is();
      return false;
    }
    arena->~task_arena();
    return all;
  }

  /// Returns whether that was soon.
  template <class Condition>
  static bool wait_until(Condition condition) {
    constexpr std::chrono::milliseconds kPatience(50);
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }

  /// From now on no region needs another thread.
  static void keep_what_there_is() {
    static Everlasting<tbb::global_control> limit;  // lifting it, oneTBB would start more
    static Everlasting<ArenaAfterRefusal> arena;
    // A worker takes the task that the refused one was for, and may never return from that. When it is gone, oneTBB
    // counts right again.
    constexpr std::chrono::milliseconds kGone(2);
    if (wait_until([] { return late > 0; })) std::this_thread::sleep_for(kGone);
    const int workers = arrived;
    int threads = std::max(workers, 1);
    try {
      limit.make(kParallelism, static_cast<std::size_t>(std::max(workers, 1) + 1));
      ArenaAfterRefusal& one = arena.make(workers + 1);
      one.arena.initialize();
      arena_after_refusal = &one;
    } catch (...) {
      threads = 1;
    }
    most_threads = threads;
  }

  /// Lets the workers go, and waits until their arenas need them no more.
  void release() const {
    open_round = number_;
    open_round.notify_all();
    wait_until([] { return left >= arrived; });
  }

  int workers_;
  int number_;
  bool waiting_ = true;
};

}  // namespace

std::atomic<int> ready_threads{1};
std::atomic<ArenaAfterRefusal*> arena_after_refusal{nullptr};

int start_threads(int threads) noexcept {
  if (const int most = most_threads; most != kNotRefused) return std::min(threads, most);
  static std::mutex mutex;
  // Who starts them may be waiting for a worker that stands here: it must not wait.
  const std::unique_lock lock(mutex, std::try_to_lock);
  if (!lock) return 1;
  const auto allowed = static_cast<int>(tbb::global_control::active_value(kParallelism));
  if (allowed == 1) return 1;
  // Several arenas together can need as many as the machine has; more only where the caller allows more than that.
  const int needed = std::max(threads, std::min(allowed, tbb::info::default_concurrency()));
  if (ready_threads < needed && most_threads == kNotRefused && Round(needed - 1).run()) ready_threads = needed;
  return std::min(threads, most_threads.load());
}

}  // namespace rowmill
