// SPDX-License-Identifier: Apache-2.0
// What the caller's surroundings must not change: its floating-point environment, its cancelled task groups, its other
// tasks; and the number of threads that a caller in C allows.
#include <tbb/parallel_for.h>
#include <tbb/task_group.h>

#include <atomic>
#include <cfenv>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "kernels/core/phases.hpp"
#include "kernels/reference/reference.hpp"
#include "rowmill/c.h"
#include "rowmill/rowmill.hpp"
#include "tests/support/data.hpp"
#include "tests/support/isa_test.hpp"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace rowmill::test {
namespace {

class EnvironmentTest : public IsaTest {};
ROWMILL_INSTANTIATE_ISA_TEST(EnvironmentTest);

/// A batch whose sums are denormal, and round differently in every mode.
struct Batch {
  std::vector<std::int64_t> ids = id_cases(61, 4000, 40).back().ids;
  GuardedTable values = GuardedTable(4000, 100);
  GuardedTable table = GuardedTable(61, 100);

  Batch() {
    values.fill(41);
    for (std::int64_t r = 0; r < 4000; ++r) {
      for (float& x : values.view().row(r)) x *= r % 2 == 0 ? 1e-38F : 1.0F;
    }
    table.fill(42);
    for (float& x : table.view().row(0)) x = 1e-41F;
  }
};

#if defined(__x86_64__)
TEST_P(EnvironmentTest, FlushToZeroAndRoundingModesChangeNothing) {
  run([] {
    const Batch batch;
    GuardedTable expected = batch.table;
    reference::scatter_add(expected.view(), batch.ids, batch.values.view(), OutOfRange::error);
    GuardedTable expected_adam = batch.table;
    Optimizer adam(AdamOptions{}, 61, 100);
    const Plan plan(batch.ids, 61);
    adam.step(expected_adam.view(), plan, batch.values.view());
    const Table expected_init(61, 17, {.initializer = Initializer::normal(0, 1e-38F)});
    const Optimizer adagrad(AdagradOptions{.initial_accumulator = 0.7}, 3, 5);
    const Optimizer small(AdagradOptions{.initial_accumulator = 1e-41}, 3, 5);

    const unsigned saved = _mm_getcsr();
    constexpr unsigned kFtz = 0x8000;
    constexpr unsigned kDaz = 0x0040;
    constexpr unsigned kUp = 0x4000;
    constexpr unsigned kDown = 0x2000;
    for (const unsigned mode : {kFtz | kDaz, kFtz | kUp, kDown, kUp | kDown}) {
      GuardedTable table = batch.table;
      GuardedTable arena_table = batch.table;
      GuardedTable adam_table = batch.table;
      Optimizer adam2(AdamOptions{}, 61, 100);
      _mm_setcsr(saved | mode);
      scatter_add(table.view(), batch.ids, batch.values.view());
      // An arena gives its tasks the modes that it was made in.
      with_threads(tbb::this_task_arena::max_concurrency(),
                   [&] { scatter_add(arena_table.view(), batch.ids, batch.values.view()); });
      adam2.step(adam_table.view(), Plan(batch.ids, 61), batch.values.view());
      const Table init(61, 17, {.initializer = Initializer::normal(0, 1e-38F)});
      const Initializer trax = Initializer::scaled_uniform_fan_out(7);
      const Optimizer adagrad2(AdagradOptions{.initial_accumulator = 0.7}, 3, 5);
      const Optimizer small2(AdagradOptions{.initial_accumulator = 1e-41}, 3, 5);
      const unsigned after = _mm_getcsr();
      _mm_setcsr(saved);
      constexpr unsigned kStickyFlags = 0x3F;
      EXPECT_EQ(after & ~kStickyFlags, (saved | mode) & ~kStickyFlags) << "the caller's modes must come back";
      EXPECT_TRUE(same(table.view(), expected.view()));
      EXPECT_TRUE(same(arena_table.view(), expected.view()));
      EXPECT_TRUE(same(adam_table.view(), expected_adam.view()));
      EXPECT_TRUE(same(init.view(), expected_init.view()));
      EXPECT_EQ(trax.b, Initializer::scaled_uniform_fan_out(7).b);
      EXPECT_TRUE(same(adagrad2.state()[0], adagrad.state()[0]));
      EXPECT_TRUE(same(small2.state()[0], small.state()[0]));
    }
  });
}
#endif

TEST_P(EnvironmentTest, ACancelledGroupOfTheCallersLeavesNothingHalfDone) {
  run([] {
    const Batch batch;
    GuardedTable expected = batch.table;
    reference::scatter_add(expected.view(), batch.ids, batch.values.view(), OutOfRange::error);
    GuardedTable table = batch.table;
    GuardedTable out(4000, 100);
    tbb::task_group group;
    group.run_and_wait([&] {
      group.cancel();
      gather(batch.table.view(), batch.ids, out.view());
      scatter_add(table.view(), batch.ids, batch.values.view());
    });
    EXPECT_TRUE(same(table.view(), expected.view()));
    GuardedTable expected_out(4000, 100);
    reference::gather(batch.table.view(), batch.ids, expected_out.view(), OutOfRange::error);
    EXPECT_TRUE(same(out.view(), expected_out.view()));
  });
}

// Three threads: one gathers; one holds a piece of that gather until the first has nothing to do but wait; one then
// offers other tasks of the caller's, which the waiting thread must leave alone, for they may call the library.
TEST(Isolation, AWaitingThreadDoesNotEnterTheLibraryAgain) {
  static thread_local bool inside = false;
  static std::atomic<bool> held;
  static std::atomic<bool> released;
  // Without a third thread there is nothing to see: the waits below end then.
  static constexpr auto wait = [](const std::atomic<bool>& flag, std::chrono::milliseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!flag && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  };
  static constexpr std::chrono::milliseconds kLong(5000);
  held = released = false;
  KernelTable holding = kernels();
  holding.gather_f32_i64 = [](const GatherArgs<std::int64_t>&) {
    if (inside) {
      wait(held, kLong);
    } else if (!held.exchange(true)) {
      wait(released, kLong);
    }
  };
  const ScopedIsa isa(&holding);
  const Batch batch;
  GuardedTable out(4000, 100);
  std::atomic<bool> entered{false};
  with_threads(3, [&] {
    tbb::task_group group;
    group.run([&] {
      wait(held, kLong);
      for (int i = 0; i < 10; ++i) {
        group.run([&] {
          if (inside) entered = true;
        });
      }
      wait(entered, std::chrono::milliseconds(50));
      released = true;
    });
    inside = true;
    gather(batch.table.view(), batch.ids, out.view());
    inside = false;
    group.wait();
  });
  EXPECT_FALSE(entered.load());
}

/// A kernel that tells the size of the arena it runs in.
TEST(CInterface, RunsOnAsManyThreadsAsItMay) {
  static std::atomic<int> threads;
  KernelTable watching = kernels();
  watching.gather_f32_i64 = [](const GatherArgs<std::int64_t>&) { threads = tbb::this_task_arena::max_concurrency(); };
  const ScopedIsa isa(&watching);
  Batch batch;
  GuardedTable out(4000, 100);
  const auto view = [](const TableView& v) {
    return rowmill_view{v.data(), v.rows(), v.dim(), v.row_stride(), nullptr, ROWMILL_FLOAT32};
  };
  const rowmill_view table_view = view(batch.table.view());
  const rowmill_view out_view = view(out.view());
  const rowmill_ids ids = rowmill_make_ids(batch.ids.data(), 4000, ROWMILL_INT64);
  with_threads(7, [&] {
    for (const auto& [limit, expected] : std::vector<std::pair<int, int>>{{1, 1}, {3, 3}, {7, 7}, {8, 7}, {0, 7}}) {
      ASSERT_EQ(rowmill_set_threads(limit), ROWMILL_OK);
      ASSERT_EQ(rowmill_gather(&table_view, &ids, &out_view, nullptr), ROWMILL_OK);
      EXPECT_EQ(threads.load(), expected) << limit;
    }
  });
}

TEST(ParallelTest, RunsEveryItemOnceOnAnyNumberOfThreads) {
  for (const int threads : {2, 7, 100}) {  // also more than there are shares
    with_threads(threads, [&] {
      for (const std::int64_t count : {2, 63, 64, 65, 1000}) {
        std::vector<std::atomic<int>> runs(static_cast<std::size_t>(count));
        parallel_tasks(threads, count, [&](std::int64_t i) { ++runs[static_cast<std::size_t>(i)]; });
        for (const std::atomic<int>& n : runs) EXPECT_EQ(n, 1);
      }
    });
  }
}

TEST(ParallelTest, RunsPhasesOneAfterAnother) {
  const std::vector<std::int64_t> counts = {1, PhaseTasks::kMaxTasks, 3, 1, 32, 2, 64};
  for (const int threads : {1, 2, 7}) {
    for (const bool waits : {false, true}) {  // so long that who has no more to do falls asleep
      with_threads(threads, [&] {
        std::vector<std::atomic<int>> runs(PhaseTasks::kMaxTasks);
        std::size_t phase = 0;
        const auto next = [&]() -> std::int64_t {
          for (std::size_t i = 0; i < runs.size(); ++i) {
            EXPECT_EQ(runs[i].exchange(0), phase > 0 && static_cast<std::int64_t>(i) < counts[phase - 1] ? 1 : 0);
          }
          return phase == counts.size() ? 0 : counts[phase++];
        };
        parallel_phases(threads, next, [&](std::int64_t i) {
          if (waits && i == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
          ++runs[static_cast<std::size_t>(i)];
        });
        EXPECT_EQ(phase, counts.size());
      });
    }
  }
}

}  // namespace
}  // namespace rowmill::test
