// SPDX-License-Identifier: Apache-2.0
#include "rowmill/embedding.hpp"

#include "kernels/reference/reference.hpp"
#include "rowmill/embedding_bag.hpp"
#include "rowmill/error.hpp"
#include "tests/support/data.hpp"
#include "tests/support/isa_test.hpp"

namespace rowmill::test {
namespace {

class EmbeddingTest : public IsaTest {};
ROWMILL_INSTANTIATE_ISA_TEST(EmbeddingTest);

TEST_P(EmbeddingTest, TrainsLikeTheReference) {
  run([] {
    constexpr std::int64_t kRows = 200;
    constexpr std::int64_t kDim = 100;
    const AdamOptions adam{.learning_rate = 0.05};
    Embedding layer({.rows = kRows, .dim = kDim, .name = "words", .seed = 1, .optimizer = adam, .padding_id = 0});
    Table weights = layer.table().clone();
    Table m(kRows, kDim);
    Table v(kRows, kDim);
    for (std::int64_t t = 1; t <= 3; ++t) {
      // Two backward passes, of different id widths, then one step; the reference sees them as one batch.
      const auto first = narrow(id_cases(kRows, 400, static_cast<std::uint64_t>(t)).back().ids);
      auto second = id_cases(kRows, 900, static_cast<std::uint64_t>(t) + 9)[4].ids;
      GuardedTable gradient(1300, kDim);
      gradient.fill(static_cast<std::uint64_t>(t));
      const TableView whole = gradient.view();
      layer.backward(first, ConstTableView(whole.data(), 400, kDim, whole.row_stride()));
      layer.backward(second, ConstTableView(whole.row(400).data(), 900, kDim, whole.row_stride()));
      std::vector<std::int64_t> all(first.begin(), first.end());
      all.insert(all.end(), second.begin(), second.end());
      std::fill(second.begin(), second.end(), 0);  // the ids were copied
      layer.step();
      for (std::int64_t& id : all) id = id == 0 ? -1 : id;
      reference::optimizer_step(adam, t, weights, {m, v}, all, OutOfRange::zero, gradient.view());
      EXPECT_TRUE(same(layer.table().view(), weights.view()));
    }
  });
}

TEST_P(EmbeddingTest, LooksUpAnyBatchShape) {
  run([] {
    Embedding layer({.rows = 50, .dim = 16, .out_of_range = OutOfRange::clip});
    const std::vector<std::int32_t> ids = {1, 2, 3, 49, 50, -1};  // 2 x 3
    std::vector<float> out(6 * 16);
    layer.forward(ids, TableView(out.data(), 6, 16));
    EXPECT_TRUE(same(ConstTableView(out.data(), 6, 16).row(4).data() == nullptr
                         ? ConstTableView()
                         : ConstTableView(out.data() + 4 * 16, 1, 16),
                     ConstTableView(layer.table().view().row(49).data(), 1, 16)));
    EXPECT_TRUE(same(ConstTableView(out.data() + 5 * 16, 1, 16), ConstTableView(layer.table().data(), 1, 16)));
  });
}

TEST(EmbeddingPadding, StaysZero) {
  Embedding layer({.rows = 5, .dim = 4, .optimizer = SgdOptions{.learning_rate = 1}, .padding_id = 2});
  const std::vector<float> ones(8, 1.0F);
  layer.backward(std::vector<std::int32_t>{2, 3}, ConstTableView(ones.data(), 2, 4));
  const float before = layer.table().data()[12];
  layer.step();
  for (const float x : layer.table().view().row(2)) EXPECT_EQ(x, 0);
  EXPECT_EQ(layer.table().data()[12], before - 1);
  EXPECT_THROW(Embedding({.rows = 5, .dim = 4, .padding_id = 5}), Error);
}

// As torch.optim.SparseAdam: a gradient without rows is a gradient, and its step counts.
TEST(EmbeddingStep, CountsPassesThatTrainNoRow) {
  const std::vector<float> ones(8, 1.0F);
  const ConstTableView gradient(ones.data(), 2, 4);
  const std::vector<std::int32_t> padding = {2, 2};
  const std::vector<std::int32_t> none;
  Embedding layer({.rows = 5, .dim = 4, .optimizer = AdamOptions{}, .padding_id = 2});
  const Table before = layer.table().clone();
  layer.step();
  EXPECT_EQ(layer.optimizer().step_count(), 0) << "nothing is recorded";
  layer.backward(padding, gradient);
  layer.step();
  EXPECT_EQ(layer.optimizer().step_count(), 1) << "padding alone";
  layer.backward(none, ConstTableView(nullptr, 0, 4));
  layer.step();
  EXPECT_EQ(layer.optimizer().step_count(), 2) << "no ids";
  layer.backward(none, ConstTableView(nullptr, 0, 4));
  layer.zero_grad();
  layer.step();
  EXPECT_EQ(layer.optimizer().step_count(), 2) << "forgotten";
  EXPECT_TRUE(same(layer.table().view(), before.view()));

  // The third step of a row that none touched before is corrected by its number.
  const std::vector<std::int32_t> ids = {1, 3};
  layer.backward(none, ConstTableView(nullptr, 0, 4));
  layer.backward(ids, gradient);
  layer.step();
  EXPECT_EQ(layer.optimizer().step_count(), 3);
  Table expected = before.clone();
  Table m(5, 4);
  Table v(5, 4);
  reference::optimizer_step(AdamOptions{}, 3, expected, {m, v}, ids, OutOfRange::error, gradient);
  EXPECT_TRUE(same(layer.table().view(), expected.view()));

  for (const Pooling pooling : {Pooling::sum, Pooling::mean}) {
    EmbeddingBag bags({.rows = 5, .dim = 4, .pooling = pooling});
    const Table bags_before = bags.table().clone();
    bags.step();
    EXPECT_EQ(bags.optimizer().step_count(), 0) << "nothing is recorded";
    bags.backward(Bags(none, 2, 0), gradient);
    bags.step();
    EXPECT_EQ(bags.optimizer().step_count(), 1) << "empty bags";
    bags.backward(Bags(none, 0, 3), ConstTableView(nullptr, 0, 4));
    bags.step();
    EXPECT_EQ(bags.optimizer().step_count(), 2) << "no bags";
    EXPECT_TRUE(same(bags.table().view(), bags_before.view()));
  }
}

TEST(EmbeddingBackward, RecordsNothingWhenItFails) {
  Embedding layer({.rows = 5, .dim = 4, .name = "words", .optimizer = SgdOptions{}});
  const Table before = layer.table().clone();
  const std::vector<float> ones(8, 1.0F);
  const ConstTableView gradient(ones.data(), 2, 4);
  EXPECT_THROW(layer.backward(std::vector<std::int32_t>{1, 5}, gradient), IdError);
  EXPECT_THROW(layer.backward(std::vector<std::int32_t>{1}, gradient), Error);
  EXPECT_THROW(layer.backward(std::vector<std::int32_t>{1, 2}, ConstTableView(layer.table().data(), 2, 4)), Error);
  layer.step();
  EXPECT_TRUE(same(layer.table().view(), before.view()));
  EXPECT_EQ(layer.optimizer().step_count(), 0);
  layer.backward(std::vector<std::int32_t>{1, 2}, gradient);
  layer.zero_grad();
  layer.step();
  EXPECT_TRUE(same(layer.table().view(), before.view()));
}

TEST(EmbeddingDefaults, AreTraxs) {
  const Embedding layer({.rows = 9088, .dim = 256, .seed = 3});
  const Table expected(9088, 256, {.initializer = Initializer::scaled_uniform_fan_out(256), .seed = 3});
  EXPECT_TRUE(same(layer.table().view(), expected.view()));
}

}  // namespace
}  // namespace rowmill::test
