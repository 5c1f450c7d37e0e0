// SPDX-License-Identifier: Apache-2.0
#include "rowmill/sparse_gradient.hpp"

#include <algorithm>
#include <limits>

#include "kernels/reference/reference.hpp"
#include "rowmill/error.hpp"
#include "tests/support/data.hpp"
#include "tests/support/isa_test.hpp"
#include "tests/support/pooled_batches.hpp"

namespace rowmill::test {
namespace {

class SparseGradientTest : public IsaTest {};
ROWMILL_INSTANTIATE_ISA_TEST(SparseGradientTest);

constexpr std::int64_t kRows = 61;

/// A gradient in three parts, one of them empty.
std::vector<ConstTableView> parts_of(const ConstTableView& whole) {
  const std::int64_t first = whole.rows() / 3;
  const auto part = [&](std::int64_t begin, std::int64_t rows) {
    return ConstTableView(whole.data() + begin * whole.row_stride(), rows, whole.dim(), whole.row_stride());
  };
  return {part(0, first), part(first, 0), part(first, whole.rows() - first)};
}

/// Both forms of the gradient against the reference's.
void expect_sums(const Plan& plan, std::span<const ConstTableView> gradients, std::int64_t dim,
                 const GradientOptions& options, std::vector<reference::RowGradient> expected) {
  reference::apply(options, expected);
  ASSERT_EQ(plan.unique_count(), std::ssize(expected));
  std::vector<std::int64_t> rows(expected.size());
  GuardedTable values(std::ssize(expected), dim, 3);
  GuardedTable dense(plan.rows(), dim, 2);
  Workspace workspace(sum_gradients_memory_required(plan.id_count(), dim, std::ssize(gradients)));
  const std::size_t capacity = workspace.capacity();
  sum_gradients(plan, gradients, rows, values.view(), options, &workspace);
  dense_gradient(plan, gradients, dense.view(), options, &workspace);
  EXPECT_EQ(workspace.capacity(), capacity) << "sum_gradients_memory_required promised too little";

  GuardedTable expected_values(std::ssize(expected), dim);
  GuardedTable expected_dense(plan.rows(), dim);
  for (std::int64_t r = 0; r < plan.rows(); ++r) std::ranges::fill(expected_dense.view().row(r), 0.0F);
  for (std::size_t k = 0; k < expected.size(); ++k) {
    EXPECT_EQ(rows[k], expected[k].row) << "row " << k;
    std::ranges::copy(expected[k].g, expected_values.view().row(static_cast<std::int64_t>(k)).begin());
    std::ranges::copy(expected[k].g, expected_dense.view().row(expected[k].row).begin());
  }
  EXPECT_TRUE(same(values.view(), expected_values.view()));
  EXPECT_TRUE(same(dense.view(), expected_dense.view()));
  EXPECT_TRUE(values.guards_intact());
  EXPECT_TRUE(dense.guards_intact());
}

const GradientOptions kOptions[] = {
    {},
    {.scale_grad_by_freq = true},
    {.clip_value = 0.3},
    {.clip_row_norm = 0.7},
    {.clip_global_norm = 2.5},
    {.scale_grad_by_freq = true, .clip_value = 0.9, .clip_row_norm = 0.8, .clip_global_norm = 1.5},
    {.clip_global_norm = 1e30}};

TEST_P(SparseGradientTest, EqualsTheReferenceForBags) {
  run([] {
    for (const std::int64_t dim : {1, 17, 64}) {
      const PooledBatches batches(kRows, 160, dim);
      std::size_t n = 0;
      for (const PooledBatch& batch : batches.all()) {
        SCOPED_TRACE("dim " + std::to_string(dim) + ", " + batch.name);
        const GradientOptions& options = kOptions[n % std::size(kOptions)];
        const GuardedTable gradient = GuardedTable(batch.bags.size(), dim, 2).fill(n, n % 3 == 0);
        const Plan plan(batch.bags, kRows, batch.plan_options(n % 2 == 0));
        expect_sums(plan, parts_of(gradient.view()), dim, options, batch.row_gradients(kRows, gradient.view()));
        ++n;
      }
    }
  });
}

TEST_P(SparseGradientTest, EqualsTheReferenceForIds) {
  run([] {
    for (const IdCase& batch : id_cases(kRows, 1500, 3)) {
      SCOPED_TRACE(batch.name);
      const auto count = static_cast<std::int64_t>(batch.ids.size());
      for (const std::int64_t dim : {16, 100}) {
        const GuardedTable gradient = GuardedTable(count, dim).fill(4);
        for (const std::optional<std::int64_t> padding : {std::optional<std::int64_t>(), {kRows - 1}}) {
          const Plan plan(batch.ids, kRows, {.padding_id = padding});
          expect_sums(plan, parts_of(gradient.view()), dim, kOptions[5],
                      reference::row_gradients(batch.ids, kRows, OutOfRange::error, padding, gradient.view()));
        }
      }
    }
  });
}

// A row with three blocks of contributions, which threads share; more than 1,024 rows, whose norm has two blocks.
TEST_P(SparseGradientTest, SharesHotRowsAndSumsNormsInBlocks) {
  run([] {
    Tuning tuning = rowmill::tuning();
    tuning.share_bytes = 0;
    override_tuning(tuning);
    constexpr std::int64_t kManyRows = 4000;
    const PooledBatches batches(kManyRows, 5400, 17, 0.5);
    for (const PooledBatch& batch : batches.all()) {
      if (!batch.name.starts_with("offsets")) continue;
      SCOPED_TRACE(batch.name);
      const GuardedTable gradient = GuardedTable(batch.bags.size(), 17).fill(5);
      const Plan plan(batch.bags, kManyRows, batch.plan_options());
      ASSERT_GT(plan.unique_count(), 1024);
      ASSERT_FALSE(plan.hot_segments().empty());
      expect_sums(plan, parts_of(gradient.view()), 17, kOptions[5], batch.row_gradients(kManyRows, gradient.view()));
    }
  });
}

// More shards than one, whose rows' first positions interleave.
TEST_P(SparseGradientTest, KeepsTheOrderOfFirstOccurrence) {
  run([] {
    SparseGradient sparse;
    for (const std::int64_t count : {20'000, 30, 0, 25'000}) {
      const std::vector<std::int64_t> ids = id_cases(9000, count, 6)[4].ids;
      const GuardedTable gradient = GuardedTable(count, 2).fill(7);
      const auto expected = reference::row_gradients(ids, 9000, OutOfRange::error, {}, gradient.view());
      sparse.build(Plan(Bags(ids, count / 5, 5), 9000), parts_of(GuardedTable(count / 5, 2).fill(7).view()));
      const std::vector<std::int64_t> of_bags(sparse.rows().begin(), sparse.rows().end());
      sparse.build(Plan(ids, 9000), gradient.view());
      ASSERT_EQ(sparse.rows().size(), expected.size());
      ASSERT_EQ(sparse.values().rows(), std::ssize(expected));
      EXPECT_TRUE(std::ranges::equal(sparse.rows(), of_bags));
      for (std::size_t k = 0; k < expected.size(); ++k) {
        ASSERT_EQ(sparse.rows()[k], expected[k].row);
        ASSERT_TRUE(std::ranges::equal(sparse.values().row(static_cast<std::int64_t>(k)), expected[k].g));
      }
    }
  });
}

TEST(SparseGradientShape, WithoutColumnsHasRows) {
  const std::vector<std::int64_t> ids = {5, 3, 5};
  std::vector<std::int64_t> rows(2);
  const ConstTableView nothing(nullptr, 3, 0);
  sum_gradients(Plan(ids, 9), std::span(&nothing, 1), rows, TableView(nullptr, 2, 0), {.clip_global_norm = 1});
  EXPECT_EQ(rows, (std::vector<std::int64_t>{5, 3}));
  dense_gradient(Plan(ids, 9), std::span(&nothing, 1), TableView(nullptr, 9, 0));
}

TEST(SparseGradientMove, TakesTheContents) {
  const GuardedTable gradient = GuardedTable(3, 4).fill(8);
  SparseGradient from;
  from.build(Plan(std::vector<std::int64_t>{5, 3, 5}, 9), gradient.view());
  SparseGradient to = std::move(from);
  EXPECT_TRUE(std::ranges::equal(to.rows(), std::vector<std::int64_t>{5, 3}));
  EXPECT_TRUE(std::ranges::equal(to.values().row(1), gradient.view().row(1)));
  EXPECT_TRUE(from.rows().empty());  // NOLINT(bugprone-use-after-move): it is an empty one
  EXPECT_EQ(from.values().rows(), 0);
  from.build(Plan(std::vector<std::int64_t>{2}, 9), ConstTableView(gradient.view().data(), 1, 4));
  EXPECT_EQ(from.rows()[0], 2);
  EXPECT_EQ(to.rows()[0], 5);
}

/// The message of the Error that f throws, which has this code.
template <class F>
std::string message_of(ErrorCode code, F f) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    return e.what();
  }
  return "";
}

