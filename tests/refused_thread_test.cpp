// SPDX-License-Identifier: Apache-2.0
// The system refuses threads: every public operation still succeeds, with the bits of one thread. Each case is a
// process of its own, this program once more with arguments, because what is refused first matters.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "kernels/core/override_tuning.hpp"
#include "kernels/core/parallel.hpp"
#include "tests/refused_thread_operations.hpp"

extern char** environ;  // NOLINT: POSIX's

namespace {
std::atomic<int> starts{0};
std::atomic<int> refuse_from{0};  // 1 is the first start; 0 refuses none
std::atomic<int> refuse_to{0};
}  // namespace

/// Stands before the C library's; counts and refuses the starts of oneTBB alone.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*routine)(void*), void* arg) {
  static const auto real = reinterpret_cast<decltype(&pthread_create)>(dlsym(RTLD_NEXT, "pthread_create"));
  Dl_info info;
  const void* const caller = __builtin_return_address(0);
  if (dladdr(caller, &info) != 0 && info.dli_fname != nullptr && std::strstr(info.dli_fname, "libtbb") != nullptr) {
    const int start = ++starts;
    if (refuse_from != 0 && start >= refuse_from && start <= refuse_to) return EAGAIN;
  }
  return real(thread, attributes, routine, arg);
}

