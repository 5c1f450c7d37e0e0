// SPDX-License-Identifier: Apache-2.0
#include "rowmill/plan.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "kernels/plan/grouping.hpp"
#include "rowmill/error.hpp"
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
  std::map<std::int64_t, std::vector<std::int64_t>> expected;
  for (std::size_t i = 0; i < ids.size(); ++i) expected[ids[i]].push_back(static_cast<std::int64_t>(i));
  ASSERT_EQ(plan.unique_count(), static_cast<std::int64_t>(expected.size()));
  for (std::int64_t s = 0; s < plan.shard_count(); ++s) {
    const Plan::Shard shard = plan.shard(s);
    for (std::size_t g = 0; g < shard.rows.size(); ++g) {
      const std::vector<std::int64_t> positions(shard.positions.begin() + shard.segment_begin[g],
                                                shard.positions.begin() + shard.segment_begin[g + 1]);
      ASSERT_EQ(positions, expected[shard.rows[g]]) << "row " << shard.rows[g];
    }
  }
}

TEST(PlanBags, DivideByTheirLengthUpToTwoToTheFifty) {
  constexpr std::int64_t kEnd = std::int64_t{1} << 50;
  for (const std::int64_t length : {std::int64_t{1}, std::int64_t{3}, std::int64_t{49}, std::int64_t{107},
                                    std::int64_t{1} << 31, (std::int64_t{1} << 31) - 1}) {
    const DivideByLength divide(length);
    std::mt19937_64 random(16);
    for (int k = 0; k < 10'000; ++k) {
      const auto bag = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(kEnd / length));
      EXPECT_EQ(divide(bag * length), bag) << "length " << length;
      EXPECT_EQ(divide(bag * length + length - 1), bag) << "length " << length;
    }
  }
}

TEST(PlanLarge, HasChunksOfAllPositionsThatTwoBytesCount) {
  const std::vector<std::int64_t> ids = id_cases(300'000, (std::int64_t{1} << 22) + 100'000, 15).back().ids;
  const Plan plan(ids, 300'000);
  EXPECT_EQ(plan.shard_count(), 256);
  expect_rows(plan, ids);
}

TEST(PlanLarge, GroupsShardsThatDoNotFitOnTheStack) {
  // Rows of one shard, found by asking a plan of as many ids.
  std::vector<std::int64_t> all(4097);
  std::iota(all.begin(), all.end(), 0);
  const Plan probe(all, 4097);
  ASSERT_GT(probe.shard_count(), 1);
  const Plan::Shard one = probe.shard(0);
  for (const std::int64_t count : {4095, 4096, 4097, 8000}) {
    std::vector<std::int64_t> ids;
    for (std::int64_t i = 0; i < count; ++i) {
      ids.push_back(one.rows[static_cast<std::size_t>(i * i) % one.rows.size()]);
    }
    const Plan plan(ids, 4097);
    EXPECT_EQ(plan.shard(0).positions.size(), static_cast<std::size_t>(count));
    expect_rows(plan, ids);
  }
}

TEST(PlanLarge, KeepsRowsApartWhoseHashesCollide) {
  // Small rows do not collide; of far ones, some of these do in any hash table of this size.
  constexpr std::int64_t kFar = std::int64_t{1} << 40;
  const std::vector<std::int64_t> ids = id_cases(kFar, 5000, 18)[4].ids;
  expect_rows(Plan(ids, kFar), ids);
}

TEST(PlanLarge, RefusesCountsThatAreNone) {
  EXPECT_THROW((void)Plan::memory_required(-1), Error);
  EXPECT_THROW(Plan().reserve((std::int64_t{1} << 56) + 1), Error);
}

TEST(PlanHot, ListsSegmentsOfMoreThanABlock) {
  std::vector<std::int64_t> ids(1024, 16);  // which shares a shard with 8
  ids.insert(ids.end(), 1025, 8);
  ids.insert(ids.end(), 4000, 9);
  const Plan plan(ids, 17);
  std::set<std::int64_t> hot;
  for (const auto& [shard, segment] : plan.hot_segments()) {
    hot.insert(plan.shard(shard).rows[static_cast<std::size_t>(segment)]);
  }
  EXPECT_EQ(hot, (std::set<std::int64_t>{8, 9}));

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
