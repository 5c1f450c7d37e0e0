// SPDX-License-Identifier: Apache-2.0
// Plans of bags: what they know of each contribution, and options that do not fit.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/plan/filler.hpp"
#include "rowmill/error.hpp"
#include "rowmill/plan.hpp"
#include "tests/support/data.hpp"

namespace rowmill::test {
namespace {

TEST(PlanBags, SayWhatContributionsAreOfTheirGradient) {
  const std::vector<std::int64_t> ids = {4, 9, 4, 7, 4, 9};  // one shard
  const std::vector<std::int64_t> offsets = {0, 2, 2, 6, 6};
  const std::vector<float> weights = {2, 3, 5, 7, 1, -2};
  const Bags bags = Bags(ids, offsets).with_padding(9);
  const auto floats = [](std::span<const float> span) { return std::vector<float>(span.begin(), span.end()); };
  using Floats = std::vector<float>;

  const Plan sum(bags.with_weights(weights), 10);
  EXPECT_EQ(floats(sum.shard(0).coefficients), (Floats{2, 5, 1, 7}));  // of rows 4 and 7
  EXPECT_TRUE(Plan(bags, 10).shard(0).coefficients.empty());

  // In memory that held other factors, also of the last bag, which has no ids now.
  const std::vector<std::int64_t> full = {0, 1, 3, 5, 6};
  Plan mean(Bags(ids, full), 10, {.pooling = Pooling::mean});
  EXPECT_EQ(floats(mean.factors()), (Floats{1, 0.5F, 0.5F, 1}));
  mean.build(bags, 10, {.pooling = Pooling::mean});
  EXPECT_EQ(floats(mean.shard(0).coefficients), (Floats{1, 1.0F / 3, 1.0F / 3, 1.0F / 3}));
  EXPECT_EQ(floats(mean.factors()), (Floats{1, 0, 1.0F / 3, 0}));
  const Plan weighted(bags.with_weights(weights), 10, {.pooling = Pooling::mean, .divisor = Divisor::weights});
  EXPECT_EQ(floats(weighted.shard(0).coefficients),
            (Floats{2 * 0.5F, 5 * (1.0F / 13), 1 * (1.0F / 13), 7 * (1.0F / 13)}));
  EXPECT_TRUE(weighted.factors().empty());

  const std::vector<std::int32_t> winners(4);
  const Plan max(bags, 10, {.keep_positions = true, .pooling = Pooling::max, .winners = winners});
  EXPECT_TRUE(std::ranges::equal(max.shard(0).bag_positions, std::vector<std::int32_t>{0, 0, 2, 1}));
  EXPECT_TRUE(std::ranges::equal(max.shard(0).positions, std::vector<std::int64_t>{0, 2, 2, 2}));
  EXPECT_TRUE(std::ranges::equal(max.shard(0).id_positions, std::vector<std::int64_t>{0, 2, 4, 3}));
  EXPECT_EQ(max.winners().data(), winners.data());
  EXPECT_EQ(max.pooling(), Pooling::max);
  EXPECT_TRUE(std::ranges::equal(sum.shard(0).first_positions, std::vector<std::int64_t>{0, 3}));

  // More bags than ids: there is no room for a factor for each, and so coefficients go by position.
  const std::vector<std::int64_t> many = {0, 0, 0, 0, 0, 2, 2, 6, 6};
  const Plan sparse(Bags(ids, many), 10, {.pooling = Pooling::sqrtn});
  EXPECT_TRUE(sparse.factors().empty());
  EXPECT_EQ(floats(sparse.shard(0).coefficients),
            (Floats{1 / std::sqrt(2.0F), 0.5F, 0.5F, 1 / std::sqrt(2.0F), 0.5F, 0.5F}));
}

TEST(PlanBags, OfOneRowKnowTheirCoefficients) {
  const std::vector<std::int64_t> ids(3000, 7);
  std::vector<std::int64_t> offsets;
  for (std::int64_t b = 0; b < 1500; ++b) offsets.push_back(b == 0 ? 0 : 2 * b - 1);  // 1, then 2 in each, then 3
  const Bags bags = Bags::from_offsets(ids, offsets, LastOffset::absent);
  const std::vector<std::int32_t> winners(1500);
  const Plan mean(bags, 9, {.pooling = Pooling::mean});
  const Plan max(bags, 9, {.pooling = Pooling::max, .winners = winners});
  for (std::int64_t s = 0; s < mean.shard_count(); ++s) {
    const Plan::Shard shard = mean.shard(s);
    if (shard.rows.empty()) continue;
    EXPECT_EQ(shard.coefficients.front(), 1);
    EXPECT_EQ(shard.coefficients[1500], 0.5F);
    EXPECT_EQ(shard.coefficients.back(), 1.0F / 3);
    EXPECT_EQ(shard.first_positions.front(), 0);
    EXPECT_EQ(max.shard(s).bag_positions[1], 0);
    EXPECT_EQ(max.shard(s).bag_positions[2], 1);
    EXPECT_EQ(max.shard(s).bag_positions.back(), 2);
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

TEST(PlanOptionsErrors, NameWhatDoesNotFit) {
  const std::vector<std::int64_t> ids = {1, 2, 1, 2};
  const Bags bags(ids, 2, 2);
  const std::vector<std::int32_t> winners(2);
  Plan plan(ids, 5);
  const auto message = [&](const auto& of, const PlanOptions& options) -> std::string {
    try {
      plan.build(of, 5, options);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::invalid_argument);
      return e.what();
    }
    return "";
  };
  const std::string no_divisor = " has no divisor; only mean and sqrtn divide by weights";
  EXPECT_EQ(message(bags, {.divisor = Divisor::weights}), "rowmill: plan: a sum" + no_divisor);
  EXPECT_EQ(message(bags, {.pooling = Pooling::max, .divisor = Divisor::weights, .winners = winners}),
            "rowmill: plan: a max" + no_divisor);
  EXPECT_EQ(message(bags, {.pooling = Pooling::mean, .winners = winners}),
            "rowmill: plan: 2 winners are given; only max has them");
  EXPECT_EQ(message(bags, {.padding_id = 1}),
            "rowmill: plan: padding_id is given beside bags; theirs comes with them: Bags::with_padding");
  EXPECT_EQ(message(Ids(ids), {.pooling = Pooling::mean}),
            "rowmill: plan: a pooling is given for ids; only bags have one");
  EXPECT_EQ(message(bags, {.pooling = static_cast<Pooling>(9)}), "rowmill: plan: pooling is 9; allowed: 0 to 3");
  EXPECT_EQ(message(bags, {.divisor = static_cast<Divisor>(2)}), "rowmill: plan: divisor is 2; allowed: 0 to 1");
  EXPECT_EQ(plan.id_count(), 4);
  EXPECT_EQ(plan.gradient_rows(), 4) << "the plan is as it was";
  EXPECT_THROW(plan.build(std::vector<std::int64_t>{1, 5}, 5, {.padding_id = 6}), IdError);
  plan.build(std::vector<std::int64_t>{1, 5, 6}, 5, {.out_of_range = OutOfRange::skip, .padding_id = 1});
  EXPECT_EQ(plan.unique_count(), 0);
}

}  // namespace
}  // namespace rowmill::test
