// SPDX-License-Identifier: Apache-2.0
// What the tests of leaf kernels share. Each kernel of every instruction set is compared with the scalar one, bit for
// bit. The tests come from the kernel list, a file for each operation: a kernel without a check of its name does not
// compile. They need no oneTBB, so that they run under emulation too. The lists that kernels read ahead of their work
// end where a page ends: see support/pages.hpp.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "kernels/core/dispatch.hpp"
#include "tests/support/data.hpp"
#include "tests/support/pages.hpp"

namespace rowmill::test {

inline constexpr std::int64_t kRows = 61;

inline constexpr PrefetchArgs kPrefetches[] = {{CacheLevel::first, 3}, {CacheLevel::second, 32}};
inline PrefetchArgs prefetch;  // of the kernels: each check runs with all of these

template <class Id>
std::vector<Id> ids_as(const std::vector<std::int64_t>& ids) {
  return {ids.begin(), ids.end()};
}

class KernelTest : public testing::TestWithParam<const KernelTable*> {};

// X of a kernel list: the test of one kernel, which calls the check of its name.
#define ROWMILL_TEST_KERNEL(name, type)                                \
  TEST_P(KernelTest, name) {                                           \
    for (const PrefetchArgs& each : kPrefetches) {                     \
      prefetch = each;                                                 \
      check::name(GetParam()->name, supported_kernels().back()->name); \
    }                                                                  \
  }

}  // namespace rowmill::test
