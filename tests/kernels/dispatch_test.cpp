// SPDX-License-Identifier: Apache-2.0
// The instruction sets that kernels are tested on, and that no kernel is left out.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/kernels/kernel_test.hpp"

namespace rowmill::test {
namespace {

INSTANTIATE_TEST_SUITE_P(Isa, KernelTest, testing::ValuesIn(supported_kernels()),
                         [](const auto& test) { return std::string(test.param->isa); });

TEST(Dispatch, HasDistinctKernelsForEachInstructionSet) {
  const auto tables = supported_kernels();
  ASSERT_STREQ(tables.back()->isa, "scalar");
  for (std::size_t i = 0; i + 1 < tables.size(); ++i) {
#define ROWMILL_EXPECT_OWN(name, type) EXPECT_NE(tables[i]->name, tables[i + 1]->name);
    ROWMILL_KERNEL_LIST(ROWMILL_EXPECT_OWN)
#undef ROWMILL_EXPECT_OWN
  }
}

/// A part of the kernel list that no file of this folder tests compiles all the same.
TEST(Dispatch, EveryKernelHasATest) {
  std::set<std::string> tests;
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  for (int s = 0; s < all.total_test_suite_count(); ++s) {
    const testing::TestSuite& suite = *all.GetTestSuite(s);
    for (int t = 0; t < suite.total_test_count(); ++t) tests.insert(suite.GetTestInfo(t)->name());
  }
#define ROWMILL_EXPECT_TEST(name, type) EXPECT_EQ(tests.count(#name "/scalar"), 1U) << #name;
  ROWMILL_KERNEL_LIST(ROWMILL_EXPECT_TEST)
#undef ROWMILL_EXPECT_TEST
}

}  // namespace
}  // namespace rowmill::test
