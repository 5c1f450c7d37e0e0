// SPDX-License-Identifier: Apache-2.0
// How a shard of a plan numbers its rows: by a hash table, and by sorting where rows collide.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <string>
#include <vector>

#include "kernels/plan/numbering.hpp"
#include "tests/support/colliding_rows.hpp"
#include "tests/support/data.hpp"

namespace rowmill::test {
namespace {

/// What number_by_hash() or number_by_sorting() makes of ids.
template <class Index>
struct Numbered {
  std::vector<std::int64_t> rows, counts, firsts;
  std::vector<Index> numbers;
  std::int64_t distinct = 0;

  Numbered(const std::vector<std::int64_t>& ids, bool by_sorting)
      : rows(ids.size()), counts(ids.size()), firsts(ids.size()), numbers(ids.size()) {
    const auto count = static_cast<std::int64_t>(ids.size());
    const auto each_row = [&](auto body) {
      for (std::size_t i = 0; i < ids.size(); ++i) {
        if (!body(ids[i], static_cast<std::int64_t>(10 * i))) return;  // positions in a batch of which these are a part
      }
    };
    const Numbering<Index> numbering{rows.data(), counts.data(), firsts.data(), numbers.data()};
    if (by_sorting) {
      std::vector<std::int64_t> memory(3 * ids.size());
      distinct = number_by_sorting(each_row, count, memory.data(), numbering);
    } else {
      const int bits = static_cast<int>(std::bit_width(4 * ids.size()));
      std::vector<Index> slots(std::size_t{1} << bits);
      distinct = number_by_hash(each_row, 0, bits, slots.data(), kCollisionsPerId * count, numbering);
    }
    if (distinct < 0) return;
    for (std::int64_t n = 0; n < distinct; ++n) {
      const auto at = static_cast<std::size_t>(n);
      firsts[at] = numbering.first(n);
      counts[at] = numbering.count(n);
    }
    rows.resize(static_cast<std::size_t>(distinct));
    counts.resize(static_cast<std::size_t>(distinct));
    firsts.resize(static_cast<std::size_t>(distinct));
  }
};

template <class Index>
void expect_the_same_by_hash_and_by_sorting(const std::vector<std::int64_t>& ids) {
  const Numbered<Index> by_hash(ids, false);
  const Numbered<Index> by_sorting(ids, true);
  EXPECT_EQ(by_hash.distinct, by_sorting.distinct);
  EXPECT_EQ(by_hash.rows, by_sorting.rows);
  EXPECT_EQ(by_hash.counts, by_sorting.counts);
  EXPECT_EQ(by_hash.firsts, by_sorting.firsts);
  for (std::size_t n = 0; n < by_hash.rows.size(); ++n) {
    const auto first = std::ranges::find(ids, by_hash.rows[n]);
    EXPECT_EQ(by_hash.firsts[n], 10 * (first - ids.begin()));
    EXPECT_EQ(by_hash.counts[n], std::ranges::count(ids, by_hash.rows[n]));
  }
  EXPECT_EQ(by_hash.numbers, by_sorting.numbers);
}

TEST(PlanNumbers, AreTheSameByHashAndBySorting) {
  for (const IdCase& batch : id_cases(1000, 3000, 19)) {
    SCOPED_TRACE(batch.name);
    expect_the_same_by_hash_and_by_sorting<std::uint16_t>(batch.ids);
    expect_the_same_by_hash_and_by_sorting<std::int64_t>(batch.ids);
  }
}

TEST(PlanNumbers, ByHashGiveUpWhereRowsCollide) {
  const std::vector<std::int64_t> ids = colliding_rows(hash_row(1), 5000);
  EXPECT_EQ(Numbered<std::int64_t>(ids, false).distinct, -1);
  EXPECT_EQ(Numbered<std::int64_t>(ids, true).distinct, 5000);
}

// Callers split ids by the top bits of a product with a well-known number, by remainder, or in blocks.
TEST(PlanNumbers, OfIdsThatWereSplitBeforeAreNotSorted) {
  for (const std::size_t count : {2000U, 16384U}) {
    const auto expect_few = [&](const std::string& what, auto take) {
      SCOPED_TRACE(what + ", " + std::to_string(count) + " ids");
      std::vector<std::int64_t> ids;
      for (std::int64_t row = 0; ids.size() < count; ++row) {
        if (take(static_cast<std::uint64_t>(row))) ids.push_back(row);
      }
      EXPECT_GE(Numbered<std::int64_t>(ids, false).distinct, 0);
    };
    for (const std::uint64_t odd : {0x9E3779B97F4A7C15U, 0xBF58476D1CE4E5B9U, 0x94D049BB133111EBU, 0xFF51AFD7ED558CCDU,
                                    0xC4CEB9FE1A85EC53U, 0xC6A4A7935BD1E995U, 0x5851F42D4C957F2DU}) {
      for (const int bits : {3, 6, 8}) {
        expect_few("top " + std::to_string(bits) + " bits of a product with " + std::to_string(odd),
                   [&](std::uint64_t row) { return (row * odd) >> (64 - bits) == 1; });
      }
    }
    expect_few("Knuth's 32-bit product", [](std::uint64_t row) { return (row * 2654435761U & 0xFFFFFFFF) >> 24 == 1; });
    for (const std::uint64_t parts : {1U, 2U, 3U, 8U, 10U, 100U, 256U}) {
      expect_few("remainder of " + std::to_string(parts), [&](std::uint64_t row) { return row % parts == parts - 1; });
      expect_few("blocks of " + std::to_string(parts), [&](std::uint64_t row) { return row / parts % 8 == 1; });
    }
  }
}

}  // namespace
}  // namespace rowmill::test
