// SPDX-License-Identifier: Apache-2.0
// Bad ids are found at the lowest position, under every policy.
#include <cstdint>
#include <limits>
#include <vector>

#include "rowmill/rowmill.hpp"
#include "tests/support/data.hpp"
#include "tests/support/failure.hpp"
#include "tests/support/isa_test.hpp"

namespace rowmill::test {
namespace {

using std::numeric_limits;

class BadIdTest : public IsaTest {};
ROWMILL_INSTANTIATE_ISA_TEST(BadIdTest);

TEST_P(BadIdTest, IsFoundAtTheLowestPosition) {
  run([] {
    for (const std::int64_t count : {1, 2, 15, 16, 17, 63, 64, 65, 1000, 100000}) {
      const auto n = static_cast<std::size_t>(count);
      std::vector<std::int64_t> ids(n);
      for (std::size_t i = 0; i < n; ++i) ids[i] = static_cast<std::int64_t>(i % 10);
      EXPECT_FALSE(find_bad_id(ids, 10).has_value());
      EXPECT_FALSE(find_bad_id(narrow(ids), 10).has_value());
      for (const std::size_t at : {n - 1, n / 2, n / 3, std::size_t{0}}) {  // each before the one found until now
        for (const std::int64_t bad :
             {std::int64_t{10}, std::int64_t{-1}, std::int64_t{1} << 31, -(std::int64_t{1} << 32),
              numeric_limits<std::int64_t>::max(), numeric_limits<std::int64_t>::min()}) {
          ids[at] = bad;
          const auto found = find_bad_id(ids, 10);
          ASSERT_TRUE(found.has_value());
          EXPECT_EQ(found->position, static_cast<std::int64_t>(at));
          EXPECT_EQ(found->value, bad);
        }
        std::vector<std::int32_t> narrowed = narrow(ids);
        narrowed[at] = numeric_limits<std::int32_t>::min();
        EXPECT_EQ(find_bad_id(narrowed, 10)->position, static_cast<std::int64_t>(at));
      }
    }
  });
}

TEST_P(BadIdTest, DependsOnThePolicy) {
  run([] {
    const auto bad = [](std::int64_t id, std::int64_t rows, OutOfRange policy) {
      return find_bad_id(std::vector<std::int64_t>{id}, rows, policy).has_value();
    };
    EXPECT_TRUE(bad(-1, 10, OutOfRange::error));
    EXPECT_FALSE(bad(-1, 10, OutOfRange::clip));
    EXPECT_FALSE(bad(-1, 10, OutOfRange::zero));
    EXPECT_FALSE(bad(-10, 10, OutOfRange::wrap_negative));
    EXPECT_TRUE(bad(-11, 10, OutOfRange::wrap_negative));
    EXPECT_TRUE(bad(10, 10, OutOfRange::wrap_negative));
    EXPECT_TRUE(bad(0, 0, OutOfRange::clip));
    EXPECT_TRUE(bad(0, 0, OutOfRange::error));
    EXPECT_FALSE(bad(0, 0, OutOfRange::zero));
    EXPECT_FALSE(bad(-1, 10, OutOfRange::skip));
    EXPECT_FALSE(bad(0, 0, OutOfRange::skip));
    EXPECT_FALSE(find_bad_id(std::vector<std::int32_t>{}, 0).has_value());
    // A table with more rows than int32 counts: every int32 that is not negative is a row.
    EXPECT_FALSE(find_bad_id(std::vector<std::int32_t>{numeric_limits<std::int32_t>::max()}, 1LL << 40).has_value());
  });
}

TEST_P(BadIdTest, PaddingIsNotBad) {
  run([] {
    for (const std::int64_t padding : {-1, 0, 5, 9, 10, 11, -7, 100000}) {
      for (const std::int64_t count : {1, 17, 64, 1000}) {
        std::vector<std::int64_t> ids(static_cast<std::size_t>(count), padding);
        EXPECT_FALSE(find_bad_id(ids, 10, OutOfRange::error, padding).has_value());
        EXPECT_FALSE(find_bad_id(narrow(ids), 10, OutOfRange::error, padding).has_value());
        EXPECT_FALSE(find_bad_id(ids, 0, OutOfRange::clip, padding).has_value());
        EXPECT_FALSE(find_bad_id(ids, 10, OutOfRange::wrap_negative, padding).has_value());
        for (const std::int64_t bad : {-2, 12}) {
          ids.back() = bad;
          const auto found = find_bad_id(ids, 10, OutOfRange::error, padding);
          ASSERT_TRUE(found.has_value());
          EXPECT_EQ(found->position, count - 1);
          EXPECT_EQ(found->value, bad);
          EXPECT_EQ(find_bad_id(narrow(ids), 10, OutOfRange::error, padding)->position, count - 1);
        }
      }
    }
    // A padding id that no int32 is, and one below the range under wrap_negative.
    EXPECT_TRUE(find_bad_id(std::vector<std::int32_t>{0}, 0, OutOfRange::error, 1LL << 32).has_value());
    EXPECT_FALSE(find_bad_id(std::vector<std::int32_t>{-11}, 10, OutOfRange::wrap_negative, -11).has_value());
    EXPECT_TRUE(find_bad_id(std::vector<std::int32_t>{-12}, 10, OutOfRange::wrap_negative, -11).has_value());
  });
}

TEST_P(BadIdTest, NarrowsNothing) {
  run([] {
    // 2^32 + 3 and 2^31 would be rows 3 and a negative number if an id were cut to 32 bits.
    Table table(10, 4, {.name = "words"});
    Table out(2, 4);
    expect_failure(
        [&] {
          gather(table, std::vector<std::int64_t>{2, (1LL << 32) + 3}, out);
        },
        ErrorCode::id_out_of_range,
        "rowmill: gather: ids[1] = 4294967299 is out of range for table 'words' of 10 rows "
        "(allowed: 0 to 9)");
    expect_failure(
        [&] {
          scatter_add(table, std::vector<std::int64_t>{1LL << 31, 2}, out.view());
        },
        ErrorCode::id_out_of_range,
        "rowmill: scatter_add: ids[0] = 2147483648 is out of range for table 'words' of 10 rows "
        "(allowed: 0 to 9)");
  });
}

}  // namespace
}  // namespace rowmill::test