TEST(SparseGradientErrors, NameWhatIsWrongAndWriteNothing) {
  const Plan plan(std::vector<std::int64_t>{5, 3, 5}, 9);
  GuardedTable gradient = GuardedTable(3, 4).fill(9);
  const ConstTableView view = gradient.view();
  const std::span<const ConstTableView> gradients(&view, 1);
  std::vector<std::int64_t> rows(2, 77);
  GuardedTable values = GuardedTable(2, 4).fill(10);
  const GuardedTable before = values;
  const auto sum = [&](const GradientOptions& options) {
    sum_gradients(plan, gradients, rows, values.view(), options);
  };
  const auto bad_option = [&](const GradientOptions& options) {
    return message_of(ErrorCode::invalid_argument, [&] { sum(options); });
  };
  EXPECT_EQ(bad_option({.clip_value = 0}),
            "rowmill: sum_gradients: clip_value is 0; allowed: 1.2e-38 <= value <= 3.4e38");
  EXPECT_NE(bad_option({.clip_row_norm = -1}), "");
  EXPECT_NE(bad_option({.clip_global_norm = std::numeric_limits<double>::infinity()}), "");
  EXPECT_NE(bad_option({.clip_value = std::nan("")}), "");
  EXPECT_NE(bad_option({.clip_value = 1e-60}), "") << "0 as a float";
  EXPECT_EQ(bad_option({.skip_nonfinite = true}),
            "rowmill: sum_gradients: skip_nonfinite is set; only a step can be skipped");
  EXPECT_EQ(message_of(ErrorCode::shape_mismatch,
                       [&] { sum_gradients(plan, gradients, std::span(rows).first(1), values.view()); }),
            "rowmill: sum_gradients: rows (1) must have 2 elements, one for each row that the plan touches");
  EXPECT_NE(message_of(ErrorCode::shape_mismatch,
                       [&] { sum_gradients(plan, gradients, rows, TableView(values.view().data(), 1, 4, 9)); }),
            "");
  EXPECT_NE(message_of(ErrorCode::shape_mismatch, [&] { sum_gradients(plan, {}, rows, values.view()); }), "");
  EXPECT_NE(message_of(ErrorCode::shape_mismatch, [&] { dense_gradient(plan, gradients, values.view()); }), "");
  EXPECT_NE(message_of(ErrorCode::overlap,
                       [&] { sum_gradients(plan, gradients, rows, TableView(gradient.view().data() + 2, 2, 4)); }),
            "");
  EXPECT_NE(message_of(ErrorCode::overlap,
                       [&] {
                         auto* const in_values = reinterpret_cast<std::int64_t*>(
                             (reinterpret_cast<std::uintptr_t>(values.view().data()) + 7) / 8 * 8);
                         sum_gradients(plan, gradients, {in_values, 2}, values.view());
                       }),
            "");
  EXPECT_EQ(rows, (std::vector<std::int64_t>{77, 77}));
  EXPECT_TRUE(same(values.view(), before.view()));
}

TEST(SparseGradientErrors, CheckTheWinners) {
  const std::vector<std::int64_t> ids = {5, 3, 5};
  const std::vector<std::int32_t> winners(8);
  const GuardedTable gradient(3, 4);
  SparseGradient sparse;
  const Plan plan(Bags(ids, 3, 1), 9, {.pooling = Pooling::max, .winners = winners});
  EXPECT_EQ(message_of(ErrorCode::shape_mismatch, [&] { sparse.build(plan, gradient.view()); }),
            "rowmill: sum_gradients: the plan has 8 winners; its 3 bags of dim 4 need one for each column");
}

}  // namespace
}  // namespace rowmill::test
