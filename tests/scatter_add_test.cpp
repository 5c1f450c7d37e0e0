// SPDX-License-Identifier: Apache-2.0
#include "rowmill/scatter_add.hpp"

#include "kernels/reference/reference.hpp"
#include "tests/support/data.hpp"
#include "tests/support/isa_test.hpp"

namespace rowmill::test {
namespace {

class ScatterAddTest : public IsaTest {};
ROWMILL_INSTANTIATE_ISA_TEST(ScatterAddTest);

template <StorageType T = float>
void expect_scatter_add(std::int64_t rows, Ids ids, const ConstTableView& values, OutOfRange policy) {
  const auto start = BasicGuardedTable<T>(rows, values.dim()).fill(5);
  auto expected = start;
  reference::scatter_add(expected.view(), ids, values, policy);

  auto table = start;
  scatter_add(table.view(), ids, values, {.out_of_range = policy});
  EXPECT_TRUE(same(table.view(), expected.view()));
  EXPECT_TRUE(table.guards_intact());

  auto planned = start;
  scatter_add(planned.view(), Plan(ids, rows, policy), values);
  EXPECT_TRUE(same(planned.view(), expected.view())) << "with a plan";
  EXPECT_TRUE(planned.guards_intact());
}

TEST_P(ScatterAddTest, EqualsTheLoop) {
  run([] {
    constexpr std::int64_t kRows = 61;
    for (const std::int64_t dim : kDims) {
      // Enough ids that even narrow rows are worth several threads.
      for (const IdCase& batch : id_cases(kRows, dim < 16 ? 30000 : 2500, 6)) {
        SCOPED_TRACE("dim " + std::to_string(dim) + ", ids: " + batch.name);
        const auto n = static_cast<std::int64_t>(batch.ids.size());
        const GuardedTable values = GuardedTable(n, dim, 3).fill(7, batch.name == "uniform");
        expect_scatter_add(kRows, batch.ids, values.view(), OutOfRange::error);
        expect_scatter_add(kRows, narrow(batch.ids), values.view(), OutOfRange::error);
        expect_scatter_add<Bf16>(kRows, batch.ids, values.view(), OutOfRange::error);
        if (dim >= 16 && dim < 100) expect_scatter_add<F16>(kRows, batch.ids, values.view(), OutOfRange::error);
      }
    }
  });
}

TEST_P(ScatterAddTest, EqualsTheLoopForValuesOf16Bits) {
  run([] {
    constexpr std::int64_t kRows = 61;
    const std::vector<std::int64_t> ids = id_cases(kRows, 5000, 6).back().ids;
    for (const std::int64_t dim : {3, 65}) {
      const auto values = GuardedBf16Table(5000, dim, 3).fill(7);
      const auto f16_values = GuardedF16Table(5000, dim, 3).fill(8, dim == 3);
      for_each_float_type([&]<class T>() {
        expect_scatter_add<T>(kRows, ids, values.view(), OutOfRange::error);
        expect_scatter_add<T>(kRows, narrow(ids), f16_values.view(), OutOfRange::zero);
      });
    }
  });
}

TEST_P(ScatterAddTest, AppliesPolicies) {
  run([] {
    constexpr std::int64_t kRows = 11;
    const std::vector<std::int64_t> wild = {0, -1, 10, 11, -12, 1LL << 31, -(1LL << 40), 5, (1LL << 32) + 3};
    for (const std::size_t count : {std::size_t{9}, std::size_t{20000}}) {
      std::vector<std::int64_t> ids;
      std::vector<std::int64_t> negative;
      for (std::size_t i = 0; i < count; ++i) {
        ids.push_back(wild[i % wild.size()]);
        negative.push_back(static_cast<std::int64_t>(i % 22) - 11);
      }
      const GuardedTable values = GuardedTable(static_cast<std::int64_t>(count), 17).fill(8);
      expect_scatter_add(kRows, ids, values.view(), OutOfRange::clip);
      expect_scatter_add(kRows, ids, values.view(), OutOfRange::zero);
      expect_scatter_add(kRows, negative, values.view(), OutOfRange::wrap_negative);
      expect_scatter_add(kRows, narrow(negative), values.view(), OutOfRange::wrap_negative);
      expect_scatter_add(kRows, narrow(negative), values.view(), OutOfRange::zero);
    }
  });
}

TEST_P(ScatterAddTest, AddsARowOfEachBag) {
  run([] {
    constexpr std::int64_t kRows = 500;
    const std::vector<std::int64_t> ids = id_cases(kRows, 12000, 16).back().ids;  // some thousands out of range
    const Bags bags(ids, 3000, 4);
    const GuardedTable values = GuardedTable(bags.size(), 33, 1).fill(17);
    std::vector<float> repeated;
    for (std::int64_t b = 0; b < bags.size(); ++b) {
      for (int k = 0; k < 4; ++k)
        repeated.insert(repeated.end(), values.view().row(b).begin(), values.view().row(b).end());
    }
    for (const std::int64_t rows : {kRows, kRows / 2}) {
      const GuardedTable start = GuardedTable(rows, 33).fill(18);
      GuardedTable expected = start;
      reference::scatter_add(expected.view(), ids, {repeated.data(), 12000, 33}, OutOfRange::zero);
      auto table = start;
      scatter_add(table.view(), Plan(bags, rows, OutOfRange::zero), values.view());
      EXPECT_TRUE(same(table.view(), expected.view())) << rows << " rows";
      EXPECT_TRUE(table.guards_intact());
    }
  });
}

TEST_P(ScatterAddTest, AddsABroadcastRow) {
  run([] {
    std::vector<float> ones(16, 1.0F);
    std::vector<float> counts(16 * 3);
    const std::vector<std::int32_t> ids = {2, 0, 2, 2};
    scatter_add(TableView(counts.data(), 3, 16), ids, ConstTableView(ones.data(), 4, 16, 0));
    EXPECT_EQ(counts[0], 1);
    EXPECT_EQ(counts[16], 0);
    EXPECT_EQ(counts[47], 3);
  });
}

TEST_P(ScatterAddTest, UsesTheWorkspaceGiven) {
  run([] {
    const std::vector<std::int64_t> ids = id_cases(100, 5000, 9).back().ids;
    const GuardedTable values = GuardedTable(5000, 64).fill(10);
    GuardedTable table(100, 64);
    table.fill(11);
    Workspace workspace(scatter_add_memory_required(5000));
    const std::size_t capacity = workspace.capacity();
    scatter_add(table.view(), ids, values.view(), {}, &workspace);
    EXPECT_EQ(workspace.capacity(), capacity) << "memory_required promised too little";
  });
}

}  // namespace
}  // namespace rowmill::test