namespace rowmill::test {
namespace {

// ---- The child: one process, one case.

/// How many threads meet in a region of `wanted` tasks, each of which waits for the others: for five seconds of
/// processor time, because a busy machine may let none of them run for longer than that.
int threads_that_meet(int wanted) {
  std::atomic<int> met{0};
  const std::clock_t end = std::clock() + 5 * CLOCKS_PER_SEC;
  parallel_tasks(wanted, wanted, [&](std::int64_t) {
    ++met;
    while (met < wanted && std::clock() < end) std::this_thread::yield();
  });
  return std::clock() < end ? wanted : 1;
}

/// Ends a child that hangs. Its clock stands still while the process is stopped: signals that wait are one.
void end_after_two_minutes() {
  struct sigaction action {};
  action.sa_flags = SA_RESTART;
  action.sa_handler = [](int) {
    static volatile std::sig_atomic_t seconds = 0;
    seconds = seconds + 1;
    if (seconds < 120) return;
    std::signal(SIGALRM, SIG_DFL);
    std::raise(SIGALRM);
  };
  const itimerval each_second = {{1, 0}, {1, 0}};
  if (::sigaction(SIGALRM, &action, nullptr) != 0 || ::setitimer(ITIMER_REAL, &each_second, nullptr) != 0) std::abort();
}

/// No thread may be started, by the limit that a container or `ulimit -u` sets. It does not hold for root.
void limit_threads() {
  const rlimit one = {1, 1};
  if (setrlimit(RLIMIT_NPROC, &one) != 0) std::abort();
  constexpr uid_t kNobody = 65534;
  if (geteuid() == 0 && setuid(kNobody) != 0) std::abort();
}

struct Case {
  int first = 0;     // refused start; 0: the system's limit
  bool last = true;  // whether all later ones are refused too
  int arena = 0;
  bool control = true;  // whether the caller allows as many threads as the arena has
  int operation = 0;    // which comes first: all others follow
};

/// Runs the operations on one thread; then with the refusal, in order from operation `c.operation` on.
int run_child(const Case& c) {
  constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
  override_tuning({.parallel_bytes = kNever, .parallel_lookup_bytes = kNever, .parallel_plan_ids = kNever});
  std::vector<std::uint64_t> expected;
  for (const auto& [name, run] : operations()) expected.push_back(run());
  override_tuning({.parallel_bytes = std::int64_t{1} << 18,
                   .parallel_lookup_bytes = std::int64_t{1} << 18});  // all of them have work for several threads
  if (starts != 0) return 2;

  std::optional<tbb::global_control> control;
  if (c.control) {
    control.emplace(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(c.arena));
  }
  if (c.first == 0) {
    limit_threads();
  } else {
    refuse_to = c.last ? std::numeric_limits<int>::max() : c.first;
    refuse_from = c.first;
  }
  int failures = 0;
  tbb::task_arena arena(c.arena);
  arena.execute([&] {
    for (std::size_t k = 0; k < operations().size(); ++k) {
      const std::size_t i = (k + static_cast<std::size_t>(c.operation)) % operations().size();
      const auto& [name, run] = operations()[i];
      try {
        if (run() == expected[i]) continue;
        std::fprintf(stderr, "%s: other bits\n", name.c_str());
      } catch (const std::exception& e) {
        std::fprintf(stderr, "%s: %s\n", name.c_str(), e.what());
      }
      ++failures;
    }
    // One worker is lost with the refused start, now and then two; on a busy machine more come too late to be counted.
    const int usable = std::min(c.arena, c.first) >= 6 ? 2 : 1;
    if (c.control && c.last && threads_that_meet(usable) != usable) {
      std::fprintf(stderr, "not %d threads at work\n", usable);
      ++failures;
    }
  });
  return failures == 0 ? 0 : 1;
}

// ---- The parent.

std::string describe(const Case& c) {
  return (c.first == 0 ? std::string("the limit on threads")
                       : "start " + std::to_string(c.first) + (c.last ? " and later ones" : " alone")) +
         ", an arena of " + std::to_string(c.arena) + (c.control ? "" : " without global_control") + ", first " +
         operations()[static_cast<std::size_t>(c.operation)].first;
}

/// Runs the cases, some at a time: a newer oneTBB sleeps between its own attempts.
void run_all(std::vector<Case> cases) {
  constexpr std::size_t kAtOnce = 6;
#ifdef __SANITIZE_THREAD__
  std::erase_if(cases, [n = 0](const Case&) mutable { return n++ % 4 != 0; });  // each takes some seconds with it
#endif
  std::map<pid_t, Case> running;
  const auto wait_for_one = [&] {
    int status = 0;
    const pid_t pid = wait(&status);
    ASSERT_TRUE(running.contains(pid));
    EXPECT_EQ(status, 0) << describe(running[pid]) << ": "
                         << (WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "it says why above");
    running.erase(pid);
  };
  for (const Case& c : cases) {
    if (running.size() == kAtOnce) wait_for_one();
    const std::string arguments[] = {"/proc/self/exe",        std::to_string(c.first),   std::to_string(c.last),
                                     std::to_string(c.arena), std::to_string(c.control), std::to_string(c.operation)};
    std::vector<char*> argv;
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    pid_t pid = 0;
    ASSERT_EQ(posix_spawn(&pid, argv[0], nullptr, nullptr, argv.data(), environ), 0);
    running[pid] = c;
  }
  while (!running.empty()) wait_for_one();
}

int operation_number(std::size_t i) { return static_cast<int>(i % operations().size()); }

TEST(RefusedThread, EveryStartFromTheFirstToTheEighth) {
  std::vector<Case> cases;
  for (const int arena : {2, 9}) {
    for (const bool last : {true, false}) {
      for (const int first : {1, 2, 3, 4, 5, 6, 7, 8}) {
        cases.push_back({first, last, arena, true, operation_number(cases.size())});
      }
    }
  }
  run_all(cases);
}

TEST(RefusedThread, EveryOperationMayBeTheFirst) {
  std::vector<Case> cases;
  for (std::size_t i = 0; i < operations().size(); ++i) {
    cases.push_back({1 + static_cast<int>(i % 8), i % 3 != 0, 9, true, operation_number(i)});
  }
  run_all(cases);
}

TEST(RefusedThread, AnArenaLargerThanTheCallerAllows) {
  run_all({{1, true, 9, false, 0}, {2, true, 9, false, 3}, {7, true, 9, false, 9}, {7, false, 9, false, 3}});
}

TEST(RefusedThread, TheLimitOfTheSystem) { run_all({{0, true, 2, true, 3}, {0, true, 9, true, 9}}); }

TEST(RefusedThread, WithoutARefusalAllThreadsAreThere) { run_all({{100, true, 9, true, 0}, {100, true, 2, true, 0}}); }

}  // namespace
}  // namespace rowmill::test

int main(int argc, char** argv) {
  if (argc == 6 && argv[1][0] != '-') {
    rowmill::test::end_after_two_minutes();
    return rowmill::test::run_child(
        {std::stoi(argv[1]), std::stoi(argv[2]) != 0, std::stoi(argv[3]), std::stoi(argv[4]) != 0, std::stoi(argv[5])});
  }
  // For the children: looking for leaks needs a thread, and the thread sanitizer waits a second when a process ends.
  setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
  setenv("TSAN_OPTIONS", "atexit_sleep_ms=0", 0);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
