// SPDX-License-Identifier: Apache-2.0
// What every operation takes besides the usual: ids at a stride, rows without columns, bags of no ids.
#include <algorithm>
#include <functional>

#include "rowmill/rowmill.hpp"
#include "tests/support/data.hpp"
#include "tests/support/isa_test.hpp"
#include "tests/support/quantized.hpp"

namespace rowmill::test {
namespace {

/// Ids of type T at a stride, and between them ids that no table has.
template <class T>
class StridedIds {
 public:
  StridedIds(const std::vector<std::int64_t>& ids, std::int64_t stride) : stride_(stride) {
    const auto size = static_cast<std::int64_t>(ids.size());
    const std::int64_t step = stride < 0 ? -stride : stride;
    memory_.assign(static_cast<std::size_t>(size * step + 1), T{-77});
    first_ = stride < 0 ? (size - 1) * step : 0;
    for (std::int64_t i = 0; i < size; ++i) {
      memory_[static_cast<std::size_t>(first_ + i * stride)] = static_cast<T>(ids[static_cast<std::size_t>(i)]);
    }
  }
  [[nodiscard]] Ids view(std::int64_t size) const { return Ids::strided(memory_.data() + first_, size, stride_); }

 private:
  std::int64_t stride_;
  std::int64_t first_;
  std::vector<T> memory_;
};

/// Calls body(ids) with some kinds of strided ids that are `ids`.
void for_each_stride(const std::vector<std::int64_t>& ids, const std::function<void(Ids)>& body) {
  body(StridedIds<std::int32_t>(ids, 2).view(std::ssize(ids)));
  body(StridedIds<std::int64_t>(ids, -1).view(std::ssize(ids)));
  body(StridedIds<std::int32_t>(ids, -3).view(std::ssize(ids)));
}

class StridedTest : public IsaTest {};
ROWMILL_INSTANTIATE_ISA_TEST(StridedTest);

TEST_P(StridedTest, IdsGiveWhatContiguousOnesGive) {
  run([] {
    constexpr std::int64_t kRows = 300;
    constexpr std::int64_t kDim = 17;
    for (const std::int64_t count : {6, 4500}) {
      const auto batches = id_cases(kRows, count, 3);
      for (const std::size_t each : {std::size_t{3}, std::size_t{4}}) {
        if (each == 3 && count > 6) continue;  // many ids of one row are as few
        std::vector<std::int64_t> ids = batches[each].ids;
        for (const OutOfRange policy : {OutOfRange::error, OutOfRange::zero}) {
          if (policy == OutOfRange::zero && each == 4) ids[3] = kRows + 5;
          std::vector<std::int64_t> offsets = {0, 0, 2, 3, count / 2, count};
          const GuardedTable table = GuardedTable(kRows, kDim).fill(1, true);
          const GuardedQuantizedTable quantized = GuardedQuantizedTable(Format::int4, kRows, kDim).fill(5);
          const GuardedTable values = GuardedTable(count, kDim).fill(2);
          const GuardedTable bag_values = GuardedTable(5, kDim).fill(4);
          const auto all = [&](Ids from, Ids bag_offsets) {
            std::vector<GuardedTable> results;
            const auto result = [&](std::int64_t rows) {
              results.emplace_back(rows, kDim);
              return results.back().view();
            };
            results.reserve(10);
            gather(quantized.view(), from, result(count), {.out_of_range = policy});
            pool(quantized.view(), Bags(from, bag_offsets), result(5), {.out_of_range = policy});
            gather(table.view(), from, result(count), {.out_of_range = policy});
            pool(table.view(), Bags(from, bag_offsets), result(5), {.out_of_range = policy});
            pool(table.view(), Bags(from, count / 3, 3), result(count / 3), {.out_of_range = policy});
            results.push_back(table);
            scatter_add(results.back().view(), from, values.view(), {.out_of_range = policy});
            results.push_back(table);
            scatter_add(results.back().view(), Plan(from, kRows, policy), values.view());
            results.push_back(table);
            scatter_add(results.back().view(), Plan(Bags(from, bag_offsets), kRows, policy), bag_values.view());
            return results;
          };
          const auto expected = all(ids, offsets);
          for_each_stride(ids, [&](Ids strided) {
            const auto found = all(strided, StridedIds<std::int32_t>(offsets, 2).view(std::ssize(offsets)));
            for (std::size_t r = 0; r < found.size(); ++r) {
              EXPECT_TRUE(same(found[r].view(), expected[r].view())) << "result " << r;
              EXPECT_TRUE(found[r].guards_intact()) << "result " << r;
            }
          });
        }
      }
    }
  });
}

TEST_P(StridedTest, BadIdsAreFoundAtTheLowestPosition) {
  run([] {
    std::vector<std::int64_t> ids(70000, 5);
    for_each_stride(ids, [](Ids strided) { EXPECT_FALSE(find_bad_id(strided, 6)); });
    for (const std::size_t at : {69999U, 34000U, 33000U, 1500U, 0U}) {  // each before the one found until now
      ids[at] = -static_cast<std::int64_t>(at) - 3;
      for_each_stride(ids, [&](Ids strided) {
        const auto found = find_bad_id(strided, 6);
        ASSERT_TRUE(found);
        EXPECT_EQ(found->position, static_cast<std::int64_t>(at));
        EXPECT_EQ(found->value, ids[at]);
      });
    }
  });
}

TEST(StridedIds, OneIdIsRepeatedByStrideZero) {
  const GuardedTable table = GuardedTable(10, 4).fill(1);
  GuardedTable out(3, 4);
  const std::int32_t id = 7;
  const Ids ids = Ids::strided(&id, 3, 0);
  EXPECT_FALSE(ids.is_contiguous());
  EXPECT_THROW(ids.visit([](const auto*) {}), Error);
  gather(table.view(), ids, out.view());
  for (std::int64_t r = 0; r < 3; ++r)
    EXPECT_TRUE(same({out.view().row(r).data(), 1, 4}, {table.view().row(7).data(), 1, 4}));
  EXPECT_EQ(Plan(ids, 10).unique_count(), 1);
  EXPECT_TRUE(Ids::strided(&id, 1, 5).is_contiguous());
}

TEST(StridedIds, MayStandBetweenTheRowsOfAnOutput) {
  // Rows of an id and three floats, as in an array of structs.
  std::vector<float> memory(16);
  const auto* const ids = reinterpret_cast<const std::int32_t*>(memory.data());
  const GuardedTable table = GuardedTable(10, 3).fill(1);
  const auto works = [&](std::int64_t first_column, std::int64_t first_id, std::int64_t stride) {
    std::ranges::fill(memory, 0.0F);
    try {
      gather(table.view(), Ids::strided(ids + first_id, 4, stride), TableView(memory.data() + first_column, 4, 3, 4));
      return true;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::overlap);
      EXPECT_STREQ(e.what(), "rowmill: gather: out (4 x 3) shares memory with ids (4)");
      return false;
    }
  };
  EXPECT_TRUE(works(1, 0, 4));
  EXPECT_TRUE(works(1, 12, -4));
  EXPECT_TRUE(works(0, 3, 4));
  EXPECT_FALSE(works(0, 0, 4));
  EXPECT_FALSE(works(0, 14, -4));
  EXPECT_FALSE(works(0, 15, -5));  // all but the first id
  EXPECT_FALSE(works(1, 0, 1));
  EXPECT_FALSE(works(1, 1, 0));
  EXPECT_TRUE(works(1, 4, 0));
}

TEST(StridedIds, AStrideThatIsTooLargeIsRefused) {
  const std::int32_t id = 0;
  GuardedTable table(10, 4);
  GuardedTable out(3, 4);
  for (const std::int64_t stride : {std::int64_t{1} << 60, -(std::int64_t{1} << 62)}) {
    try {
      gather(table.view(), Ids::strided(&id, 3, stride), out.view());
      FAIL();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::invalid_argument);
      EXPECT_EQ(std::string(e.what()),
                "rowmill: gather: ids (3) with stride " + std::to_string(stride) + " is larger than 2^63 bytes");
    }
  }
}

