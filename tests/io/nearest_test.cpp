// SPDX-License-Identifier: Apache-2.0
#include "rowmill/io/nearest.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/table/rows.hpp"
#include "rowmill/convert.hpp"
#include "tests/io/support.hpp"
#include "tests/support/isa_test.hpp"

namespace rowmill::io::test {
namespace {

std::vector<float> floats_of(const ConstTableView& table, std::int64_t r) {
  std::vector<float> row(static_cast<std::size_t>(table.dim()));
  convert(some_rows(table, r, 1), TableView(row.data(), 1, table.dim()));
  return row;
}

/// The sum over columns that docs/numerics.md defines.
float dot(const std::vector<float>& a, const std::vector<float>& b) {
  float lanes[16] = {};
  for (std::size_t c = 0; c < a.size(); ++c) lanes[c % 16] += a[c] * b[c];
  for (std::size_t step = 8; step > 0; step /= 2) {
    for (std::size_t k = 0; k < step; ++k) lanes[k] += lanes[k + step];
  }
  return lanes[0];
}

/// Every cosine, sorted.
std::vector<Neighbour> expected_answer(const ConstTableView& table, const std::vector<float>& query,
                                       std::int64_t count) {
  std::vector<Neighbour> all;
  for (std::int64_t r = 0; r < table.rows(); ++r) {
    const std::vector<float> row = floats_of(table, r);
    const float cosine = dot(row, query) / (std::sqrt(dot(row, row)) * std::sqrt(dot(query, query)));
    if (!std::isnan(cosine)) all.push_back({r, cosine});
  }
  std::ranges::stable_sort(all, [](const Neighbour& a, const Neighbour& b) { return a.cosine > b.cosine; });
  all.resize(std::min(all.size(), static_cast<std::size_t>(count)));
  return all;
}

void expect_nearest(const ConstTableView& table, const ConstTableView& queries, std::int64_t count) {
  const auto answers = nearest(table, queries, count);
  ASSERT_EQ(static_cast<std::int64_t>(answers.size()), queries.rows());
  for (std::int64_t q = 0; q < queries.rows(); ++q) {
    const auto& answer = answers[static_cast<std::size_t>(q)];
    const std::vector<Neighbour> expected = expected_answer(table, floats_of(queries, q), count);
    ASSERT_EQ(answer.size(), expected.size());
    for (std::size_t i = 0; i < answer.size(); ++i) {
      ASSERT_EQ(answer[i].row, expected[i].row) << "dim " << table.dim() << ", query " << q << ", answer " << i;
      ASSERT_EQ(std::bit_cast<std::uint32_t>(answer[i].cosine), std::bit_cast<std::uint32_t>(expected[i].cosine));
    }
  }
}

class NearestTest : public rowmill::test::IsaTest {};

TEST_P(NearestTest, HasTheBitsOfTheDefinition) {
  run([] {
    for (const std::int64_t dim : {1, 15, 16, 17, 47, 300}) {
      GuardedTable table(1003, dim, 3, 0);
      table.fill(5, false);
      // Rows that are no answers, and rows that equal each other.
      std::ranges::fill(table.view().row(1), 0.0F);
      table.view().row(2)[0] = std::numeric_limits<float>::quiet_NaN();
      table.view().row(3)[0] = std::numeric_limits<float>::infinity();
      std::ranges::copy(table.view().row(40), table.view().row(900).begin());
      const Table random(67, dim, {.initializer = Initializer::normal(0, 1), .seed = 7});
      for (const std::int64_t count : {1, 4, 67}) {
        const ConstTableView all = random;
        expect_nearest(table.view(), {all.data(), count, dim}, 9);
      }
      // Rows of the table itself find themselves, the lower of two that are equal.
      const ConstTableView view = table.view();
      expect_nearest(view, {view.row(38).data(), 6, dim, view.row_stride()}, 2000);
    }
  });
}

TEST_P(NearestTest, OtherFormatsAreFloatsFirst) {
  run([] {
    for (const Format format : {Format::bf16, Format::f16, Format::int8, Format::int4, Format::int2, Format::f64}) {
      for (const std::int64_t dim : {1, 17, 64}) {
        const Table floats(501, dim, {.initializer = Initializer::normal(0, 1), .seed = 3});
        Table table(501, dim, {.format = format});
        convert(floats, table);
        const ConstTableView view = table;
        expect_nearest(view, {view.bytes(), format, 5, dim, view.row_stride()}, 7);
      }
    }
  });
}

ROWMILL_INSTANTIATE_ISA_TEST(NearestTest);

TEST(Nearest, NothingToFind) {
  const Table table(3, 2, {.initializer = Initializer::constant(1)});
  EXPECT_TRUE(nearest(table, Table(0, 2), 5).empty());
  EXPECT_TRUE(nearest(Table(0, 2), table, 5)[2].empty());
  EXPECT_TRUE(nearest(table, table, 0)[0].empty());
  EXPECT_TRUE(nearest(table, Table(1, 2), 5)[0].empty()) << "a query of zeros";
}

TEST(Nearest, RefusesWhatIsWrong) {
  const Table table(3, 2);
  EXPECT_THROW((void)nearest(table, Table(1, 3), 1), Error);
  EXPECT_THROW((void)nearest(table, table, -1), Error);
  EXPECT_THROW((void)nearest({static_cast<const float*>(nullptr), 3, 2}, table, 1), Error);
}

}  // namespace
}  // namespace rowmill::io::test
