// SPDX-License-Identifier: Apache-2.0
// Stochastic rounding: which bits it takes, and that it is right on average.
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string_view>
#include <vector>

#include "kernels/random/streams.hpp"
#include "kernels/reference/reference.hpp"
#include "rowmill/optimizer.hpp"
#include "rowmill/storage_options.hpp"
#include "tests/support/data.hpp"

namespace rowmill::test {
namespace {

const RandomStream kWords{.seed = 7, .name = "words"};

TEST(StorageRounding, TakesTheBitsThatAreWrittenDown) {
  // Column 70 + 3 of a view that begins at 3: block 16 * 0 + 9, word 0, upper half.
  const std::uint64_t row = (std::uint64_t{1} << 32) + 5;
  const auto key = stream_key({.seed = 7, .name = "words", .purpose = RandomPurpose::round_weights});
  const auto words = philox4x32_10({9, 5, 1, 1}, key);
  const float x = 1.0F + 0x1p-9F;  // a fourth of the way from 1 to the next bf16
  std::vector<Bf16> weights(71, Bf16(0.0F));
  Optimizer optimizer(SgdOptions{.learning_rate = 1}, 1, 71,
                      {.rounding = Rounding::stochastic, .stream = kWords, .first_row = row, .first_column = 3});
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
  EXPECT_NEAR(train({.rounding = Rounding::stochastic, .stream = kWords}), 1 + 1000 * 0x1p-14, 0.002);
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

}  // namespace
}  // namespace rowmill::test
