// SPDX-License-Identifier: Apache-2.0
// EmbeddingBag with all its options beside the reference: a forward pass, a backward pass and a step, twice.
#include <algorithm>
#include <vector>

#include "kernels/reference/reference.hpp"
#include "rowmill/embedding_bag.hpp"
#include "rowmill/error.hpp"
#include "tests/support/bag_matrix.hpp"

namespace rowmill::test {
namespace {

constexpr std::int64_t kDim = 17;

EmbeddingBagOptions layer_options(const Case& of, std::optional<std::int64_t> padding) {
  static const std::vector<OptimizerOptions> kOptimizers = {SgdOptions{},
                                                            SgdOptions{.momentum = 0.9},
                                                            SgdOptions{.momentum = 0.9, .nesterov = true},
                                                            AdagradOptions{},
                                                            RowWiseAdagradOptions{},
                                                            AdamOptions{},
                                                            PartialRowWiseAdamOptions{},
                                                            SgdOptions{.decay = WeightDecay::l2, .weight_decay = 0.1}};
  EmbeddingBagOptions options{.rows = Batch::kRows,
                              .dim = kDim,
                              .initializer = Initializer::uniform(-1, 1),
                              .format = of[Option::formats] == 0 ? Format::f32 : Format::bf16,
                              .optimizer = kOptimizers[static_cast<std::size_t>(of[Option::optimizer])],
                              .pooling = of.pooling(),
                              .out_of_range = of.policy(),
                              .divisor = of.divisor(),
                              .padding_id = padding,
                              .gradient = {.scale_grad_by_freq = of.has(Option::by_frequency),
                                           .skip_nonfinite = of.has(Option::skip_nonfinite)},
                              .recorded = of.has(Option::recorded) ? Recorded::referenced : Recorded::copied};
  if (of.has(Option::clip_value)) options.gradient.clip_value = 0.25;
  if (of.has(Option::clip_row_norm)) options.gradient.clip_row_norm = 0.5;
  if (of.has(Option::clip_global_norm)) options.gradient.clip_global_norm = 0.75;
  if (of.has(Option::max_norm)) {
    constexpr std::array<double, 3> kLargest = {6, 2, 0.75};
    const auto norm = static_cast<std::size_t>(of[Option::max_norm] - 1);
    options.max_norm = MaxNorm{.max_norm = kLargest[norm], .norm = static_cast<NormType>(norm)};
  }
  return options;
}

/// A layer, and the table, state and step count that the reference has in its place.
class Layers {
 public:
  explicit Layers(const Case& of)
      : of_(of),
        batch_(of),
        bags_(batch_.bags()),
        options_(layer_options(of, batch_.padding())),
        layer_(options_),
        weights_(layer_.table().clone()),
        optimizer_(options_.optimizer, Batch::kRows, kDim) {}

  void step(std::uint64_t seed) {
    GuardedTable out(bags_.size(), kDim);
    GuardedTable wanted_out(bags_.size(), kDim);
    layer_.forward(batch_.bags_without_padding(), out.view());
    if (options_.max_norm) {
      reference::renormalize(weights_, bags_.ids(), static_cast<float>(options_.max_norm->max_norm),
                             options_.max_norm->norm, of_.policy(), batch_.padding());
    }
    reference::pool(weights_, bags_, wanted_out.view(), of_.pool_options());
    EXPECT_TRUE(same(out.view(), wanted_out.view())) << of_.text();
    EXPECT_TRUE(out.guards_intact()) << of_.text();

    GuardedTable gradient = GuardedTable(bags_.size(), kDim).fill(seed, of_.has(Option::skip_nonfinite) && seed == 1);
    std::vector<float> weight_gradients(static_cast<std::size_t>(bags_.ids().size()), 77.0F);
    std::vector<float> wanted_gradients = weight_gradients;
    layer_.backward(batch_.bags_without_padding(), gradient.view(), weight_gradients);
    reference::pool_weight_gradients(weights_, bags_, gradient.view(), wanted_gradients, of_.pool_options());
    EXPECT_TRUE(std::ranges::equal(weight_gradients, wanted_gradients, same_bits)) << of_.text();

    GuardedTable at_step = gradient;
    gradient.fill(seed + 10);  // seen by the step only where the layer has a pointer to it
    if (of_.has(Option::recorded)) at_step = gradient;
    layer_.step();
    std::vector<std::int32_t> winners(static_cast<std::size_t>(bags_.size() * kDim));
    if (of_.pooling() == Pooling::max) reference::find_winners(weights_, bags_, winners, of_.pool_options());
    auto sums = reference::row_gradients(bags_, Batch::kRows, of_.pool_options(), winners, at_step.view());
    if (reference::apply(options_.gradient, sums)) {
      const std::vector<TableView> state(optimizer_.state().begin(), optimizer_.state().end());
      reference::optimizer_step(options_.optimizer, ++steps_, weights_, state, std::move(sums));
    }
    EXPECT_EQ(layer_.optimizer().step_count(), steps_) << of_.text();
    EXPECT_TRUE(same(layer_.table().view(), weights_.view())) << of_.text();
    for (std::size_t i = 0; i < optimizer_.state().size(); ++i) {
      EXPECT_TRUE(same(layer_.optimizer().state()[i], optimizer_.state()[i])) << of_.text();
    }
  }

  void padding_is_zero() const {
    if (batch_.padding() != Batch::kPaddingRow) return;
    for (std::size_t c = 0; c < kDim; ++c) {
      EXPECT_TRUE(same_bits(element(layer_.table(), Batch::kPaddingRow, c), 0.0F)) << of_.text();
    }
  }

 private:
  Case of_;
  Batch batch_;
  Bags bags_;
  EmbeddingBagOptions options_;
  EmbeddingBag layer_;
  Table weights_;
  Optimizer optimizer_;  // whose state the reference updates
  std::int64_t steps_ = 0;
};

// Every combination of what bags have; the options of steps take turns.
TEST(EmbeddingBagMatrix, TrainsLikeTheReferenceOrIsRefused) {
  const Product bags = {Option::id_type, Option::layout,  Option::policy, Option::padding,
                        Option::weights, Option::divisor, Option::pooling};
  const Product steps = {Option::by_frequency,     Option::clip_value,     Option::clip_row_norm,
                         Option::clip_global_norm, Option::skip_nonfinite, Option::optimizer,
                         Option::max_norm,         Option::recorded,       Option::formats};
  for (std::int64_t i = 0; i < bags.size(); ++i) {
    Case of = bags[i];
    const Case turn = steps[scattered(i) % steps.size()];
    for (const Option::Name option : steps.options()) of.set(option, turn[option]);
    if (of.has_wrong_divisor()) {
      try {
        const EmbeddingBag layer(layer_options(of, std::nullopt));
        ADD_FAILURE() << of.text();
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::invalid_argument) << error.what();
        EXPECT_NE(std::string_view(error.what()).find("sqrtn"), std::string_view::npos) << error.what();
      }
      continue;
    }
    Layers layers(of);
    layers.step(1);
    layers.step(2);
    layers.padding_is_zero();
    if (testing::Test::HasFailure()) return;
  }
}

TEST(EmbeddingBagMatrix, AConstLayerDoesNotRenormalize) {
  Case of;
  of.set(Option::max_norm, 2);
  const EmbeddingBag layer(layer_options(of, std::nullopt));
  Batch batch(of);
  GuardedTable out(batch.bags().size(), kDim);
  EXPECT_THROW(layer.forward(batch.bags(), out.view()), Error);
}

}  // namespace
}  // namespace rowmill::test
