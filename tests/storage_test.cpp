// SPDX-License-Identifier: Apache-2.0
// Training with weights and states of 16 bits.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "kernels/reference/reference.hpp"
#include "rowmill/convert.hpp"
#include "rowmill/embedding_bag.hpp"
#include "rowmill/error.hpp"
#include "rowmill/gather.hpp"
#include "rowmill/optimizer.hpp"
#include "rowmill/scatter_add.hpp"
#include "rowmill/sparse_gradient.hpp"
#include "rowmill/storage_options.hpp"
#include "tests/support/data.hpp"
#include "tests/support/isa_test.hpp"
#include "tests/support/quantized.hpp"

namespace rowmill::test {
namespace {

class StorageTest : public IsaTest {};
ROWMILL_INSTANTIATE_ISA_TEST(StorageTest);

const std::vector<OptimizerOptions> kOptimizers = {SgdOptions{.learning_rate = 0.1},
                                                   SgdOptions{.learning_rate = 0.1, .momentum = 0.9},
                                                   AdagradOptions{.learning_rate = 0.1, .initial_accumulator = 0.5},
                                                   RowWiseAdagradOptions{.learning_rate = 0.1},
                                                   AdamOptions{.learning_rate = 0.01},
                                                   PartialRowWiseAdamOptions{.learning_rate = 0.01}};

const RandomStream kStream{.seed = 7, .name = "words"};

/// A copy in another format, rounded to the nearest.
Table converted(const Table& from, Format format) {
  Table to(from.rows(), from.dim(), {.format = format});
  for (std::int64_t r = 0; r < from.rows(); ++r) {
    for (std::size_t c = 0; c < static_cast<std::size_t>(from.dim()); ++c) {
      const float x = element(from, r, c);
      if (format == Format::f32) to.view().row(r)[c] = x;
      if (format == Format::bf16) to.view().row<Bf16>(r)[c] = Bf16(x);
      if (format == Format::f16) to.view().row<F16>(r)[c] = F16(x);
    }
  }
  return to;
}

/// A table with the values of a normal distribution.
Table random_table(std::int64_t rows, std::int64_t dim, Format format, std::uint64_t seed) {
  return converted(Table(rows, dim, {.initializer = Initializer::normal(0, 1), .seed = seed}), format);
}

std::vector<std::int64_t> some_ids(std::int64_t rows, std::int64_t count, std::uint64_t seed) {
  return id_cases(rows, count, seed).back().ids;
}

TEST_P(StorageTest, EqualsTheReference) {
  run([] {
    constexpr std::int64_t kRows = 61;
    struct Case {
      Format weights;
      StorageOptions storage;
    };
    const std::vector<Case> cases = {
        {Format::bf16, {.split = true}},
        {Format::bf16, {.rounding = Rounding::stochastic, .stream = kStream}},
        {Format::bf16,
         {.rounding = Rounding::stochastic, .stream = kStream, .first_row = 5, .state_format = Format::bf16}},
        {Format::f32, {.state_format = Format::bf16}},
        {Format::bf16, {.split = true, .state_format = Format::bf16}},
        {Format::f16, {}},
        {Format::f16, {.rounding = Rounding::stochastic, .stream = kStream, .overflow = Overflow::infinity}},
    };
    for (const std::int64_t dim : {17, 150}) {
      for (const OptimizerOptions& options : kOptimizers) {
        for (const auto& [format, storage] : cases) {
          Optimizer optimizer(options, kRows, dim, storage, "words");
          Optimizer expected_optimizer = optimizer.clone();
          const std::vector<TableView> state(expected_optimizer.state().begin(), expected_optimizer.state().end());
          Table weights = random_table(kRows, dim, format, 1);
          Table expected = weights.clone();
          SCOPED_TRACE(std::string(optimizer.name()) + ", dim " + std::to_string(dim));
          for (std::int64_t t = 1; t <= (dim == 17 ? 2 : 1); ++t) {
            const std::vector<std::int64_t> ids =
                some_ids(kRows, dim == 17 ? 1300 : 100, static_cast<std::uint64_t>(t));
            const Table gradient = random_table(std::ssize(ids), dim, Format::f32, 2);
            reference::optimizer_step(options, t, expected, state,
                                      reference::row_gradients(ids, kRows, OutOfRange::error, {}, gradient.view()),
                                      storage);
            optimizer.step(weights, Plan(ids, kRows), gradient);
          }
          ASSERT_TRUE(same_bytes(weights.view(), expected.view()));
          for (std::size_t s = 0; s < state.size(); ++s) {
            ASSERT_TRUE(same_bytes(optimizer.state()[s], state[s])) << state[s].name();
          }
        }
      }
    }
  });
}

// Gradients of 16 bits are those of float32 that they widen to: in each optimizer, over passes of several formats and
// bags, of max too, with options; and in gradients that are returned.
TEST_P(StorageTest, GradientsOf16BitsWiden) {
  run([] {
    constexpr std::int64_t kRows = 61;
    constexpr std::int64_t kDim = 17;
    constexpr std::int64_t kBags = 700;
    const std::vector<std::int64_t> ids = some_ids(kRows, 3 * kBags, 11);
    const Bags bags(ids, kBags, 3);
    const Plan of_bags(bags, kRows);
    const Plan of_mean(bags, kRows, PlanOptions{.pooling = Pooling::mean});
    std::vector<std::int32_t> winners(static_cast<std::size_t>(kBags * kDim));
    for (std::size_t i = 0; i < winners.size(); ++i) winners[i] = static_cast<std::int32_t>(i % 3);
    const Plan of_max(bags, kRows, PlanOptions{.pooling = Pooling::max, .winners = winners});

    std::vector<Table> halves;
    std::vector<Table> floats;
    std::vector<ConstTableView> half_views;
    std::vector<ConstTableView> float_views;
    for (const Format format : {Format::bf16, Format::f16, Format::f32}) {
      const std::int64_t rows = format == Format::f32 ? kBags - 600 : 300;
      halves.push_back(converted(random_table(rows, kDim, Format::f32, halves.size()), format));
      floats.push_back(converted(halves.back(), Format::f32));
    }
    for (const Table& table : halves) half_views.push_back(table);
    for (const Table& table : floats) float_views.push_back(table);
    for (const std::size_t i : {0U, 1U}) {  // bf16 and f16
      const std::vector<std::int64_t> own_ids(ids.begin(), ids.begin() + halves[i].rows());
      for (const Format format : {Format::f32, Format::bf16, Format::f16}) {
        Table table = random_table(kRows, kDim, format, 2);
        Table expected = table.clone();
        scatter_add(table, Plan(own_ids, kRows), halves[i]);
        scatter_add(expected, Plan(own_ids, kRows), floats[i]);
        EXPECT_TRUE(same_bytes(table.view(), expected.view()));
      }
    }
    for (const Plan* plan : {&of_bags, &of_mean, &of_max}) {
      for (const OptimizerOptions& options : kOptimizers) {
        for (const GradientOptions& gradient_options : {GradientOptions{}, GradientOptions{.clip_value = 0.5}}) {
          Table weights = random_table(kRows, kDim, Format::bf16, 1);
          Table expected = weights.clone();
          Optimizer(options, kRows, kDim).step(weights, *plan, half_views, gradient_options);
          Optimizer(options, kRows, kDim).step(expected, *plan, float_views, gradient_options);
          ASSERT_TRUE(same_bytes(weights.view(), expected.view()));
        }
      }
      SparseGradient sums;
      SparseGradient expected_sums;
      sums.build(*plan, half_views);
      expected_sums.build(*plan, float_views);
      EXPECT_TRUE(same(sums.values(), expected_sums.values()));
      Table dense(kRows, kDim);
      Table expected_dense(kRows, kDim);
      dense_gradient(*plan, half_views, dense);
      dense_gradient(*plan, float_views, expected_dense);
      EXPECT_TRUE(same(dense.view(), expected_dense.view()));
    }
  });
}

// Where float16 overflows: the step says where and changes nothing, or the largest value is stored, or infinity.
TEST_P(StorageTest, OverflowIsWhatWasChosen) {
  run([] {
    constexpr std::int64_t kRows = 300;
    constexpr std::int64_t kDim = 33;
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const std::vector<std::int64_t> ids = some_ids(kRows, 2000, 12);
    const Plan plan(ids, kRows);
    const Table gradient = random_table(std::ssize(ids), kDim, Format::f32, 13);
    for (const Rounding rounding : {Rounding::nearest, Rounding::stochastic}) {
      const auto optimizer_of = [&, how = rounding](Overflow overflow) {
        return Optimizer(AdamOptions{.learning_rate = 1}, kRows, kDim,
                         {.rounding = how, .stream = kStream, .overflow = overflow});
      };
      const std::int64_t row = ids[7];
      Table start = random_table(kRows, kDim, Format::f16, 14);
      // Adam's first step is 1, less than half of the last place of 65504, but by chance it could be too much.
      start.view().row<F16>(row)[20] = F16(rounding == Rounding::nearest ? 65504.0F : 60000.0F);
      Table weights = start.clone();
      Optimizer good = optimizer_of(Overflow::error);
      good.step(weights, plan, gradient);
      EXPECT_EQ(good.step_count(), 1);

      std::vector<float> large(static_cast<std::size_t>(std::ssize(ids) * kDim), 1.0F);
      const ConstTableView too_large(large.data(), std::ssize(ids), kDim);
      Optimizer bad = good.clone();
      bad.set_options(AdamOptions{.learning_rate = 1e5});
      const Table before = weights.clone();
      const std::int64_t lowest = *std::ranges::min_element(ids);
      try {
        bad.step(weights, plan, too_large);
        FAIL() << "it was taken";
      } catch (const Error& e) {
        EXPECT_EQ(e.code(), ErrorCode::invalid_argument);
        EXPECT_EQ(std::string(e.what()), "rowmill: adam: row " + std::to_string(lowest) +
                                             ", column 0 of weights (300 x 33) would lie beyond 65504, the largest "
                                             "float16; the step changed nothing");
      }
      EXPECT_TRUE(same_bytes(weights.view(), before.view()));
      for (const std::size_t s : {0U, 1U}) EXPECT_TRUE(same_bytes(bad.state()[s], good.state()[s]));
      EXPECT_EQ(bad.step_count(), 1);
      EXPECT_EQ(bad.progress().beta2_power, good.progress().beta2_power);

      for (const auto& [overflow, expected] :
           {std::pair(Overflow::saturate, -65504.0F), {Overflow::infinity, -kInfinity}}) {
        Table limited = before.clone();
        Optimizer other = optimizer_of(overflow);
        other.set_options(AdamOptions{.learning_rate = 1e5});
        other.step(limited, plan, too_large);
        EXPECT_EQ(static_cast<float>(limited.view().row<F16>(lowest)[0]), expected);
      }
    }
    // Infinity counts as beyond; NaN stays NaN.
    const std::vector<float> special = {-kInfinity, kInfinity, std::nanf(""), 1.0F};
    std::vector<F16> w(4, F16(0.0F));
    Optimizer sgd(SgdOptions{.learning_rate = 1}, 1, 4);
    sgd.step(TableView(w.data(), 1, 4), Plan(std::vector<std::int32_t>{0}, 1), ConstTableView(special.data(), 1, 4));
    EXPECT_EQ(static_cast<float>(w[0]), 65504);
    EXPECT_EQ(static_cast<float>(w[1]), -65504);
    EXPECT_TRUE(std::isnan(static_cast<float>(w[2])));
    EXPECT_EQ(static_cast<float>(w[3]), -1);
    // A finite bf16 stays finite, though three quarters of its last place are added.
    std::vector<Bf16> largest(64, Bf16::from_bits(0x7F7F));
    const std::vector<float> down(64, -1e36F);
    Optimizer by_chance(SgdOptions{.learning_rate = 1}, 1, 64, {.rounding = Rounding::stochastic, .stream = kStream});
    by_chance.step(TableView(largest.data(), 1, 64), Plan(std::vector<std::int32_t>{0}, 1),
                   ConstTableView(down.data(), 1, 64));
    for (const Bf16 x : largest) EXPECT_EQ(x.bits, 0x7F7F);
  });
}

// A table of 40 x 300 in four parts, which are views of its memory with optimizers of their own.
TEST_P(StorageTest, PartsHaveTheBitsOfTheWhole) {
  run([] {
    constexpr std::int64_t kRows = 40;
    constexpr std::int64_t kDim = 300;
    const std::vector<std::int64_t> ids = some_ids(kRows, 500, 3);
    const Table gradient = random_table(std::ssize(ids), kDim, Format::f32, 4);
    StorageOptions storage{.rounding = Rounding::stochastic, .stream = kStream, .state_format = Format::bf16};
    Table whole = random_table(kRows, kDim, Format::bf16, 5);
    Table parts = whole.clone();
    Optimizer optimizer(AdamOptions{.learning_rate = 0.01}, kRows, kDim, storage);
    optimizer.step(whole, Plan(ids, kRows), gradient);
    optimizer.step(whole, Plan(ids, kRows), gradient);

    for (const auto& [first_row, last_row] : {std::pair<std::int64_t, std::int64_t>(0, 13), {13, kRows}}) {
      std::vector<std::int64_t> own_ids;
      std::vector<std::int64_t> own_positions;
      for (std::size_t i = 0; i < ids.size(); ++i) {
        if (ids[i] < first_row || ids[i] >= last_row) continue;
        own_ids.push_back(ids[i] - first_row);
        own_positions.push_back(static_cast<std::int64_t>(i));
      }
      for (const auto& [first_column, last_column] : {std::pair<std::int64_t, std::int64_t>(0, 77), {77, kDim}}) {
        const std::int64_t rows = last_row - first_row;
        const std::int64_t dim = last_column - first_column;
        storage.first_row = static_cast<std::uint64_t>(first_row);
        storage.first_column = static_cast<std::uint64_t>(first_column);
        Table own_gradient(std::ssize(own_ids), dim);
        gather(ConstTableView(gradient.data() + first_column, gradient.rows(), dim, kDim), own_positions, own_gradient);
        const TableView part(parts.view().row<Bf16>(first_row).data() + first_column, rows, dim, kDim);
        Optimizer of_part(AdamOptions{.learning_rate = 0.01}, rows, dim, storage);
        of_part.step(part, Plan(own_ids, rows), own_gradient);
        of_part.step(part, Plan(own_ids, rows), own_gradient);
        for (const std::size_t s : {0U, 1U}) {
          const TableView state(optimizer.state()[s].row<Bf16>(first_row).data() + first_column, rows, dim, kDim);
          EXPECT_TRUE(same_bytes(of_part.state()[s], state)) << s;
        }
      }
    }
    EXPECT_TRUE(same_bytes(parts.view(), whole.view()));
  });
}

// A training whose forward pass joins the halves: its gradients follow from the floats, as those of float32 do.
TEST_P(StorageTest, SplitTablesHaveTheBitsOfFloat32) {
  run([] {
    constexpr std::int64_t kRows = 61;
    constexpr std::int64_t kDim = 33;
    for (const OptimizerOptions& options : kOptimizers) {
      Table floats = random_table(kRows, kDim, Format::f32, 6);
      Table upper(kRows, kDim, {.format = Format::bf16});
      Optimizer expected(options, kRows, kDim);
      Optimizer optimizer(options, kRows, kDim, {.split = true}, "words");
      ASSERT_EQ(optimizer.state().size(), expected.state().size() + 1);
      EXPECT_EQ(optimizer.state().back().name(), "words.low");
      split(floats, upper, optimizer.state().back());
      Table joined(kRows, kDim);
      for (std::uint64_t t = 0; t < 5; ++t) {
        const std::vector<std::int64_t> ids = some_ids(kRows, 300, t);
        const Plan plan(ids, kRows);
        join_split(upper, std::as_const(optimizer).state().back(), joined);
        ASSERT_TRUE(same_bytes(joined.view(), floats.view())) << optimizer.name() << ", step " << t;
        Table out(std::ssize(ids), kDim);
        gather(joined, ids, out);  // d loss / d out = out, of half the sum of squares
        optimizer.step(upper, plan, out);
        gather(floats, ids, out);
        expected.step(floats, plan, out);
      }
      for (std::size_t s = 0; s < expected.state().size(); ++s) {
        EXPECT_TRUE(same_bytes(optimizer.state()[s], expected.state()[s]));
      }
    }
  });
}

TEST(StorageOptionsTest, AreKeptAndChecked) {
  std::string name = "words";
  Optimizer optimizer(AdamOptions{}, 10, 4, {.rounding = Rounding::stochastic, .state_format = Format::bf16}, name);
  name = "other";
  EXPECT_EQ(optimizer.storage().stream.name, "words");
  EXPECT_EQ(optimizer.clone().storage().stream.name, "words");
  EXPECT_EQ(optimizer.state()[1].format(), Format::bf16);

  const auto message = [](const StorageOptions& storage, Format weights = Format::bf16) {
    try {
      Optimizer sgd(SgdOptions{}, 10, 4, storage);
      Table table(10, 4, {.format = weights});
      sgd.step(table, Plan(std::vector<std::int32_t>{}, 10), std::span<const ConstTableView>());
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::invalid_argument);
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_EQ(message({}), "");
  EXPECT_EQ(message({.split = true}), "");
  EXPECT_EQ(message({.rounding = Rounding::stochastic}),
            "rowmill: sgd: rounding is stochastic, but nothing tells this table's random numbers from those of another "
            "of the same seed: give the table a name, or the stream a name or a number other than 0");
  EXPECT_EQ(message({.rounding = Rounding::stochastic, .stream = {.stream = 1}}), "");
  EXPECT_EQ(message({.rounding = static_cast<Rounding>(2)}), "rowmill: sgd: rounding is 2; allowed: 0 to 1");
  EXPECT_EQ(message({.overflow = static_cast<Overflow>(3)}), "rowmill: sgd: overflow is 3; allowed: 0 to 2");
  EXPECT_EQ(message({.state_format = Format::int8}), "rowmill: sgd: state_format is int8; supported: f32, bf16, f64");
  EXPECT_EQ(message({.rounding = Rounding::stochastic, .stream = kStream, .split = true}),
            "rowmill: sgd: rounding is stochastic, but a split table with states of f32 has nothing that is rounded");
  EXPECT_EQ(message({.split = true}, Format::f32), "rowmill: sgd: weights (10 x 4) has format f32; supported: bf16");
  EXPECT_EQ(message({.rounding = Rounding::stochastic, .stream = kStream}, Format::f32),
            "rowmill: sgd: rounding is stochastic, but weights (10 x 4) has format f32 and the states have no 16 bits: "
            "nothing is rounded");
  EXPECT_EQ(message({.overflow = Overflow::error}),
            "rowmill: sgd: overflow is set, but weights (10 x 4) has format bf16: only f16 overflows");
}

TEST(StorageOptionsTest, StatesOfTheCallersHaveTheirFormats) {
  Table m(10, 4, {.format = Format::bf16});
  Table v(10, 4, {.format = Format::bf16});
  Table low(10, 4, {.format = Format::low16});
  const StorageOptions storage{.split = true, .state_format = Format::bf16};
  Optimizer adam(AdamOptions{}, 10, 4, storage, std::vector<TableView>{m, v, low});
  EXPECT_EQ(adam.state()[2].bytes(), low.bytes());
  EXPECT_THROW(Optimizer(AdamOptions{}, 10, 4, storage, std::vector<TableView>{m, low, v}), Error);
  EXPECT_THROW(Optimizer(AdamOptions{}, 10, 4, {}, std::vector<TableView>{m, v}), Error);
}

TEST(StorageOptionsTest, OfLayersHaveTheirNameAndSeed) {
  const std::vector<std::int64_t> ids = {3, 5, 3};
  const Table gradient = random_table(3, 17, Format::bf16, 20);
  EmbeddingOptions options{.rows = 10,
                           .dim = 17,
                           .name = "words",
                           .seed = 9,
                           .format = Format::bf16,
                           .optimizer = AdamOptions{},
                           .storage = {.rounding = Rounding::stochastic}};
  Embedding layer(options);
  EXPECT_EQ(layer.optimizer().storage().stream.seed, 9);
  EXPECT_EQ(layer.optimizer().storage().stream.name, "words");
  Table expected = layer.table().clone();
  Optimizer(AdamOptions{}, 10, 17, {.rounding = Rounding::stochastic, .stream = {.seed = 9, .name = "words"}})
      .step(expected, Plan(ids, 10), gradient);
  layer.backward(ids, gradient);
  layer.step();
  EXPECT_TRUE(same_bytes(layer.table().view(), expected.view()));
  options.name = "";
  EXPECT_THROW(Embedding{options}, Error);

  EmbeddingBag bags({.rows = 10,
                     .dim = 17,
                     .name = "words",
                     .format = Format::bf16,
                     .pooling = Pooling::max,
                     .storage = {.split = true}});
  EXPECT_EQ(bags.optimizer().state().back().name(), "words.low");
  bags.backward(Bags(ids, 3, 1), gradient);
  bags.step();
  EXPECT_EQ(bags.optimizer().step_count(), 1);
}

TEST(SplitTest, GivesBackTheFloatsAndChecks) {
  const GuardedTable floats = GuardedTable(20, 33).fill(8, true);
  GuardedBf16Table upper(20, 33);
  Table low(20, 33, {.format = Format::low16});
  GuardedTable joined(20, 33, 2);
  split(floats.view(), upper.view(), low);
  join_split(upper.view(), low, joined.view());
  EXPECT_TRUE(same(joined.view(), floats.view()));
  EXPECT_TRUE(upper.guards_intact() && joined.guards_intact());
  for (std::int64_t r = 0; r < 20; ++r) {
    for (std::size_t c = 0; c < 33; ++c) {
      EXPECT_EQ(std::isnan(element(upper.view(), r, c)), std::isnan(floats.view().row(r)[c]));
    }
  }
  const float nan = std::bit_cast<float>(0x7F800001U);  // whose upper half alone would be infinite
  Bf16 half;
  std::uint16_t rest;
  split(ConstTableView(&nan, 1, 1), TableView(&half, 1, 1), TableView(&rest, Format::low16, 1, 1, 1));
  EXPECT_TRUE(std::isnan(static_cast<float>(half)));

  EXPECT_THROW(split(floats.view(), joined.view(), low), Error);
  EXPECT_THROW(split(floats.view(), upper.view(), upper.view()), Error);
  EXPECT_THROW(join_split(upper.view(), upper.view(), joined.view()), Error);
  EXPECT_THROW(join_split(upper.view(), low, GuardedTable(20, 32).view()), Error);
  EXPECT_THROW(join_split(upper.view(), low, TableView(low)), Error);
}

}  // namespace
}  // namespace rowmill::test
