// SPDX-License-Identifier: Apache-2.0
// Tests that run once for each instruction set of this machine and each of several thread counts.
#pragma once

#include <gtest/gtest.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>

#include <cstdint>
#include <string>
#include <tuple>

#include "kernels/core/dispatch.hpp"
#include "kernels/core/override_tuning.hpp"
#include "rowmill/isa.hpp"

namespace rowmill::test {

/// While it lives, kernels() is `table`.
class ScopedIsa {
 public:
  explicit ScopedIsa(const KernelTable* table) { override_kernels(table); }
  ~ScopedIsa() { override_kernels(nullptr); }
  ScopedIsa(const ScopedIsa&) = delete;
  ScopedIsa& operator=(const ScopedIsa&) = delete;
};

/// Runs f in an arena of `threads` threads, whatever the machine has. They share work from a fourth of the usual size
/// on, so that small tests go parallel.
template <class F>
void with_threads(int threads, F f) {
  override_tuning({.parallel_bytes = std::int64_t{1} << 18, .parallel_lookup_bytes = std::int64_t{1} << 18});
  const tbb::global_control control(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads));
  tbb::task_arena arena(threads);
  arena.execute(f);
}

using IsaAndThreads = std::tuple<const KernelTable*, int>;

class IsaTest : public testing::TestWithParam<IsaAndThreads> {
 protected:
  /// Runs f under this test's instruction set and thread count, and proves that both are in force.
  template <class F>
  void run(F f) const {
    const auto& [table, threads] = GetParam();
    const ScopedIsa isa(table);
    ASSERT_EQ(isa_name(), table->isa);
    with_threads(threads, [&, wanted = threads] {
      ASSERT_EQ(tbb::this_task_arena::max_concurrency(), wanted);
      f();
    });
  }
};

inline std::string isa_test_name(const testing::TestParamInfo<IsaAndThreads>& info) {
  return std::string(std::get<0>(info.param)->isa) + "_" + std::to_string(std::get<1>(info.param)) + "_threads";
}

#define ROWMILL_INSTANTIATE_ISA_TEST(suite)                                                                      \
  INSTANTIATE_TEST_SUITE_P(                                                                                      \
      Isa, suite, testing::Combine(testing::ValuesIn(::rowmill::supported_kernels()), testing::Values(1, 2, 7)), \
      ::rowmill::test::isa_test_name)

}  // namespace rowmill::test
