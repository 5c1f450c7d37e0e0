// SPDX-License-Identifier: Apache-2.0
#include "rowmill/gather.hpp"

#include "kernels/core/choose_prefetch.hpp"
#include "kernels/core/tuning.hpp"
#include "kernels/reference/reference.hpp"
#include "rowmill/plan.hpp"
#include "rowmill/table.hpp"
#include "tests/support/data.hpp"
#include "tests/support/isa_test.hpp"
#include "tests/support/pages.hpp"
#include "tests/support/quantized.hpp"

namespace rowmill::test {
namespace {

template <class T>
concept AreIds = std::is_constructible_v<Ids, std::vector<T>>;

// int64_t is long or long long: the other one is ids too, and so are int and long of 4 bytes.
static_assert(AreIds<int> && AreIds<long> && AreIds<long long> && AreIds<std::int32_t> && AreIds<std::int64_t>);
static_assert(!AreIds<short> && !AreIds<unsigned> && !AreIds<unsigned long long> && !AreIds<float>);
static_assert(!AreIds<wchar_t>);

TEST(GatherIds, AreSignedIntegersOfFourOrEightBytes) {
  const Table table(5, 3, {.initializer = Initializer::uniform(0, 1)});
  const std::vector<long long> wide = {4, 0, 1};
  const std::vector<long> longs = {4, 0, 1};
  Table out(3, 3);
  Table again(3, 3);
  gather(table, wide, out);
  gather(table, longs, again);
  EXPECT_TRUE(same(out.view(), again.view()));
  EXPECT_TRUE(same(ConstTableView(out.data(), 1, 3), ConstTableView(table.view().row(4).data(), 1, 3)));
  EXPECT_EQ(Ids(wide)[2], 1);
  EXPECT_EQ(Plan(wide, 5).unique_count(), 3);
}

class GatherTest : public IsaTest {};
ROWMILL_INSTANTIATE_ISA_TEST(GatherTest);

template <StorageType Out = float>
void expect_gather(const ConstTableView& table, Ids ids, OutOfRange policy, Stores stores, std::int64_t gap) {
  BasicGuardedTable<Out> out(ids.size(), table.dim(), gap);
  BasicGuardedTable<Out> expected(ids.size(), table.dim());
  reference::gather(table, ids, expected.view(), policy);
  gather(table, ids, out.view(), {.out_of_range = policy, .stores = stores});
  EXPECT_TRUE(same(out.view(), expected.view()));
  EXPECT_TRUE(out.guards_intact());
}

TEST_P(GatherTest, EqualsTheReference) {
  run([] {
    constexpr std::int64_t kRows = 61;
    for (const std::int64_t dim : kDims) {
      const GuardedTable table = GuardedTable(kRows, dim, dim % 7).fill(1, true);
      for (const IdCase& batch : id_cases(kRows, 700, 2)) {
        SCOPED_TRACE("dim " + std::to_string(dim) + ", ids: " + batch.name);
        for (const std::int64_t gap : {0, 3}) {
          expect_gather(table.view(), batch.ids, OutOfRange::error, Stores::automatic, gap);
          expect_gather(table.view(), narrow(batch.ids), OutOfRange::error, Stores::automatic, gap);
        }
      }
    }
  });
}

/// A task prefetches for the ids of the next one, up to the last.
TEST_P(GatherTest, PrefetchesForNoIdsPastTheLast) {
  run([] {
    const PageEnd<std::int32_t> ids(narrow(id_cases(61, 1100, 2).back().ids));
    const GuardedTable table = GuardedTable(61, 128).fill(3);
    expect_gather(table.view(), std::span(ids.data(), 1100), OutOfRange::error, Stores::automatic, 0);
  });
}

TEST_P(GatherTest, EqualsTheReferenceBetweenFormats) {
  run([] {
    constexpr std::int64_t kRows = 61;
    for (const std::int64_t dim : kDims) {
      SCOPED_TRACE("dim " + std::to_string(dim));
      const IdCase batch = id_cases(kRows, 700, 2).back();
      for_each_float_type([&]<class In>() {
        const auto table = BasicGuardedTable<In>(kRows, dim, dim % 7).fill(1, true);
        for_each_float_type([&]<class Out>() {
          expect_gather<Out>(table.view(), batch.ids, OutOfRange::error, Stores::automatic, 3);
          expect_gather<Out>(table.view(), narrow(batch.ids), OutOfRange::zero, Stores::automatic, 0);
        });
      });
    }
  });
}

TEST_P(GatherTest, EqualsTheReferenceFromQuantisedTables) {
  run([] {
    for (const std::int64_t dim : {1, 3, 17, 64, 100}) {
      const std::vector<std::int64_t> ids = id_cases(61, 1500, 2).back().ids;
      std::vector<std::int64_t> wild = ids;
      wild[5] = -1;
      wild[1400] = 61;
      SCOPED_TRACE("dim " + std::to_string(dim));
      for (const Format format : kQuantizedFormats) {
        const auto table = GuardedQuantizedTable(format, 61, dim, dim % 7).fill(1);
        expect_gather<float>(table.view(), ids, OutOfRange::error, Stores::automatic, 3);
        expect_gather<float>(table.view(), narrow(ids), OutOfRange::error, Stores::automatic, 3);
        expect_gather<Bf16>(table.view(), ids, OutOfRange::error, Stores::automatic, 3);
        expect_gather<Bf16>(table.view(), narrow(ids), OutOfRange::error, Stores::automatic, 3);
        expect_gather<float>(table.view(), wild, OutOfRange::zero, Stores::automatic, 3);
        expect_gather<float>(table.view(), narrow(wild), OutOfRange::clip, Stores::automatic, 3);
      }
    }
  });
}

TEST_P(GatherTest, StreamsFromQuantisedTables) {
  run([] {
    const std::vector<std::int64_t> ids = id_cases(500, 1500, 4).back().ids;
    for (const Format format : kQuantizedFormats) {
      const auto table = GuardedQuantizedTable(format, 500, 64).fill(3);
      for (const Format to : {Format::f32, Format::bf16, Format::f16}) {
        Table out(1500, 64, {.format = to});
        Table expected(1500, 64, {.format = to});
        reference::gather(table.view(), ids, expected, OutOfRange::error);
        gather(table.view(), ids, out, {.stores = Stores::streaming});
        EXPECT_TRUE(same(out.view(), expected.view()));
      }
    }
  });
}

TEST_P(GatherTest, StreamsIntoAlignedRowsOfBf16) {
  run([] {
    for (const std::int64_t dim : {16, 32, 64, 48, 256}) {
      const std::vector<std::int64_t> ids = id_cases(500, 2000, 4).back().ids;
      for (const Format from : {Format::f32, Format::bf16}) {
        const Table table(500, dim, {.initializer = Initializer::normal(0, 1), .format = from});
        for (const Format to : {Format::f32, Format::bf16}) {
          Table out(2000, dim, {.format = to});
          Table expected(2000, dim, {.format = to});
          reference::gather(table, ids, expected, OutOfRange::error);
          gather(table, ids, out, {.stores = Stores::streaming});
          EXPECT_TRUE(same(out.view(), expected.view())) << dim;
        }
      }
    }
  });
}

TEST_P(GatherTest, AppliesPolicies) {
  run([] {
    constexpr std::int64_t kRows = 11;
    const std::vector<std::int64_t> wild = {0, -1, 10, 11, -12, 1LL << 31, -(1LL << 40), 5, (1LL << 32) + 3};
    std::vector<std::int64_t> many;
    for (int i = 0; i < 3000; ++i) many.push_back(wild[static_cast<std::size_t>(i) % wild.size()]);
    for (const std::int64_t dim : kDims) {
      const GuardedTable table = GuardedTable(kRows, dim).fill(3);
      for (const OutOfRange policy : {OutOfRange::clip, OutOfRange::zero}) {
        expect_gather(table.view(), many, policy, Stores::automatic, 2);
        expect_gather(table.view(), std::vector<std::int32_t>{-1, 11, 4, -2147483647, 2147483647}, policy,
                      Stores::automatic, 2);
      }
      expect_gather(table.view(), std::vector<std::int64_t>{-1, -11, 10, 0}, OutOfRange::wrap_negative,
                    Stores::automatic, 2);
      expect_gather(table.view(), std::vector<std::int32_t>{-1, -11, 10, 0}, OutOfRange::wrap_negative,
                    Stores::automatic, 2);
    }
  });
}

TEST_P(GatherTest, StreamsIntoAlignedRows) {
  run([] {
    constexpr std::int64_t kRows = 500;
    for (const std::int64_t dim : {16, 64, 256, 100}) {
      Table table(kRows, dim, {.initializer = Initializer::normal(0, 1)});
      const std::vector<std::int64_t> ids = id_cases(kRows, 2000, 4).back().ids;
      Table out(2000, dim);
      Table expected(2000, dim);
      reference::gather(table, ids, expected, OutOfRange::error);
      gather(table, ids, out, {.stores = Stores::streaming});
      EXPECT_TRUE(same(out.view(), expected.view())) << dim;
      expect_gather(table, ids, OutOfRange::error, Stores::streaming, 1);  // not aligned: ordinary stores
    }
  });
}

// No bits depend on it: nothing else would notice.
TEST(PrefetchLevel, IsTheFirstForATableThatIsNear) {
  const float x = 0;
  const std::int64_t rows = std::int64_t{1} << 40;
  EXPECT_EQ(prefetch_for_gather(ConstTableView(&x, 0, 64)).into, CacheLevel::first);
  EXPECT_EQ(prefetch_for_gather(ConstTableView(&x, rows, 64, 0)).into, CacheLevel::first);
  EXPECT_EQ(prefetch_for_gather(ConstTableView(&x, rows, 64)).into, far_prefetch_level());
  EXPECT_EQ(prefetch_for_update(rows, rows, 64).into, far_prefetch_level());
  const CacheLevel near = prefetch_for_update(1, rows, 64).into;
  EXPECT_EQ(prefetch_for_update(tuning().near_table_bytes, rows, 64, true).into, near);
  EXPECT_EQ(prefetch_for_update(rows, tuning().near_touched_bytes, 64).into, near);
}

TEST_P(GatherTest, ReadsABroadcastRowAndWritesColumnSlices) {
  run([] {
    std::vector<float> row = {1, 2, 3, 4};
    const std::vector<std::int32_t> ids = {999, 0, 5};
    GuardedTable out(3, 4);
    gather(ConstTableView(row.data(), 1000, 4, 0), ids, out.view());
    for (std::int64_t i = 0; i < 3; ++i) EXPECT_TRUE(std::ranges::equal(out.view().row(i), row));

    // One row may have any stride.
    const ConstTableView one(row.data(), 1, 4, std::int64_t{1} << 62);
    gather(one, std::vector<std::int32_t>{0, 0, 0}, out.view());
    for (std::int64_t i = 0; i < 3; ++i) EXPECT_TRUE(std::ranges::equal(out.view().row(i), row));
    EXPECT_EQ(prefetch_for_gather(one).into, CacheLevel::first);

    // The left half of a buffer is gathered into its right half: the views interleave and share no element.
    std::vector<float> buffer(4 * 20);
    for (std::size_t i = 0; i < buffer.size(); ++i) buffer[i] = static_cast<float>(i);
    gather(ConstTableView(buffer.data(), 4, 10, 20), std::vector<std::int32_t>{3, 2, 1, 0},
           TableView(buffer.data() + 10, 4, 10, 20));
    EXPECT_EQ(buffer[10], 60);
    EXPECT_EQ(buffer[79], 9);
  });
}

}  // namespace
}  // namespace rowmill::test