class DimZeroTest : public IsaTest {};
ROWMILL_INSTANTIATE_ISA_TEST(DimZeroTest);

/// Rows without columns are valid: nothing is read or written, and what is wrong with the ids is found all the same.
TEST_P(DimZeroTest, OperationsDoNothing) {
  run([] {
    for (const Format format : {Format::f32, Format::bf16}) {
      Table table(50, 0, {.initializer = Initializer::scaled_uniform_fan_out(0), .format = format});
      EXPECT_EQ(table.clone().dim(), 0);
      const std::vector<std::int64_t> ids(40000, 3);
      const std::vector<std::int64_t> offsets = {0, 0, 100, 40000};
      const TableView no_floats(nullptr, 40000, 0);
      const TableView three(nullptr, 3, 0);
      gather(table, ids, no_floats);
      gather(table, ids, no_floats, {.out_of_range = OutOfRange::clip});
      pool(table, Bags(ids, offsets), three);
      scatter_add(table, ids, no_floats);
      scatter_add(table, Plan(ids, 50), no_floats);
      EXPECT_THROW(gather(table, std::vector<std::int64_t>{50}, TableView(nullptr, 1, 0)), IdError);
      EXPECT_THROW(pool(table, Bags(ids, offsets), TableView(nullptr, 2, 0)), Error);
      for (const OptimizerOptions& options :
           {OptimizerOptions(SgdOptions{.momentum = 0.5}), OptimizerOptions(AdagradOptions{}),
            OptimizerOptions(RowWiseAdagradOptions{}), OptimizerOptions(AdamOptions{}),
            OptimizerOptions(PartialRowWiseAdamOptions{})}) {
        Optimizer optimizer(options, 50, 0);
        optimizer.step(table, Plan(ids, 50), no_floats);
        optimizer.step(table, Plan(Bags(ids, offsets), 50), three);
        EXPECT_EQ(optimizer.step_count(), 2);
        // A row-wise state has a column all the same: it stays as it is.
        for (const TableView& state : optimizer.state()) {
          for (std::int64_t r = 0; r < state.rows(); ++r) {
            for (const float x : state.row(r)) EXPECT_EQ(x, 0);
          }
        }
        Optimizer copy = optimizer.clone();
        copy.restore(optimizer.progress(), std::as_const(optimizer).state());
      }
    }
  });
}

