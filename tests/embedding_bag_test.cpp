// SPDX-License-Identifier: Apache-2.0
// Both layers with all their options: what they train is what the reference trains of all passes as one batch.
#include "rowmill/embedding_bag.hpp"

#include "kernels/reference/reference.hpp"
#include "rowmill/error.hpp"
#include "tests/support/data.hpp"
#include "tests/support/isa_test.hpp"

namespace rowmill::test {
namespace {

constexpr std::int64_t kRows = 40;
constexpr std::int64_t kDim = 19;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// A batch of bags, in parts that passes get, and as a whole. Some ids are out of range.
struct Passes {
  static constexpr std::int64_t kFirst = 4;  // bags of 5 ids: the first pass
  static constexpr std::int64_t kBags = 9;   // the others by offsets
  std::vector<std::int64_t> ids, offsets, second_offsets;
  std::vector<float> weights;
  GuardedTable gradient = GuardedTable(kBags, kDim).fill(5);

  explicit Passes(std::uint64_t seed, bool weights_in_first) {
    ids = id_cases(kRows, 44, seed).back().ids;
    ids[3] = kRows;
    ids[25] = -1;
    ids[26] = -1;
    for (std::int64_t b = 0; b <= kFirst; ++b) offsets.push_back(5 * b);
    for (const std::int64_t end : {20, 26, 27, 40, 44}) {
      offsets.push_back(end);
      second_offsets.push_back(end - 20);
    }
    second_offsets.insert(second_offsets.begin(), 0);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      weights.push_back(i < 20 && !weights_in_first ? 1 : 0.25F * static_cast<float>(i % 9) - 1);
    }
  }
  [[nodiscard]] Bags whole(bool weighted) const {
    const Bags bags(ids, offsets);
    return weighted ? bags.with_weights(weights) : bags;
  }
  [[nodiscard]] Bags first(bool weighted) const {
    const Bags bags(Ids(ids.data(), 20), kFirst, 5);
    return weighted ? bags.with_weights(std::span(weights).first(20)) : bags;
  }
  [[nodiscard]] Bags second(bool weighted) const {
    const Bags bags(Ids(ids.data() + 20, 24), second_offsets);
    return weighted ? bags.with_weights(std::span(weights).subspan(20)) : bags;
  }
  [[nodiscard]] ConstTableView gradient_of(std::int64_t begin, std::int64_t end) const {
    return {gradient.view().row(begin).data(), end - begin, kDim, gradient.view().row_stride()};
  }
};

class LayerTest : public IsaTest {};
ROWMILL_INSTANTIATE_ISA_TEST(LayerTest);

/// Two steps of two passes each, against the reference.
void check_training(const EmbeddingBagOptions& options, bool weights_in_first, bool weights_in_second) {
  EmbeddingBag layer(options);
  Table weights = layer.table().clone();
  Table state(kRows, 1);
  const PoolOptions pooling{
      .pooling = options.pooling, .out_of_range = options.out_of_range, .divisor = options.divisor};
  const bool weighted = weights_in_first || weights_in_second;
  for (std::int64_t t = 1; t <= 2; ++t) {
    Passes passes(static_cast<std::uint64_t>(t), weights_in_first);
    Bags whole = passes.whole(weighted);
    if (options.padding_id) whole = whole.with_padding(*options.padding_id);

    GuardedTable out(Passes::kBags, kDim);
    GuardedTable expected_out(Passes::kBags, kDim);
    std::as_const(layer).forward(passes.whole(weighted), out.view());
    reference::pool(weights, whole, expected_out.view(), pooling);
    EXPECT_TRUE(same(out.view(), expected_out.view())) << "forward";

    std::vector<std::int32_t> winners;
    if (options.pooling == Pooling::max) {
      winners.resize(static_cast<std::size_t>(Passes::kBags * kDim));
      reference::find_winners(weights, whole, winners, pooling);
    }
    std::vector<float> expected(passes.ids.size());
    std::vector<float> weight_gradients(passes.ids.size(), 77);
    const auto pass = [&](Bags bags, const ConstTableView& gradient, std::size_t begin, std::size_t count) {
      layer.backward(bags, gradient, std::span(weight_gradients).subspan(begin, count));
      if (options.padding_id) bags = bags.with_padding(*options.padding_id);
      reference::pool_weight_gradients(weights, bags, gradient, std::span(expected).subspan(begin, count), pooling);
    };
    pass(passes.first(weights_in_first), passes.gradient_of(0, Passes::kFirst), 0, 20);
    pass(passes.second(weights_in_second), passes.gradient_of(Passes::kFirst, Passes::kBags), 20, 24);
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_TRUE(same_bits(weight_gradients[i], expected[i])) << i;

    auto gradients = reference::row_gradients(whole, kRows, pooling, winners, passes.gradient.view());
    EXPECT_TRUE(reference::apply(options.gradient, gradients));
    reference::optimizer_step(options.optimizer, t, weights, {state}, gradients);
    if (options.recorded == Recorded::copied) passes.gradient.fill(99);  // all is copied
    std::ranges::fill(passes.ids, 1);
    std::ranges::fill(passes.weights, kNaN);
    layer.step();
    EXPECT_TRUE(same(layer.table().view(), weights.view())) << "step " << t;
    EXPECT_TRUE(same(layer.optimizer().state()[0], state.view())) << "step " << t;
    EXPECT_EQ(layer.optimizer().step_count(), t);
  }
}

TEST_P(LayerTest, BagsTrainLikeTheReference) {
  run([] {
    const GradientOptions guards{
        .scale_grad_by_freq = true, .clip_value = 1, .clip_row_norm = 2, .clip_global_norm = 3};
    for (const Pooling pooling : {Pooling::sum, Pooling::mean, Pooling::sqrtn, Pooling::max}) {
      for (const Divisor divisor : {Divisor::count, Divisor::weights}) {
        if (divisor == Divisor::weights && (pooling == Pooling::sum || pooling == Pooling::max)) continue;
        for (const auto& padding :
             {std::optional<std::int64_t>(), std::optional<std::int64_t>(7), std::optional<std::int64_t>(-1)}) {
          for (const OutOfRange policy : {OutOfRange::zero, OutOfRange::skip}) {
            SCOPED_TRACE("pooling " + std::to_string(static_cast<int>(pooling)) + ", divisor " +
                         std::to_string(static_cast<int>(divisor)) + ", padding " +
                         (padding ? std::to_string(*padding) : "none") + ", policy " +
                         std::to_string(static_cast<int>(policy)));
            EmbeddingBagOptions options{.rows = kRows,
                                        .dim = kDim,
                                        .optimizer = RowWiseAdagradOptions{.learning_rate = 0.5},
                                        .pooling = pooling,
                                        .out_of_range = policy,
                                        .divisor = divisor,
                                        .padding_id = padding};
            check_training(options, false, false);
            check_training(options, false, true);
            options.gradient = guards;
            options.recorded = Recorded::referenced;
            check_training(options, true, true);
          }
        }
      }
    }
  });
}

TEST_P(LayerTest, LookupsWithOptionsTrainLikeTheReference) {
  run([] {
    const GradientOptions guards{
        .scale_grad_by_freq = true, .clip_value = 1, .clip_row_norm = 2, .clip_global_norm = 3};
    for (const Recorded recorded : {Recorded::copied, Recorded::referenced}) {
      Embedding layer({.rows = kRows,
                       .dim = kDim,
                       .optimizer = RowWiseAdagradOptions{.learning_rate = 0.5},
                       .out_of_range = OutOfRange::zero,
                       .padding_id = 7,
                       .gradient = guards,
                       .recorded = recorded});
      Table weights = layer.table().clone();
      Table state(kRows, 1);
      std::vector<std::int64_t> ids = id_cases(kRows, 300, 4).back().ids;
      ids[5] = kRows;
      GuardedTable gradient = GuardedTable(300, kDim).fill(6);
      const ConstTableView whole = gradient.view();
      layer.backward(Ids(ids.data(), 100), ConstTableView(whole.data(), 100, kDim, whole.row_stride()));
      layer.backward(Ids(ids.data() + 100, 200), ConstTableView(whole.row(100).data(), 200, kDim, whole.row_stride()));
      auto gradients = reference::row_gradients(ids, kRows, OutOfRange::zero, 7, whole);
      EXPECT_TRUE(reference::apply(guards, gradients));
      reference::optimizer_step(RowWiseAdagradOptions{.learning_rate = 0.5}, 1, weights, {state}, gradients);
      if (recorded == Recorded::copied) gradient.fill(99);
      layer.step();
      EXPECT_TRUE(same(layer.table().view(), weights.view()));
    }
  });
}

TEST_P(LayerTest, MaxNormComesBeforeTheLookup) {
  run([] {
    for (const Format format : {Format::f32, Format::bf16}) {
      Passes passes(3, true);
      const MaxNorm max_norm{.max_norm = 0.7, .norm = NormType::one};
      Embedding layer({.rows = kRows,
                       .dim = kDim,
                       .format = format,
                       .out_of_range = OutOfRange::skip,
                       .padding_id = 7,
                       .max_norm = max_norm});
      Table expected = layer.table().clone();
      reference::renormalize(expected, passes.ids, 0.7F, NormType::one, OutOfRange::skip, 7);
      GuardedTable out(44, kDim);
      GuardedTable expected_out(44, kDim);
      layer.forward(passes.ids, out.view());
      reference::gather(expected, passes.ids, expected_out.view(), OutOfRange::skip);
      EXPECT_TRUE(same(out.view(), expected_out.view()));
      EXPECT_TRUE(same(layer.table().view(), expected.view()));

      EmbeddingBag bag_layer({.rows = kRows,
                              .dim = kDim,
                              .format = format,
                              .out_of_range = OutOfRange::skip,
                              .padding_id = 7,
                              .max_norm = max_norm});
      Table bag_expected = bag_layer.table().clone();
      reference::renormalize(bag_expected, passes.ids, 0.7F, NormType::one, OutOfRange::skip, 7);
      GuardedTable bag_out(Passes::kBags, kDim);
      GuardedTable bag_expected_out(Passes::kBags, kDim);
      bag_layer.forward(passes.whole(true), bag_out.view());
      reference::pool(bag_expected, passes.whole(true).with_padding(7), bag_expected_out.view(),
                      {.pooling = Pooling::mean, .out_of_range = OutOfRange::skip});
      EXPECT_TRUE(same(bag_out.view(), bag_expected_out.view()));
      EXPECT_TRUE(same(bag_layer.table().view(), bag_expected.view()));
    }
  });
}

std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(LayerMaxNorm, AFailedForwardScalesNothing) {
  Embedding layer({.rows = 5, .dim = 4, .max_norm = MaxNorm{.max_norm = 0.01}});
  EmbeddingBag bag({.rows = 5, .dim = 4, .max_norm = MaxNorm{.max_norm = 0.01}});
  const Table before = layer.table().clone();
  const Table bag_before = bag.table().clone();
  const std::vector<int> ids = {1, 2};
  const std::vector<int> bad = {1, 5};
  std::vector<float> out(8, 3.0F);
  const TableView view(out.data(), 2, 4);
  EXPECT_THROW(layer.forward(ids, TableView(out.data(), 1, 4)), Error);
  EXPECT_THROW(layer.forward(bad, view), IdError);
  EXPECT_THROW(layer.forward(ids, TableView(layer.table().data(), 2, 4)), Error);
  EXPECT_THROW(bag.forward(Bags(ids, 2, 1), TableView(out.data(), 1, 4)), Error);
  EXPECT_THROW(bag.forward(Bags(bad, 2, 1), view), IdError);
  EXPECT_THROW(bag.forward(Bags(ids, 2, 1).with_weights(std::span(out).first(1)), view), Error);
  EXPECT_EQ(message_of([&] { std::as_const(layer).forward(ids, view); }),
            "rowmill: embedding: forward of a const layer with a max_norm, which scales rows of the table");
  EXPECT_EQ(message_of([&] { std::as_const(bag).forward(Bags(ids, 2, 1), view); }),
            "rowmill: embedding_bag: forward of a const layer with a max_norm, which scales rows of the table");
  EXPECT_TRUE(same(layer.table().view(), before.view()));
  EXPECT_TRUE(same(bag.table().view(), bag_before.view()));
  EXPECT_EQ(out, std::vector<float>(8, 3.0F));
}

TEST(LayerOptions, AreChecked) {
  const auto embedding = [](EmbeddingOptions options) {
    options.rows = 5;
    options.dim = 4;
    return message_of([&] { const Embedding layer(options); });
  };
  const auto bag = [](EmbeddingBagOptions options) {
    options.rows = 5;
    options.dim = 4;
    return message_of([&] { const EmbeddingBag layer(options); });
  };
  EXPECT_EQ(embedding({.max_norm = MaxNorm{.max_norm = -1}}),
            "rowmill: embedding: max_norm is -1; allowed: 0 <= value <= 3.4e38");
  EXPECT_NE(embedding({.gradient = {.clip_value = -1.0}}), "");
  EXPECT_EQ(embedding({.recorded = static_cast<Recorded>(2)}), "rowmill: embedding: recorded is 2; allowed: 0 to 1");
  EXPECT_NE(bag({.pooling = Pooling::sum, .divisor = Divisor::weights}), "");
  EXPECT_NE(bag({.gradient = {.clip_global_norm = -1.0}}), "");
  EXPECT_EQ(bag({.max_norm = MaxNorm{.norm = static_cast<NormType>(7)}}),
            "rowmill: embedding_bag: norm is 7; allowed: 0 to 2");
  EXPECT_EQ(bag({.padding_id = 77}), "") << "the padding id of bags need not be a row";
  // Storage that no step could have with the table's format.
  EXPECT_EQ(embedding({.storage = {.split = true}}),
            "rowmill: embedding: weights (5 x 4) has format f32; supported: bf16");
  EXPECT_NE(embedding({.storage = {.overflow = Overflow::error}}), "");
  EXPECT_NE(embedding({.name = "n", .storage = {.rounding = Rounding::stochastic}}), "");
  EXPECT_NE(bag({.storage = {.state_format = Format::f64}}), "");
  EXPECT_NE(bag({.format = Format::f64, .storage = {.state_format = Format::bf16}}), "");
  EXPECT_EQ(bag({.name = "n", .format = Format::bf16, .storage = {.rounding = Rounding::stochastic}}), "");
}

TEST(LayerOptions, StreamsSeparateTheFirstValuesOfUnnamedLayers) {
  const Embedding one({.rows = 5, .dim = 4});
  const Embedding same_again({.rows = 5, .dim = 4});
  const Embedding other({.rows = 5, .dim = 4, .stream = 1});
  const EmbeddingBag bag({.rows = 5, .dim = 4, .stream = 1});
  EXPECT_TRUE(same(one.table().view(), same_again.table().view()));
  EXPECT_FALSE(same(one.table().view(), other.table().view()));
  EXPECT_TRUE(same(bag.table().view(), other.table().view()));
}

TEST(EmbeddingBagPadding, StaysZeroAndIsTheBagsToo) {
  EmbeddingBag layer({.rows = 5, .dim = 4, .pooling = Pooling::sum, .padding_id = 2});
  const std::vector<int> ids = {2, 3};
  const std::vector<float> ones(4, 1.0F);
  const ConstTableView gradient(ones.data(), 1, 4);
  std::vector<float> out(4);
  layer.backward(Bags(ids, 1, 2), gradient);
  layer.backward(Bags(ids, 1, 2).with_padding(2), gradient);
  layer.step();
  for (const float x : layer.table().view().row(2)) EXPECT_EQ(x, 0);
  const std::string message = "rowmill: embedding_bag: the bags' padding_id is 3; the layer's is 2";
  EXPECT_EQ(message_of([&] { layer.forward(Bags(ids, 1, 2).with_padding(3), TableView(out.data(), 1, 4)); }), message);
  EXPECT_EQ(message_of([&] { layer.backward(Bags(ids, 1, 2).with_padding(3), gradient); }), message);
  // A layer without one takes that of the bags.
  EmbeddingBag other({.rows = 5, .dim = 4, .pooling = Pooling::sum});
  other.forward(Bags(ids, 1, 2).with_padding(2), TableView(out.data(), 1, 4));
  EXPECT_EQ(out[0], other.table().view().row(3)[0]);
}

TEST(EmbeddingBagBackward, RecordsAndWritesNothingWhenItFails) {
  const auto check = [](Pooling pooling) {
    EmbeddingBag layer({.rows = 5, .dim = 4, .optimizer = SgdOptions{.learning_rate = 1}, .pooling = pooling});
    EmbeddingBag expected({.rows = 5, .dim = 4, .optimizer = SgdOptions{.learning_rate = 1}, .pooling = pooling});
    const std::vector<float> ones(8, 1.0F);
    const ConstTableView gradient(ones.data(), 2, 4);
    const std::vector<int> ids = {1, 3, 2, 2};
    const std::vector<int> bad = {1, 3, 2, 5};
    const std::vector<float> weights = {1, 2, 3, 4};
    std::vector<float> weight_gradients(4, 7.0F);
    const Bags bags = Bags(ids, 2, 2).with_weights(weights);
    const auto fails = [&] {
      EXPECT_THROW(layer.backward(Bags(bad, 2, 2).with_weights(weights), gradient, weight_gradients), IdError);
      EXPECT_THROW(layer.backward(bags, gradient, std::span(weight_gradients).first(3)), Error);
      EXPECT_THROW(layer.backward(bags, ConstTableView(ones.data(), 1, 4), weight_gradients), Error);
      EXPECT_THROW(layer.backward(Bags(ids, 2, 2).with_weights(std::span(weights).first(3)), gradient), Error);
      EXPECT_THROW(layer.backward(bags, ConstTableView(layer.table().data(), 2, 4), weight_gradients), Error);
      EXPECT_THROW(layer.backward(bags, gradient, std::span(layer.table().data(), 4)), Error);
      EXPECT_EQ(weight_gradients, std::vector<float>(4, 7.0F));
    };
    fails();
    layer.backward(Bags(ids, 2, 2), gradient);  // without weights, though those that failed had some
    fails();
    layer.backward(Bags(ids, 1, 4), ConstTableView(ones.data(), 1, 4));
    layer.step();
    expected.backward(Bags(ids, 2, 2), gradient);
    expected.backward(Bags(ids, 1, 4), ConstTableView(ones.data(), 1, 4));
    expected.step();
    EXPECT_TRUE(same(layer.table().view(), expected.table().view()));
    EXPECT_EQ(layer.optimizer().step_count(), 1);
  };
  check(Pooling::mean);
  check(Pooling::max);
}

TEST(LayerSteps, ThatAreSkippedForgetTheirPasses) {
  Embedding layer({.rows = 5, .dim = 4, .optimizer = AdamOptions{}, .gradient = {.skip_nonfinite = true}});
  const Table before = layer.table().clone();
  std::vector<float> values(8, 1.0F);
  const ConstTableView gradient(values.data(), 2, 4);
  const std::vector<int> ids = {1, 2};
  layer.backward(ids, gradient);
  values[6] = kNaN;
  layer.backward(ids, gradient);
  layer.step();
  EXPECT_TRUE(same(layer.table().view(), before.view()));
  EXPECT_EQ(layer.optimizer().step_count(), 0);
  EXPECT_EQ(layer.optimizer().skipped_steps(), 1);
  layer.step();
  EXPECT_EQ(layer.optimizer().skipped_steps(), 1) << "nothing is recorded";
  values[6] = 1;
  layer.backward(ids, gradient);
  layer.step();
  EXPECT_EQ(layer.optimizer().step_count(), 1);
}

class EmbeddingBagTest : public IsaTest {};
ROWMILL_INSTANTIATE_ISA_TEST(EmbeddingBagTest);

TEST_P(EmbeddingBagTest, TrainsLikeTheReference) {
  run([] {
    constexpr std::int64_t rows = 200;
    constexpr std::int64_t dim = 100;
    const RowWiseAdagradOptions adagrad{.learning_rate = 0.05};
    for (const Pooling pooling : {Pooling::sum, Pooling::mean}) {
      EmbeddingBag layer({.rows = rows,
                          .dim = dim,
                          .seed = 1,
                          .optimizer = adagrad,
                          .pooling = pooling,
                          .out_of_range = OutOfRange::skip});
      Table weights = layer.table().clone();
      Table state(rows, 1);
      for (std::int64_t t = 1; t <= 3; ++t) {
        // Two backward passes, then one step; the reference sees them as one batch.
        auto first = narrow(id_cases(rows, 400, static_cast<std::uint64_t>(t)).back().ids);
        first[5] = -1;
        const auto second = id_cases(rows, 900, static_cast<std::uint64_t>(t) + 9)[4].ids;
        const auto offsets = any_offsets(900, 9, static_cast<std::uint64_t>(t));
        const Bags first_bags(first, 100, 4);
        const Bags second_bags(second, offsets);
        const GuardedTable gradient = GuardedTable(100 + second_bags.size(), dim).fill(static_cast<std::uint64_t>(t));
        const ConstTableView whole = gradient.view();
        layer.backward(first_bags, ConstTableView(whole.data(), 100, dim, whole.row_stride()));
        layer.backward(second_bags, ConstTableView(whole.row(100).data(), second_bags.size(), dim, whole.row_stride()));

        std::vector<std::int64_t> all(first.begin(), first.end());
        all.insert(all.end(), second.begin(), second.end());
        std::vector<std::int64_t> all_offsets;
        for (std::int64_t b = 0; b < 100; ++b) all_offsets.push_back(4 * b);
        for (const std::int64_t offset : offsets) all_offsets.push_back(400 + offset);
        const Bags all_bags(all, all_offsets);
        layer.step();
        reference::optimizer_step(
            adagrad, t, weights, {state},
            reference::row_gradients(all_bags, rows, {.pooling = pooling, .out_of_range = OutOfRange::skip}, {},
                                     whole));
        EXPECT_TRUE(same(layer.table().view(), weights.view()));
        EXPECT_TRUE(same(layer.optimizer().state()[0], state.view()));
      }
      GuardedTable out(50, dim);
      GuardedTable expected(50, dim);
      const std::vector<std::int64_t> ids = id_cases(rows, 200, 8).back().ids;
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
