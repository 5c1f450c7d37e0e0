// SPDX-License-Identifier: Apache-2.0
// Training with weights and states of 16 bits.
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <utility>

#include "kernels/random/streams.hpp"
#include "kernels/reference/reference.hpp"
#include "rowmill/convert.hpp"
#include "rowmill/error.hpp"
#include "rowmill/gather.hpp"
#include "rowmill/optimizer.hpp"
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

/// A table with the values of a normal distribution.
Table random_table(std::int64_t rows, std::int64_t dim, Format format, std::uint64_t seed) {
  return {rows, dim, TableOptions{.initializer = Initializer::normal(0, 1), .seed = seed, .format = format}};
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

TEST(StorageRounding, TakesTheBitsThatAreWrittenDown) {
  // Column 70 + 3 of a view that begins at 3: block 16 * 0 + 9, word 0, upper half.
  const std::uint64_t row = (std::uint64_t{1} << 32) + 5;
  const auto key = stream_key({.seed = 7, .name = "words", .purpose = RandomPurpose::round_weights});
  const auto words = philox4x32_10({9, 5, 1, 1}, key);
  const float x = 1.0F + 0x1p-9F;  // a fourth of the way from 1 to the next bf16
  std::vector<Bf16> weights(71, Bf16(0.0F));
  Optimizer optimizer(SgdOptions{.learning_rate = 1}, 1, 71,
                      {.rounding = Rounding::stochastic, .stream = kStream, .first_row = row, .first_column = 3});
  const std::vector<float> gradient(71, -x);
  optimizer.step(TableView(weights.data(), 1, 71), Plan(std::vector<std::int32_t>{0}, 1),
                 ConstTableView(gradient.data(), 1, 71));
  EXPECT_EQ(weights[70].bits, (0x3F80'4000U + (words[0] >> 16)) >> 16);
  EXPECT_EQ(reference::random_bits(key, row, 73, 1), words[0] >> 16);
}

TEST(StorageRounding, IsRightOnAverageAndKeepsWhatIsExact) {
  constexpr std::int64_t kCount = 100'000;
  std::mt19937_64 random(1);
  for (const float x : {1.0F + 0x1p-9F, -3.3F, 1e-39F, 0.7e-5F, 100.1F}) {
    double bf16 = 0;
    double f16 = 0;
    for (std::int64_t i = 0; i < kCount; ++i) {
      const auto bits = static_cast<std::uint32_t>(random() & 0xFFFFU);
      bf16 += static_cast<double>(static_cast<float>(reference::round_to_bf16(x, bits)));
      f16 += static_cast<double>(static_cast<float>(reference::round_to_f16(x, bits)));
    }
    const auto exact = static_cast<double>(x);
    EXPECT_NEAR(bf16 / kCount, exact, std::max(std::abs(exact) * 0x1p-7, 0x1p-133) * 0.01);
    EXPECT_NEAR(f16 / kCount, exact, std::max(std::abs(exact) * 0x1p-10, 0x1p-24) * 0.01);
  }
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const std::uint32_t bits : {0U, 1U, 0x8000U, 0xFFFFU}) {
    for (const float x : {0.0F, -0.0F, 1.0F, -0.5F, kInfinity, -kInfinity, 0x1p-126F, 0x1p-133F}) {
      EXPECT_TRUE(same_bits(static_cast<float>(reference::round_to_bf16(x, bits)), x)) << x;
    }
    for (const float x : {0.0F, -0.0F, 1.0F, -0.5F, 65504.0F, kInfinity, -kInfinity, 0x1p-14F, 0x1p-24F}) {
      EXPECT_TRUE(same_bits(static_cast<float>(reference::round_to_f16(x, bits)), x)) << x;
    }
    EXPECT_TRUE(std::isnan(static_cast<float>(reference::round_to_bf16(std::nanf(""), bits))));
    EXPECT_EQ(reference::round_to_bf16(std::numeric_limits<float>::max(), bits).bits, 0x7F7F) << "stays finite";
  }
}

// Updates of a hundredth of the last place: to the nearest they leave no trace.
TEST(StorageRounding, SmallUpdatesAddUp) {
  const std::vector<std::int32_t> ids = {0};
  const Plan plan(ids, 1);
  const std::vector<float> gradient(256, -1.0F);
  const auto train = [&](const StorageOptions& storage) {
    std::vector<Bf16> weights(256, Bf16(1.0F));
    Optimizer optimizer(SgdOptions{.learning_rate = 0x1p-14}, 1, 256, storage);
    for (int t = 0; t < 1000; ++t) {
      optimizer.step(TableView(weights.data(), 1, 256), plan, ConstTableView(gradient.data(), 1, 256));
    }
    double sum = 0;
    for (const Bf16 w : weights) sum += static_cast<double>(static_cast<float>(w));
    return sum / 256;
  };
  EXPECT_EQ(train({}), 1);
  EXPECT_NEAR(train({.rounding = Rounding::stochastic, .stream = kStream}), 1 + 1000 * 0x1p-14, 0.002);
}

TEST(StorageRounding, TablesOfOneSeedDifferByNameOrStreamAndAreTheSameAgain) {
  const std::vector<float> gradient(256, -1.001F);
  const auto step = [&](const RandomStream& stream, std::string_view name) {
    std::vector<Bf16> weights(256, Bf16(1.0F));
    Optimizer optimizer(SgdOptions{.learning_rate = 1}, 1, 256, {.rounding = Rounding::stochastic, .stream = stream},
                        name);
    optimizer.step(TableView(weights.data(), 1, 256), Plan(std::vector<std::int32_t>{0}, 1),
                   ConstTableView(gradient.data(), 1, 256));
    std::vector<std::uint16_t> bits;
    for (const Bf16 w : weights) bits.push_back(w.bits);
    return bits;
  };
  const auto words = step({}, "words");
  EXPECT_EQ(step({}, "words"), words);
  EXPECT_EQ(step({.name = "words"}, "others"), words) << "the stream's name is the one that counts";
  EXPECT_NE(step({}, "others"), words);
  EXPECT_NE(step({.seed = 1}, "words"), words);
  EXPECT_NE(step({.stream = 1}, "words"), words);
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
