// SPDX-License-Identifier: Apache-2.0
#include "rowmill/pool.hpp"

#include <algorithm>

#include "kernels/reference/reference.hpp"
#include "rowmill/embedding_bag.hpp"
#include "rowmill/error.hpp"
#include "tests/support/data.hpp"
#include "tests/support/isa_test.hpp"

namespace rowmill::test {
namespace {

class PoolTest : public IsaTest {};
ROWMILL_INSTANTIATE_ISA_TEST(PoolTest);

/// Offsets of bags of up to `longest` ids, some empty, that hold `count` ids in all.
std::vector<std::int64_t> any_offsets(std::int64_t count, std::int64_t longest, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::int64_t> offsets = {0, 0};
  while (offsets.back() < count) {
    const auto length = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(longest + 1));
    offsets.push_back(std::min(offsets.back() + length, count));
  }
  offsets.push_back(count);
  return offsets;
}

template <StorageType Out = float>
void expect_pool(const ConstTableView& table, const Bags& bags, OutOfRange policy = OutOfRange::error) {
  for (const Pooling pooling : {Pooling::sum, Pooling::mean}) {
    BasicGuardedTable<Out> out(bags.size(), table.dim(), 3);
    BasicGuardedTable<Out> expected(bags.size(), table.dim());
    reference::pool(table, bags, expected.view(), {.pooling = pooling, .out_of_range = policy});
    Workspace workspace(pool_memory_required(bags.ids().size()));
    const std::size_t capacity = workspace.capacity();
    pool(table, bags, out.view(), {.pooling = pooling, .out_of_range = policy}, &workspace);
    EXPECT_TRUE(same(out.view(), expected.view()));
    EXPECT_TRUE(out.guards_intact());
    EXPECT_EQ(workspace.capacity(), capacity) << "pool_memory_required promised too little";
  }
}

TEST_P(PoolTest, EqualsTheReferenceInBf16) {
  run([] {
    constexpr std::int64_t kRows = 61;
    for (const std::int64_t dim : kDims) {
      const auto table = GuardedBf16Table(kRows, dim, dim % 7).fill(1, true);
      for (const IdCase& batch : id_cases(kRows, 1200, 2)) {
        SCOPED_TRACE("dim " + std::to_string(dim) + ", ids: " + batch.name);
        const auto offsets = any_offsets(static_cast<std::int64_t>(batch.ids.size()), 40, 3);
        for (const auto policy : {OutOfRange::error, OutOfRange::zero}) {
          expect_pool<Bf16>(table.view(), Bags(batch.ids, offsets), policy);
          expect_pool<float>(table.view(), Bags(batch.ids, offsets), policy);
          expect_pool<Bf16>(table.view(), Bags(narrow(batch.ids), narrow(offsets)), policy);
          expect_pool<float>(table.view(), Bags(narrow(batch.ids), narrow(offsets)), policy);
        }
      }
    }
  });
}

TEST_P(PoolTest, EqualsTheReference) {
  run([] {
    constexpr std::int64_t kRows = 61;
    for (const std::int64_t dim : kDims) {
      const GuardedTable table = GuardedTable(kRows, dim, dim % 7).fill(1, true);
      for (const IdCase& batch : id_cases(kRows, 1200, 2)) {
        SCOPED_TRACE("dim " + std::to_string(dim) + ", ids: " + batch.name);
        const auto n = static_cast<std::int64_t>(batch.ids.size());
        for (const std::int64_t longest : {3, 400}) {
          const auto offsets = any_offsets(n, longest, 3);
          expect_pool(table.view(), Bags(batch.ids, offsets));
          expect_pool(table.view(), Bags(narrow(batch.ids), narrow(offsets)));
        }
        expect_pool(table.view(), Bags(batch.ids, n, 1));
        expect_pool(table.view(), Bags(batch.ids, 1, n));
        if (n % 8 == 0) expect_pool(table.view(), Bags(narrow(batch.ids), n / 8, 8));
      }
    }
  });
}

TEST_P(PoolTest, AppliesPolicies) {
  run([] {
    std::vector<std::int64_t> ids = {0, -1, 10, 11, -12, 1LL << 31, -(1LL << 40), 5, (1LL << 32) + 3};
    for (int i = 0; i < 2000; ++i) ids.push_back(ids[static_cast<std::size_t>(i) % 9]);
    const auto offsets = any_offsets(static_cast<std::int64_t>(ids.size()), 4, 4);
    const GuardedTable table = GuardedTable(11, 100).fill(5);
    expect_pool(table.view(), Bags(ids, offsets), OutOfRange::zero);
    expect_pool(table.view(), Bags(ids, offsets), OutOfRange::clip);
    expect_pool(table.view(), Bags(ids, offsets), OutOfRange::skip);
    const std::vector<std::int32_t> negative = {-1, -11, 10, 0};
    expect_pool(table.view(), Bags(negative, 2, 2), OutOfRange::wrap_negative);
  });
}

TEST_P(PoolTest, BagsWithoutIdsAreZero) {
  run([] {
    const GuardedTable table = GuardedTable(3, 17).fill(6);
    const std::vector<std::int64_t> none;
    const std::vector<std::int64_t> offsets(5, 0);
    expect_pool(table.view(), Bags(none, offsets));
    expect_pool(table.view(), Bags(none, 4, 0));
    expect_pool(table.view(), Bags(none, 0, 7));
    expect_pool(TableView(nullptr, 0, 17), Bags(none, offsets));
  });
}

TEST_P(PoolTest, TakesOffsetsWithoutTheLastOne) {
  run([] {
    const GuardedTable table = GuardedTable(61, 17).fill(1);
    for (const IdCase& batch : id_cases(61, 1200, 2)) {
      const auto n = static_cast<std::int64_t>(batch.ids.size());
      const auto offsets = any_offsets(n, 5, 3);
      const Ids without_last(offsets.data(), std::ssize(offsets) - 1);
      const Bags expected_bags = Bags::from_offsets(batch.ids, offsets);
      const Bags bags = Bags::from_offsets(batch.ids, without_last, LastOffset::absent);
      ASSERT_EQ(bags.size(), expected_bags.size());
      GuardedTable out(bags.size(), 17);
      GuardedTable expected(bags.size(), 17);
      pool(table.view(), bags, out.view());
      pool(table.view(), expected_bags, expected.view());
      EXPECT_TRUE(same(out.view(), expected.view())) << batch.name;
    }
    const std::vector<std::int64_t> none;
    pool(table.view(), Bags::from_offsets(none, none, LastOffset::absent), TableView(nullptr, 0, 17));
  });
}

TEST(BagsFromLengths, MakesOffsets) {
  const std::vector<std::int32_t> ids = {1, 2, 3, 4, 5, 6};
  const std::vector<std::int64_t> lengths = {0, 2, 0, 3, 1};
  std::vector<std::int64_t> offsets(8, -7);  // more than it needs
  const Bags bags = Bags::from_lengths(ids, lengths, offsets);
  EXPECT_EQ(offsets, (std::vector<std::int64_t>{0, 0, 2, 2, 5, 6, -7, -7}));
  EXPECT_EQ(bags.size(), 5);
  EXPECT_EQ(bags.begin(4), 5);
  EXPECT_EQ(bags.begin(5), 6);
  EXPECT_EQ(Bags::from_lengths(Ids(), std::vector<std::int32_t>{0, 0}, offsets).size(), 2);
  EXPECT_EQ(Bags::from_lengths(Ids(), Ids(), offsets).size(), 0);
}

class EmbeddingBagTest : public IsaTest {};
ROWMILL_INSTANTIATE_ISA_TEST(EmbeddingBagTest);

TEST_P(EmbeddingBagTest, TrainsLikeTheReference) {
  run([] {
    constexpr std::int64_t kRows = 200;
    constexpr std::int64_t kDim = 100;
    const RowWiseAdagradOptions adagrad{.learning_rate = 0.05};
    for (const Pooling pooling : {Pooling::sum, Pooling::mean}) {
      EmbeddingBag layer({.rows = kRows,
                          .dim = kDim,
                          .seed = 1,
                          .optimizer = adagrad,
                          .pooling = pooling,
                          .out_of_range = OutOfRange::skip});
      Table weights = layer.table().clone();
      Table state(kRows, 1);
      for (std::int64_t t = 1; t <= 3; ++t) {
        // Two backward passes, then one step; the reference sees them as one batch.
        auto first = narrow(id_cases(kRows, 400, static_cast<std::uint64_t>(t)).back().ids);
        first[5] = -1;
        const auto second = id_cases(kRows, 900, static_cast<std::uint64_t>(t) + 9)[4].ids;
        const auto offsets = any_offsets(900, 9, static_cast<std::uint64_t>(t));
        const Bags first_bags(first, 100, 4);
        const Bags second_bags(second, offsets);
        const GuardedTable gradient = GuardedTable(100 + second_bags.size(), kDim).fill(static_cast<std::uint64_t>(t));
        const ConstTableView whole = gradient.view();
        layer.backward(first_bags, ConstTableView(whole.data(), 100, kDim, whole.row_stride()));
        layer.backward(second_bags,
                       ConstTableView(whole.row(100).data(), second_bags.size(), kDim, whole.row_stride()));

        std::vector<std::int64_t> all(first.begin(), first.end());
        all.insert(all.end(), second.begin(), second.end());
        std::vector<std::int64_t> all_offsets;
        for (std::int64_t b = 0; b < 100; ++b) all_offsets.push_back(4 * b);
        for (const std::int64_t offset : offsets) all_offsets.push_back(400 + offset);
        const Bags all_bags(all, all_offsets);
        layer.step();
        reference::optimizer_step(
            adagrad, t, weights, {state},
            reference::row_gradients(all_bags, kRows, {.pooling = pooling, .out_of_range = OutOfRange::skip}, {},
                                     whole));
        EXPECT_TRUE(same(layer.table().view(), weights.view()));
        EXPECT_TRUE(same(layer.optimizer().state()[0], state.view()));
      }
      GuardedTable out(50, kDim);
      GuardedTable expected(50, kDim);
      const std::vector<std::int64_t> ids = id_cases(kRows, 200, 8).back().ids;
      layer.forward(Bags(ids, 50, 4), out.view());
      reference::pool(layer.table(), Bags(ids, 50, 4), expected.view(), {.pooling = pooling});
      EXPECT_TRUE(same(out.view(), expected.view()));
    }
  });
}

TEST(EmbeddingBagBackward, RecordsNothingWhenItFails) {
  EmbeddingBag layer({.rows = 5, .dim = 4, .optimizer = SgdOptions{}});
  const Table before = layer.table().clone();
  const std::vector<float> ones(8, 1.0F);
  const ConstTableView gradient(ones.data(), 2, 4);
  const std::vector<std::int32_t> ids = {1, 5, 2, 2};
  EXPECT_THROW(layer.backward(Bags(ids, 2, 2), gradient), Error);
  EXPECT_THROW(layer.backward(Bags(ids, 1, 4), gradient), Error);
  EXPECT_THROW(layer.backward(Bags(ids, 2, 3), gradient), Error);
  layer.step();
  EXPECT_TRUE(same(layer.table().view(), before.view()));
  EXPECT_EQ(layer.optimizer().step_count(), 0);
}

}  // namespace
}  // namespace rowmill::test
