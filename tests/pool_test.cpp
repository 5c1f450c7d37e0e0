// SPDX-License-Identifier: Apache-2.0
#include "rowmill/pool.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/reference/reference.hpp"
#include "rowmill/embedding_bag.hpp"
#include "rowmill/error.hpp"
#include "rowmill/table.hpp"
#include "tests/support/data.hpp"
#include "tests/support/isa_test.hpp"
#include "tests/support/pages.hpp"
#include "tests/support/quantized.hpp"

namespace rowmill::test {
namespace {

class PoolTest : public IsaTest {};
ROWMILL_INSTANTIATE_ISA_TEST(PoolTest);

template <StorageType Out = float>
void expect_pool(const ConstTableView& table, const Bags& bags, const PoolOptions& options) {
  BasicGuardedTable<Out> out(bags.size(), table.dim(), 3);
  BasicGuardedTable<Out> expected(bags.size(), table.dim());
  reference::pool(table, bags, expected.view(), options);
  Workspace workspace(pool_memory_required(bags.ids().size()));
  const std::size_t capacity = workspace.capacity();
  pool(table, bags, out.view(), options, &workspace);
  EXPECT_TRUE(same(out.view(), expected.view()));
  EXPECT_TRUE(out.guards_intact());
  EXPECT_EQ(workspace.capacity(), capacity) << "pool_memory_required promised too little";
}

template <StorageType Out = float>
void expect_pool(const ConstTableView& table, const Bags& bags, OutOfRange policy = OutOfRange::error) {
  for (const Pooling pooling : {Pooling::sum, Pooling::mean}) {
    expect_pool<Out>(table, bags, PoolOptions{.pooling = pooling, .out_of_range = policy});
  }
}

/// Every pooling with its divisors.
std::vector<PoolOptions> all_poolings(OutOfRange policy) {
  return {{Pooling::sum, policy},
          {Pooling::mean, policy},
          {Pooling::mean, policy, Divisor::weights},
          {Pooling::sqrtn, policy},
          {Pooling::sqrtn, policy, Divisor::weights},
          {Pooling::max, policy}};
}

/// A call of pool, and what the backward pass needs of the table.
void expect_all(const ConstTableView& table, const Bags& bags, const PoolOptions& options) {
  expect_pool(table, bags, options);
  if (table.format() != Format::bf16) expect_pool<F16>(table, bags, options);
  if (table.format() != Format::f16) expect_pool<Bf16>(table, bags, options);
  Workspace workspace(pool_memory_required(bags, table.dim(), options));
  const std::size_t capacity = workspace.capacity();
  if (options.pooling == Pooling::max) {
    std::vector<std::int32_t> winners(static_cast<std::size_t>(bags.size() * table.dim()), -7);
    std::vector<std::int32_t> expected = winners;
    reference::find_winners(table, bags, expected, options);
    find_winners(table, bags, winners, options, &workspace);
    EXPECT_EQ(winners, expected);
  }
  const GuardedTable gradient = GuardedTable(bags.size(), table.dim()).fill(7);
  GuardedTable out(1, bags.ids().size());
  GuardedTable expected(1, bags.ids().size());
  reference::pool_weight_gradients(table, bags, gradient.view(), expected.view().row(0), options);
  pool_weight_gradients(table, bags, gradient.view(), out.view().row(0), options, &workspace);
  EXPECT_TRUE(same(out.view(), expected.view())) << "gradients of weights";
  EXPECT_TRUE(out.guards_intact());
  EXPECT_EQ(workspace.capacity(), capacity) << "pool_memory_required promised too little";
}

/// Weights of which many are 0, and some pairs cancel.
std::vector<float> any_weights(std::size_t count, std::uint64_t seed, bool special) {
  std::mt19937_64 random(seed);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::array<float, 8> some = {1.0F, -1.0F, 0.0F, 0.5F, -2.75F, 1e-3F, -0.0F, kInfinity};
  std::vector<float> weights(count);
  for (float& w : weights) w = some[random() % (special ? 8 : 7)];
  return weights;
}

TEST_P(PoolTest, EqualsTheReferenceIn16Bits) {
  run([] {
    constexpr std::int64_t kRows = 61;
    for (const std::int64_t dim : kDims) {
      const auto table = GuardedBf16Table(kRows, dim, dim % 7).fill(1, true);
      const auto f16_table = GuardedF16Table(kRows, dim, dim % 7).fill(1, true);
      for (const IdCase& batch : id_cases(kRows, 1200, 2)) {
        SCOPED_TRACE("dim " + std::to_string(dim) + ", ids: " + batch.name);
        const auto offsets = any_offsets(static_cast<std::int64_t>(batch.ids.size()), 40, 3);
        expect_pool<Bf16>(table.view(), Bags(batch.ids, offsets));
        expect_pool<float>(table.view(), Bags(batch.ids, offsets), OutOfRange::zero);
        expect_pool<F16>(table.view(), Bags(narrow(batch.ids), narrow(offsets)), OutOfRange::zero);
        expect_pool<float>(table.view(), Bags(narrow(batch.ids), narrow(offsets)));
        expect_pool<F16>(f16_table.view(), Bags(batch.ids, offsets));
        expect_pool<float>(f16_table.view(), Bags(narrow(batch.ids), narrow(offsets)));
      }
    }
  });
}

/// Every pooling, with weights and without, under each policy, with a padding id and without.
TEST_P(PoolTest, EqualsTheReferenceFromQuantisedTables) {
  run([] {
    constexpr std::int64_t kRows = 61;
    std::vector<std::int64_t> ids = id_cases(kRows, 400, 2).back().ids;
    const auto offsets = any_offsets(400, 40, 3);
    const std::vector<float> weights = any_weights(ids.size(), 4, false);
    std::vector<std::int64_t> wild = ids;
    for (std::size_t i = 3; i < wild.size(); i += 7) wild[i] = i % 2 == 0 ? -5 : kRows;
    for (const std::int64_t dim : {3, 17, 150}) {
      for (const Format format : kQuantizedFormats) {
        SCOPED_TRACE("dim " + std::to_string(dim) + ", " + std::string(format_name(format)));
        const auto table = GuardedQuantizedTable(format, kRows, dim, dim % 7).fill(1);
        for (const PoolOptions& options : all_poolings(OutOfRange::error)) {
          expect_pool(table.view(), Bags(ids, offsets), options);
          expect_pool(table.view(), Bags(narrow(ids), offsets).with_weights(weights), options);
          expect_pool<Bf16>(table.view(), Bags(ids, offsets).with_weights(weights).with_padding(ids[5]), options);
        }
        for (const OutOfRange policy : {OutOfRange::zero, OutOfRange::skip, OutOfRange::clip}) {
          expect_pool<Bf16>(table.view(), Bags(narrow(wild), offsets),
                            {.pooling = Pooling::mean, .out_of_range = policy});
          expect_pool(table.view(), Bags(wild, offsets).with_weights(weights),
                      {.pooling = Pooling::max, .out_of_range = policy});
        }
      }
    }
  });
}

/// Scales that are zero, negative, huge or not finite, where a shorter way to a product would show; and biases of -0.
TEST_P(PoolTest, EqualsTheReferenceFromAwkwardScales) {
  run([] {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    constexpr float kScales[] = {
        0.0F,     -0.0F,    1.0F,  -0.3F,     1e-40F,    -1e-40F,    0x1.fffffep102F,
        0x1p103F, 0x1p105F, 1e38F, -0x1p105F, kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()};
    constexpr float kBiases[] = {-0.0F, 0.0F, 0.7F};
    for (const std::int64_t dim : {20, 64, 300}) {
      std::vector<std::int64_t> ids;
      Table table(std::ssize(kScales) * std::ssize(kBiases), dim, {.format = Format::int8});
      auto* row = static_cast<std::uint8_t*>(table.bytes());
      for (const float scale : kScales) {
        for (const float bias : kBiases) {
          for (std::int64_t c = 0; c < dim; ++c) row[c] = static_cast<std::uint8_t>(c % 3 == 0 ? 0 : 255 - c % 200);
          std::memcpy(row + dim, &scale, sizeof scale);
          std::memcpy(row + dim + 4, &bias, sizeof bias);
          row += row_elements(Format::int8, dim);
          ids.push_back(std::ssize(ids));
        }
      }
      for (const std::int64_t length : {1, 3, 7}) {
        const Bags bags(ids, std::ssize(ids) / length, length);
        GuardedTable out(bags.size(), dim);
        GuardedTable expected(bags.size(), dim);
        pool(table, bags, out.view());
        reference::pool(table, bags, expected.view(), {});
        EXPECT_TRUE(same(out.view(), expected.view())) << "dim " << dim << ", bags of " << length;
        EXPECT_TRUE(out.guards_intact());
      }
    }
  });
}

TEST(Pool, RefusesWhatQuantisedTablesDoNotHave) {
  const Table table(5, 4, {.format = Format::int8});
  const std::vector<std::int64_t> ids = {1, 2};
  const Bags bags(ids, 1, 2);
  std::vector<std::int32_t> winners(4);
  std::vector<float> gradients(2);
  const GuardedTable gradient = GuardedTable(1, 4).fill(1);
  EXPECT_THROW(find_winners(table, bags, winners, {.pooling = Pooling::max}), Error);
  EXPECT_THROW(pool_weight_gradients(table, bags, gradient.view(), gradients, {}), Error);
  Table quantized(1, 4, {.format = Format::int8});
  EXPECT_THROW(pool(table, bags, quantized), Error);
  for (const Format format : kQuantizedFormats) {
    EXPECT_THROW(EmbeddingBag({.rows = 5, .dim = 4, .initializer = Initializer::zeros(), .format = format}), Error);
  }
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
          if (longest == 3) expect_pool(table.view(), Bags(batch.ids, offsets));
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

TEST_P(PoolTest, EveryPoolingEqualsTheReference) {
  run([] {
    constexpr std::int64_t kRows = 23;
    constexpr std::int64_t kCount = 240;
    std::mt19937_64 random(3);
    std::vector<std::int64_t> ids(kCount);
    for (std::int64_t& id : ids) id = static_cast<std::int64_t>(random() % kRows);
    std::vector<std::int64_t> wild = ids;  // some out of range, below and above
    for (std::int64_t& id : wild) id += random() % 4 == 0 ? kRows / 2 : random() % 4 == 0 ? -kRows / 2 : 0;
    const auto offsets = any_offsets(kCount, 7, 3);
    const auto weights = any_weights(kCount, 5, false);
    const auto special_weights = any_weights(kCount, 6, true);
    for (const std::int64_t dim : {1, 17, 64, 300}) {
      const bool special = dim % 2 == 1;
      const auto table = GuardedTable(kRows, dim, dim % 7).fill(1, special);
      const auto narrow_table = GuardedBf16Table(kRows, dim).fill(2, special);
      const auto f16_table = GuardedF16Table(kRows, dim).fill(2, special);
      for (const OutOfRange policy :
           {OutOfRange::error, OutOfRange::clip, OutOfRange::zero, OutOfRange::wrap_negative, OutOfRange::skip}) {
        const bool strict = policy == OutOfRange::error || policy == OutOfRange::wrap_negative;
        const std::vector<std::int64_t>& chosen = strict ? ids : wild;
        const auto narrowed = narrow(chosen);
        for (const PoolOptions& options : all_poolings(policy)) {
          SCOPED_TRACE("dim " + std::to_string(dim) + ", policy " + std::to_string(static_cast<int>(policy)) +
                       ", pooling " + std::to_string(static_cast<int>(options.pooling)) + ", divisor " +
                       std::to_string(static_cast<int>(options.divisor)));
          const Bags bags(chosen, offsets);
          expect_all(table.view(), bags, options);
          expect_all(table.view(), bags.with_weights(special ? special_weights : weights), options);
          expect_all(table.view(), Bags(narrowed, 40, 6).with_weights(weights).with_padding(3), options);
          expect_all(narrow_table.view(), Bags(narrowed, offsets).with_padding(kRows / 2), options);
          expect_all(f16_table.view(), Bags(narrowed, offsets).with_padding(kRows / 2), options);
          if (dim == 17) {
            expect_all(narrow_table.view(), bags.with_weights(weights), options);
            expect_all(f16_table.view(), bags.with_weights(weights), options);
            expect_all(table.view(), Bags(Ids::strided(chosen.data(), kCount / 2, 2), 20, 6).with_padding(5), options);
          }
        }
      }
    }
  });
}

TEST_P(PoolTest, PaddingNeedNotBeARow) {
  run([] {
    const GuardedTable table = GuardedTable(9, 33).fill(1);
    for (const std::int64_t padding : {-1, 0, 4, 8, 9, 1000, -77}) {
      std::vector<std::int64_t> ids(600, padding);
      for (std::size_t i = 0; i < 350; ++i) ids[i * 13 % 600] = static_cast<std::int64_t>(i % 9);
      for (const PoolOptions& options : all_poolings(OutOfRange::error)) {
        expect_all(table.view(), Bags(ids, 100, 6).with_padding(padding), options);
        expect_all(table.view(), Bags(narrow(ids), 100, 6).with_padding(padding), options);
      }
    }
    // Where all ids are rows and none is padding they are read as they stand; not so with one that is.
    constexpr OutOfRange kOthers[] = {OutOfRange::clip, OutOfRange::zero, OutOfRange::wrap_negative, OutOfRange::skip};
    for (const std::int64_t padding : {-1, 0, 4, 8, 9}) {
      std::vector<std::int64_t> ids(600);
      for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int64_t>(i * 7 % 9);
      std::ranges::replace(ids, padding, 3);
      for (const std::size_t last : {ids.size(), ids.size() - 1, std::size_t{0}}) {
        if (last < ids.size()) ids[last] = padding;
        for (const OutOfRange policy : kOthers) {
          const PoolOptions options{.pooling = Pooling::mean, .out_of_range = policy};
          expect_pool(table.view(), Bags(ids, 100, 6).with_padding(padding), options);
          expect_pool(table.view(), Bags(narrow(ids), 100, 6).with_padding(padding), options);
        }
      }
    }
    // [4 5 0 0] with padding 0
    GuardedTable out(1, 33);
    pool(table.view(), Bags(std::vector<std::int32_t>{4, 5, 0, 0}, 1, 4).with_padding(0), out.view(),
         {.pooling = Pooling::mean});
    for (std::size_t c = 0; c < 33; ++c)
      EXPECT_EQ(out.view().row(0)[c], (table.view().row(4)[c] + table.view().row(5)[c]) / 2);
  });
}

/// The last bags of a block prefetch for the ids that follow, up to the last.
TEST_P(PoolTest, PrefetchesForNoIdsPastTheLast) {
  run([] {
    constexpr std::int64_t kBags = 300;
    const PageEnd<std::int32_t> ids(narrow(id_cases(61, kBags, 2).back().ids));
    const GuardedTable table = GuardedTable(61, 20).fill(3);
    expect_all(table.view(), Bags(std::span(ids.data(), kBags), kBags, 1), {});
  });
}

/// Bags of more ids than a block on the stack has, beside short ones.
TEST_P(PoolTest, TakesLongBags) {
  run([] {
    const auto ids = id_cases(61, 9000, 2).back().ids;
    const auto weights = any_weights(9000, 8, false);
    const std::vector<std::int64_t> offsets = {0, 3, 4097, 4100, 8300, 8999, 9000};
    const GuardedTable table = GuardedTable(61, 20).fill(3);
    for (const OutOfRange policy : {OutOfRange::error, OutOfRange::skip}) {
      for (const PoolOptions& options : all_poolings(policy)) {
        expect_all(table.view(), Bags(ids, offsets).with_weights(weights).with_padding(60), options);
      }
    }
    expect_all(table.view(), Bags(ids, 1, 9000).with_padding(7), {.pooling = Pooling::max});
  });
}

TEST_P(PoolTest, MaxTakesTheFirstOfEqualsAndTheFirstNaN) {
  run([] {
    constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    // Columns of four rows, and which row wins.
    const std::vector<std::array<float, 4>> columns = {{1, 3, 2, 3},
                                                       {0.0F, -0.0F, 0.0F, -1},
                                                       {-0.0F, 0.0F, -1, 0.0F},
                                                       {1, kNan, 5, kNan},
                                                       {kNan, 1, 2, 3},
                                                       {-kInfinity, -kInfinity, -kInfinity, -kInfinity},
                                                       {-kInfinity, -3e38F, 1, kInfinity},
                                                       {1, 2, 3, kNan}};
    const std::vector<std::int32_t> winners = {1, 0, 0, 1, 0, 0, 3, 3};
    Table table(4, 8);
    for (std::int64_t r = 0; r < 4; ++r) {
      for (std::size_t c = 0; c < 8; ++c) table.view().row(r)[c] = columns[c][static_cast<std::size_t>(r)];
    }
    const std::vector<std::int64_t> ids = {0, 1, 2, 3};
    const Bags bags(ids, 1, 4);
    GuardedTable out(1, 8);
    std::vector<std::int32_t> found(8);
    pool(table, bags, out.view(), {.pooling = Pooling::max});
    find_winners(table, bags, found, {.pooling = Pooling::max});
    EXPECT_EQ(found, winners);
    for (std::size_t c = 0; c < 8; ++c) {
      EXPECT_TRUE(same_bits(out.view().row(0)[c], columns[c][static_cast<std::size_t>(winners[c])])) << c;
    }
  });
}

TEST_P(PoolTest, WeightsThatCancelGiveZero) {
  run([] {
    Table table(3, 20);
    table.view().row(1)[3] = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> weights = {1, -1, 0.5F, -0.5F};
    const std::vector<std::int32_t> ids = {0, 1, 2, 1};
    const Bags bags = Bags(ids, 1, 4).with_weights(weights);
    GuardedTable out(1, 20);
    const GuardedTable gradient = GuardedTable(1, 20).fill(1);
    std::vector<float> of_weights(4, 7.0F);
    const PoolOptions options{.pooling = Pooling::mean, .divisor = Divisor::weights};
    pool(table, bags, out.view(), options);
    pool_weight_gradients(table, bags, gradient.view(), of_weights, options);
    for (const float x : out.view().row(0)) EXPECT_TRUE(same_bits(x, 0.0F));
    for (const float x : of_weights) EXPECT_TRUE(same_bits(x, 0.0F));
  });
}

TEST_P(PoolTest, TakesTablesWithoutColumns) {
  run([] {
    const std::vector<float> weights = {1, -1, 2, 3};
    for (const PoolOptions& options : all_poolings(OutOfRange::error)) {
      expect_all(TableView(nullptr, 5, 0), Bags(std::vector<std::int64_t>{0, 1, 4, 2}, 2, 2).with_weights(weights),
                 options);
      expect_all(TableView(nullptr, 5, 0), Bags(Ids(), 7, 0), options);
      expect_all(TableView(nullptr, 0, 3), Bags(Ids(), 7, 0), options);
      expect_all(TableView(nullptr, 0, 3), Bags(Ids(), 0, 4), options);
    }
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

}  // namespace
}  // namespace rowmill::test