TEST_P(DimZeroTest, LookupsOfQuantizedRowsDoNothing) {
  run([] {
    for (const Format format : kQuantizedFormats) {
      const Table table(50, 0, {.format = format});
      const std::vector<std::int64_t> ids(40000, 3);
      const TableView no_floats(nullptr, 40000, 0);
      gather(table, ids, no_floats);
      gather(table, ids, no_floats, {.out_of_range = OutOfRange::clip});
      for (const Pooling pooling : {Pooling::sum, Pooling::max}) {
        pool(table, Bags(ids, 400, 100), TableView(nullptr, 400, 0), {.pooling = pooling});
      }
      convert(table, Table(50, 0));
      EXPECT_THROW(gather(table, std::vector<std::int64_t>{50}, TableView(nullptr, 1, 0)), IdError);
    }
  });
}

TEST(DimZero, Layers) {
  Embedding embedding({.rows = 5, .dim = 0, .padding_id = 2});
  const std::vector<int> ids = {1, 2, 4};
  embedding.forward(ids, TableView(nullptr, 3, 0));
  embedding.backward(ids, ConstTableView(nullptr, 3, 0));
  embedding.step();
  EXPECT_EQ(embedding.optimizer().step_count(), 1);
  EmbeddingBag bag({.rows = 5, .dim = 0});
  bag.forward(Bags(ids, 1, 3), TableView(nullptr, 1, 0));
  bag.backward(Bags(ids, 1, 3), ConstTableView(nullptr, 1, 0));
  bag.step();
  EXPECT_EQ(bag.optimizer().step_count(), 1);
}

TEST(DimZero, ViewsShareNoElements) {
  std::vector<float> memory(8, 1.0F);
  gather(ConstTableView(memory.data(), 4, 0), std::vector<int>{1, 2}, TableView(memory.data(), 2, 0));
  initialize(TableView(memory.data(), 4, 0), Initializer::zeros());
  EXPECT_EQ(memory, std::vector<float>(8, 1.0F));
  OutputAllocator outputs;
  const Output none = outputs.make(3, 0);
  EXPECT_EQ(none.data(), nullptr);
}

/// A batch of bags without ids, by each layout.
TEST(EmptyBags, ArePooledToZeroAndTrainNothing) {
  GuardedTable table = GuardedTable(10, 4).fill(1);
  const GuardedTable before = table;
  const GuardedTable gradient = GuardedTable(3, 4).fill(2);
  const std::vector<std::int64_t> none;
  const std::vector<std::int64_t> offsets = {0, 0, 0, 0};
  const Ids without_last(offsets.data(), 3);
  for (const Bags& bags :
       {Bags(none, 3, 0), Bags(none, offsets), Bags::from_offsets(none, without_last, LastOffset::absent)}) {
    GuardedTable out = GuardedTable(3, 4).fill(3);
    for (const Pooling pooling : {Pooling::sum, Pooling::mean}) {
      pool(table.view(), bags, out.view(), {.pooling = pooling});
      for (std::int64_t r = 0; r < 3; ++r) {
        for (const float x : out.view().row(r)) EXPECT_TRUE(same_bits(x, 0.0F));
      }
    }
    Optimizer adam(AdamOptions{}, 10, 4);
    adam.step(table.view(), Plan(bags, 10), gradient.view());
    EXPECT_EQ(adam.step_count(), 1);
    EXPECT_TRUE(same(table.view(), before.view()));
  }
}

}  // namespace
}  // namespace rowmill::test
