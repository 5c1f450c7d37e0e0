// SPDX-License-Identifier: Apache-2.0
#include "rowmill/plan.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "kernels/plan/filler.hpp"
#include "kernels/plan/numbering.hpp"
#include "rowmill/error.hpp"
#include "tests/support/colliding_rows.hpp"
#include "tests/support/data.hpp"
#include "tests/support/isa_test.hpp"

namespace rowmill::test {
namespace {

class PlanTest : public IsaTest {};
ROWMILL_INSTANTIATE_ISA_TEST(PlanTest);

/// Everything a plan says, in a form to compare.
std::vector<std::vector<std::int64_t>> contents(const Plan& plan) {
  std::vector<std::vector<std::int64_t>> all;
  const auto add = [&](std::span<const std::int64_t> part) { all.emplace_back(part.begin(), part.end()); };
  for (std::int64_t s = 0; s < plan.shard_count(); ++s) {
    const Plan::Shard shard = plan.shard(s);
    add(shard.rows);
    add(shard.segment_begin);
    add(shard.positions);
  }
  return all;
}

TEST_P(PlanTest, SaysWhichPositionsTouchEachRow) {
  run([] {
    constexpr std::int64_t kRows = 1000;
    for (const std::int64_t count : {10, 900, 20000}) {
      for (const IdCase& batch : id_cases(kRows, count, 12)) {
        SCOPED_TRACE(batch.name);
        std::map<std::int64_t, std::vector<std::int64_t>> expected;
        for (std::size_t i = 0; i < batch.ids.size(); ++i) {
          expected[batch.ids[i]].push_back(static_cast<std::int64_t>(i));
        }
        const Plan plan(batch.ids, kRows);
        EXPECT_EQ(plan.id_count(), static_cast<std::int64_t>(batch.ids.size()));
        EXPECT_EQ(plan.unique_count(), static_cast<std::int64_t>(expected.size()));
        std::map<std::int64_t, std::vector<std::int64_t>> found;
        for (std::int64_t s = 0; s < plan.shard_count(); ++s) {
          const Plan::Shard shard = plan.shard(s);
          std::int64_t last_first = -1;
          for (std::size_t g = 0; g < shard.rows.size(); ++g) {
            const auto begin = shard.positions.begin() + shard.segment_begin[g];
            const auto end = shard.positions.begin() + shard.segment_begin[g + 1];
            EXPECT_TRUE(found.try_emplace(shard.rows[g], begin, end).second) << "a row in two segments";
            EXPECT_GT(*begin, last_first) << "segments are in order of first occurrence";
            last_first = *begin;
          }
        }
        EXPECT_EQ(found, expected);
      }
    }
  });
}

TEST_P(PlanTest, DoesNotDependOnTheThreads) {
  const std::vector<std::int64_t> ids = id_cases(5000, 30000, 13).back().ids;
  std::vector<std::vector<std::int64_t>> alone;
  with_threads(1, [&] { alone = contents(Plan(ids, 5000)); });
  run([&] { EXPECT_EQ(contents(Plan(ids, 5000)), alone); });
}

TEST_P(PlanTest, LeavesOutIgnoredIds) {
  run([] {
    const std::vector<std::int64_t> ids = {5, -1, 3, 99, 5};
    const Plan plan(ids, 10, OutOfRange::zero);
    EXPECT_EQ(plan.id_count(), 5);
    EXPECT_EQ(plan.unique_count(), 2);
    EXPECT_EQ(contents(plan)[2], (std::vector<std::int64_t>{0, 4, 2}));
    const Plan nothing(std::vector<std::int64_t>{-1, 10}, 10, OutOfRange::zero);
    EXPECT_EQ(nothing.unique_count(), 0);
  });
}

TEST_P(PlanTest, LeavesOutPadding) {
  constexpr std::int64_t kRows = 9;
  constexpr OutOfRange kPolicies[] = {OutOfRange::error, OutOfRange::clip, OutOfRange::zero, OutOfRange::wrap_negative,
                                      OutOfRange::skip};
  run([&] {
    for (const std::int64_t padding : {-1, 0, 4, 8, 9}) {
      for (const std::size_t step : {3U, 599U, 601U}) {  // of 600 ids each step-th is padding
        std::vector<std::int64_t> ids(600);
        std::map<std::int64_t, std::vector<std::int64_t>> expected;
        for (std::size_t i = 0; i < ids.size(); ++i) {
          const auto row = static_cast<std::int64_t>(i * 7 % kRows);
          ids[i] = i % step == step - 1 ? padding : row == padding ? 3 : row;
          if (ids[i] != padding) expected[ids[i]].push_back(static_cast<std::int64_t>(i));
        }
        for (const OutOfRange policy : kPolicies) {
          const Plan plan(ids, kRows, {.out_of_range = policy, .padding_id = padding});
          std::map<std::int64_t, std::vector<std::int64_t>> found;
          for (std::int64_t s = 0; s < plan.shard_count(); ++s) {
            const Plan::Shard shard = plan.shard(s);
            for (std::size_t g = 0; g < shard.rows.size(); ++g) {
              found[shard.rows[g]].assign(shard.positions.begin() + shard.segment_begin[g],
                                          shard.positions.begin() + shard.segment_begin[g + 1]);
            }
          }
          EXPECT_EQ(found, expected) << padding << ' ' << step << ' ' << static_cast<int>(policy);
        }
      }
    }
  });
}

TEST_P(PlanTest, PutsBagsInThePlaceOfPositions) {
  run([] {
    for (const std::int64_t count : {12, 30000}) {
      const std::vector<std::int64_t> ids = id_cases(100, count, 14).back().ids;
      std::vector<std::int32_t> offsets = {0, 0};
      while (offsets.back() < count) {
        offsets.push_back(
            static_cast<std::int32_t>(std::min<std::int64_t>(offsets.back() + offsets.back() % 3 + 1, count)));
      }
      const Bags bags(ids, offsets);
      const Plan by_id(ids, 100);
      const Plan by_bag(bags, 100);
      EXPECT_EQ(by_bag.id_count(), count);
      EXPECT_EQ(by_bag.gradient_rows(), bags.size());
      std::vector<std::vector<std::int64_t>> expected = contents(by_id);
      for (std::size_t part = 0; part < expected.size(); ++part) {
        if (part % 3 != 2) continue;  // positions
        for (std::int64_t& position : expected[part]) {
          position = std::upper_bound(offsets.begin(), offsets.end(), position) - offsets.begin() - 1;
        }
      }
      EXPECT_EQ(contents(by_bag), expected);
    }
  });
}

/// A plan of bags of one length is the plan of their ids, with position / length for each position.
void expect_bags_of_length(const std::vector<std::int64_t>& ids, std::int64_t batch, std::int64_t length) {
  std::vector<std::vector<std::int64_t>> expected = contents(Plan(ids, 100));
  for (std::size_t part = 2; part < expected.size(); part += 3) {
    for (std::int64_t& position : expected[part]) position /= length;
  }
  EXPECT_EQ(contents(Plan(Bags(ids, batch, length), 100)), expected) << "bags of " << length;
}

TEST_P(PlanTest, FindsTheBagsOfABatchByTheirLength) {
  run([] {
    for (const std::int64_t length : {1, 2, 3, 7, 30, 49, 107, 1000, 30'000}) {
      const std::int64_t batch = 30'000 / length;
      const std::vector<std::int64_t> ids = id_cases(100, batch * length, 15).back().ids;
      expect_bags_of_length(ids, batch, length);
    }
  });
}

TEST_P(PlanTest, KeepsTheIdsPositionsBesideTheirBags) {
  run([] {
    std::vector<std::vector<std::int64_t>> batches = {std::vector<std::int64_t>(9000, 7)};  // one row is not sorted
    for (const std::int64_t count : {12, 30'000}) batches.push_back(id_cases(100, count, 14).back().ids);
    for (std::vector<std::int64_t>& ids : batches) {
      for (const bool with_ignored : {false, true}) {
        if (with_ignored) ids[1] = ids[5] = -1;
        const auto count = static_cast<std::int64_t>(ids.size());
        const std::vector<std::int64_t> offsets = {0, 0, 1, count / 2, count - 1, count, count};
        for (const Bags& bags : {Bags(ids, offsets), Bags(ids, count / 3, 3)}) {
          const Plan without(bags, 100, OutOfRange::zero);
          const Plan plan(bags, 100, {.out_of_range = OutOfRange::zero, .keep_positions = true});
          EXPECT_EQ(contents(plan), contents(without));
          EXPECT_EQ(plan.hot_segments().size(), without.hot_segments().size());
          std::vector<std::vector<std::int64_t>> kept;
          std::vector<std::vector<std::int64_t>> expected;
          const Plan by_id(ids, 100, OutOfRange::zero);
          for (std::int64_t s = 0; s < plan.shard_count(); ++s) {
            EXPECT_TRUE(without.shard(s).id_positions.empty());
            const auto found = plan.shard(s).id_positions;
            const auto positions = by_id.shard(s).positions;
            EXPECT_EQ(by_id.shard(s).id_positions.data(), positions.data()) << "a plan of ids has them anyway";
            kept.emplace_back(found.begin(), found.end());
            expected.emplace_back(positions.begin(), positions.end());
          }
          EXPECT_EQ(kept, expected);
        }
      }
    }
  });
}

TEST(PlanMemory, HasRoomForPositionsOnRequestAlone) {
  constexpr std::int64_t kIds = 64'000;
  EXPECT_EQ(Plan::memory_required(kIds, true), Plan::memory_required(kIds) + 8 * kIds);
  const std::vector<std::int64_t> ids(kIds, 3);
  Plan plan;
  plan.reserve(kIds, true);
  plan.build(Bags(ids, kIds / 4, 4), 100, {.keep_positions = true});
  std::size_t kept = 0;
  for (std::int64_t s = 0; s < plan.shard_count(); ++s) kept += plan.shard(s).id_positions.size();
  EXPECT_EQ(kept, std::size_t{kIds});
  plan.build(ids, 100);
  EXPECT_EQ(plan.gradient_rows(), kIds);
}

// Equal ids are not sorted; with one more, which is ignored, they are.
TEST_P(PlanTest, OfOneRowIsAsIfSorted) {
  run([] {
    for (const std::int64_t count : {1, 900, 20'000}) {
      for (const std::int64_t row : {0, 7, 99}) {
        SCOPED_TRACE(std::to_string(count) + " ids of row " + std::to_string(row));
        std::vector<std::int64_t> ids(static_cast<std::size_t>(count), row);
        std::vector<std::int64_t> and_ignored = ids;
        and_ignored.push_back(-1);
        const auto same_plan = [](const Plan& plan, const Plan& sorted) {
          ASSERT_EQ(plan.shard_count(), sorted.shard_count());
          EXPECT_EQ(contents(plan), contents(sorted));
          EXPECT_EQ(plan.unique_count(), 1);
          ASSERT_EQ(plan.hot_segments().size(), sorted.hot_segments().size());
          for (std::size_t h = 0; h < plan.hot_segments().size(); ++h) {
            EXPECT_EQ(plan.hot_segments()[h].shard, sorted.hot_segments()[h].shard);
            EXPECT_EQ(plan.hot_segments()[h].segment, sorted.hot_segments()[h].segment);
          }
        };
        same_plan(Plan(ids, 100), Plan(and_ignored, 100, OutOfRange::zero));
        const std::vector<std::int64_t> offsets = {0, 0, count / 3, count};
        const std::vector<std::int64_t> and_ignored_offsets = {0, 0, count / 3, count + 1};
        same_plan(Plan(Bags(ids, offsets), 100), Plan(Bags(and_ignored, and_ignored_offsets), 100, OutOfRange::zero));
        for (const std::int64_t length : {std::int64_t{1}, std::int64_t{4}, std::int64_t{count}}) {
          if (count % length != 0) continue;
          expect_bags_of_length(ids, count / length, length);
        }
        for (const OutOfRange policy : {OutOfRange::clip, OutOfRange::wrap_negative}) {
          const std::vector<std::int32_t> below(ids.size(), -1);
          const std::int64_t means = policy == OutOfRange::clip ? 0 : 99;
          EXPECT_EQ(contents(Plan(below, 100, policy)),
                    contents(Plan(std::vector<std::int64_t>(ids.size(), means), 100)));
        }
        const Plan nothing(std::vector<std::int64_t>(ids.size(), 100), 100, OutOfRange::zero);
        EXPECT_EQ(nothing.unique_count(), 0);
        EXPECT_EQ(nothing.id_count(), count);
        for (std::int64_t s = 0; s < nothing.shard_count(); ++s) EXPECT_TRUE(nothing.shard(s).positions.empty());
      }
    }
  });
}

/// The plan's rows and their positions, against those of a plain map.
void expect_rows(const Plan& plan, const std::vector<std::int64_t>& ids) {
  std::vector<std::pair<std::int64_t, std::int64_t>> expected;  // row, position
  expected.reserve(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) expected.emplace_back(ids[i], static_cast<std::int64_t>(i));
  std::sort(expected.begin(), expected.end());
  std::size_t positions = 0;
  std::int64_t rows = 0;
  for (std::int64_t s = 0; s < plan.shard_count(); ++s) {
    const Plan::Shard shard = plan.shard(s);
    rows += std::ssize(shard.rows);
    for (std::size_t g = 0; g < shard.rows.size(); ++g) {
      const std::int64_t row = shard.rows[g];
      auto at = std::lower_bound(expected.begin(), expected.end(), std::pair(row, std::int64_t{0}));
      for (std::int64_t k = shard.segment_begin[g]; k < shard.segment_begin[g + 1]; ++k, ++at, ++positions) {
        ASSERT_TRUE(at != expected.end() && *at == std::pair(row, shard.positions[static_cast<std::size_t>(k)]))
            << "row " << row << ", entry " << k;
      }
      ASSERT_TRUE(at == expected.end() || at->first != row) << "row " << row;
    }
  }
  ASSERT_EQ(positions, expected.size());
  ASSERT_EQ(plan.unique_count(), rows);
}

/// All that a plan says of each shard.
void expect_same(const Plan& plan, const Plan& other) {
  EXPECT_EQ(contents(plan), contents(other));
  EXPECT_EQ(plan.unique_count(), other.unique_count());
  EXPECT_TRUE(std::ranges::equal(plan.factors(), other.factors()));
  const auto same_segment = [](const Plan::HotSegment& a, const Plan::HotSegment& b) {
    return a.shard == b.shard && a.segment == b.segment;
  };
  EXPECT_TRUE(std::ranges::equal(plan.hot_segments(), other.hot_segments(), same_segment));
  for (std::int64_t s = 0; s < plan.shard_count(); ++s) {
    EXPECT_TRUE(std::ranges::equal(plan.shard(s).id_positions, other.shard(s).id_positions));
    EXPECT_TRUE(std::ranges::equal(plan.shard(s).first_positions, other.shard(s).first_positions));
    EXPECT_TRUE(std::ranges::equal(plan.shard(s).coefficients, other.shard(s).coefficients));
    EXPECT_TRUE(std::ranges::equal(plan.shard(s).bag_positions, other.shard(s).bag_positions));
  }
}

// The rows of a small table are counted, those of a large one hashed.
TEST_P(PlanTest, OfASmallTableIsThatOfALargeOne) {
  constexpr std::int64_t kCount = 30'000;
  std::vector<float> weights(kCount);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = 0.5F + static_cast<float>(i % 7);
  std::vector<std::int64_t> offsets = {0, 0};
  while (offsets.back() < kCount) offsets.push_back(std::min(offsets.back() + offsets.back() % 5 + 1, kCount));
  const std::vector<std::int32_t> winners(offsets.size() - 1);
  run([&] {
    for (const std::int64_t rows : {std::int64_t{2}, std::int64_t{100}, kCount}) {
      std::vector<std::int64_t> ids = id_cases(rows, kCount, 21).back().ids;
      for (std::size_t i = 0; i < ids.size(); i += 9) ids[i] = -1;
      const auto expect_same_of = [&](const auto& of, PlanOptions options) {
        options.out_of_range = OutOfRange::zero;
        expect_same(Plan(of, rows, options), Plan(of, std::int64_t{1} << 40, options));
      };
      expect_same_of(Ids(ids), {});
      for (const Bags& bags : {Bags(ids, offsets), Bags(ids, kCount / 30, 30), Bags(ids, offsets).with_padding(1)}) {
        expect_same_of(bags, {});
        expect_same_of(bags, {.keep_positions = true});
        expect_same_of(bags, {.pooling = Pooling::mean});
        expect_same_of(bags.with_weights(weights), {.pooling = Pooling::sqrtn, .divisor = Divisor::weights});
        expect_same_of(bags.with_weights(weights), {.pooling = Pooling::max, .winners = winners});
      }
    }
  });
}

TEST(PlanLarge, HasChunksOfAllPositionsThatTwoBytesCount) {
  std::mt19937_64 random(15);
  std::vector<std::int64_t> ids((std::size_t{1} << 22) + 100'000);
  for (std::int64_t& id : ids) id = static_cast<std::int64_t>(random() % 300'000);
  const Plan plan(ids, 300'000);
  EXPECT_EQ(plan.shard_count(), 256);
  expect_rows(plan, ids);
}

TEST(PlanLarge, GroupsShardsThatDoNotFitOnTheStack) {
  // Rows of one shard, found by asking a plan of as many ids. They are few of the table's, so that nothing is counted.
  constexpr std::int64_t kRows = std::int64_t{1} << 40;
  std::vector<std::int64_t> all(4097);
  for (std::int64_t i = 0; i < 4097; ++i) all[static_cast<std::size_t>(i)] = i * 1'000'003;
  const Plan probe(all, kRows);
  ASSERT_GT(probe.shard_count(), 1);
  const Plan::Shard one = probe.shard(0);
  for (const std::int64_t count : {4095, 4096, 4097, 5000, 8000}) {
    std::vector<std::int64_t> ids;
    for (std::int64_t i = 0; i < count; ++i) {
      ids.push_back(one.rows[static_cast<std::size_t>(i * i) % one.rows.size()]);
    }
    const Plan plan(ids, kRows);
    EXPECT_EQ(plan.shard(0).positions.size(), static_cast<std::size_t>(count));
    expect_rows(plan, ids);
  }
}

TEST(PlanLarge, KeepsRowsApartWhoseHashesCollide) {
  // Of so many rows far apart, some collide in any hash table of this size.
  constexpr std::int64_t kFar = std::int64_t{1} << 40;
  const std::vector<std::int64_t> ids = id_cases(kFar, 5000, 18)[4].ids;
  expect_rows(Plan(ids, kFar), ids);
}

// By the rows' products with the golden ratio's fraction, and with this version's own multiplier.
TEST_P(PlanTest, GroupsIdsThatWereMadeToCollide) {
  run([] {
    for (const std::uint64_t odd : {std::uint64_t{0x9E3779B97F4A7C15U}, hash_row(1)}) {
      for (const std::int64_t count : {100, 4000, 20'000}) {
        std::vector<std::int64_t> ids = colliding_rows(odd, count / 2);
        for (std::int64_t i = count / 2; i < count; ++i)
          ids.push_back(ids[static_cast<std::size_t>(i * i % count / 2)]);
        expect_rows(Plan(ids, std::numeric_limits<std::int64_t>::max()), ids);
      }
    }
  });
}

// Were the time the square of their number, this would take an hour.
TEST(PlanLarge, GroupsManyIdsThatWereMadeToCollide) {
  constexpr std::int64_t kCount = 3'000'000;
  for (const std::uint64_t odd : {std::uint64_t{0x9E3779B97F4A7C15U}, hash_row(1)}) {
    const Plan plan(colliding_rows(odd, kCount), std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(plan.unique_count(), kCount);
  }
}

TEST(PlanLarge, RefusesCountsThatAreNone) {
  EXPECT_THROW((void)Plan::memory_required(-1), Error);
  EXPECT_THROW(Plan().reserve((std::int64_t{1} << 56) + 1), Error);
}

TEST(PlanHot, ListsSegmentsOfMoreThanABlock) {
  std::vector<std::int64_t> ids(1024, 16);
  ids.insert(ids.end(), 1025, 5);
  ids.insert(ids.end(), 4000, 9);
  ASSERT_EQ(hash_row(16) >> 61, hash_row(5) >> 61) << "they share one of eight shards";
  const Plan plan(ids, 17);
  ASSERT_EQ(plan.shard_count(), 8);
  std::set<std::int64_t> hot;
  for (const auto& [shard, segment] : plan.hot_segments()) {
    hot.insert(plan.shard(shard).rows[static_cast<std::size_t>(segment)]);
  }
  EXPECT_EQ(hot, (std::set<std::int64_t>{5, 9}));

  EXPECT_TRUE(Plan(std::vector<std::int64_t>(1024, 7), 50).hot_segments().empty());
}

TEST(PlanRebuild, KeepsTheOldPlanWhenTheIdsAreBad) {
  Plan plan(std::vector<std::int32_t>{1, 2, 1}, 4);
  const auto before = contents(plan);
  EXPECT_THROW(plan.build(std::vector<std::int32_t>{1, 4}, 4), IdError);
  EXPECT_THROW(plan.build(std::vector<std::int32_t>{1}, -1), Error);
  EXPECT_EQ(contents(plan), before);
  EXPECT_EQ(plan.id_count(), 3);
}

TEST(PlanMove, TakesTheContents) {
  Plan plan(std::vector<std::int32_t>{1, 2, 1}, 4);
  const auto before = contents(plan);
  const Plan moved = std::move(plan);
  EXPECT_EQ(contents(moved), before);
  EXPECT_EQ(plan.id_count(), 0);  // NOLINT(bugprone-use-after-move): it is an empty plan
  EXPECT_TRUE(plan.shard(0).rows.empty());
  plan.build(std::vector<std::int32_t>{1, 2, 1}, 4);
  EXPECT_EQ(contents(plan), before);
  plan = Plan(std::vector<std::int32_t>{3}, 4);
  EXPECT_EQ(plan.unique_count(), 1);
}

}  // namespace
}  // namespace rowmill::test
