// SPDX-License-Identifier: Apache-2.0
// Steps whose rows' gradients are scaled, won, clipped or checked before the update.
#include "rowmill/gradient_options.hpp"

#include <limits>

#include "kernels/reference/reference.hpp"
#include "rowmill/error.hpp"
#include "rowmill/optimizer.hpp"
#include "tests/support/data.hpp"
#include "tests/support/isa_test.hpp"
#include "tests/support/pooled_batches.hpp"

namespace rowmill::test {
namespace {

class GradientOptionsTest : public IsaTest {};
ROWMILL_INSTANTIATE_ISA_TEST(GradientOptionsTest);

constexpr std::int64_t kRows = 61;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

const OptimizerOptions kOptimizers[] = {
    SgdOptions{.learning_rate = 0.1},
    SgdOptions{.learning_rate = 0.1, .decay = WeightDecay::l2, .weight_decay = 0.02},
    RowWiseAdagradOptions{.learning_rate = 0.1, .initial_accumulator = 0.5},
    SgdOptions{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true},
    AdagradOptions{.learning_rate = 0.1, .decay = WeightDecay::decoupled, .weight_decay = 0.3},
    RowWiseAdagradOptions{.learning_rate = 0.1, .decay = WeightDecay::l2, .weight_decay = 0.02},
    AdamOptions{.learning_rate = 0.01},
    PartialRowWiseAdamOptions{.learning_rate = 0.01}};

const GradientOptions kOptions[] = {{},
                                    {},
                                    {.scale_grad_by_freq = true},
                                    {.skip_nonfinite = true},
                                    {.clip_value = 0.3},
                                    {.clip_row_norm = 0.7},
                                    {.clip_global_norm = 2.5},
                                    {.scale_grad_by_freq = true,
                                     .skip_nonfinite = true,
                                     .clip_value = 0.9,
                                     .clip_row_norm = 0.8,
                                     .clip_global_norm = 1}};

/// Steps an optimizer and the reference side by side. T is the weights' storage type.
template <StorageType T>
class Pair {
 public:
  Pair(const OptimizerOptions& options, std::int64_t dim)
      : options_(options),
        optimizer_(options, kRows, dim, "words"),
        expected_optimizer_(options, kRows, dim),
        weights_(BasicGuardedTable<T>(kRows, dim, 0).fill(20)),
        expected_(weights_) {}

  void step(const Plan& plan, const ConstTableView& gradient, const GradientOptions& options,
            std::vector<reference::RowGradient> gradients) {
    Workspace workspace(optimizer_.memory_required(plan.id_count(), 1, options, plan.pooling()));
    const std::size_t capacity = workspace.capacity();
    optimizer_.step(weights_.view(), plan, gradient, options, &workspace);
    EXPECT_EQ(workspace.capacity(), capacity) << "memory_required promised too little";

    const std::vector<TableView> state(expected_optimizer_.state().begin(), expected_optimizer_.state().end());
    if (reference::apply(options, gradients)) {
      reference::optimizer_step(options_, ++t_, expected_.view(), state, gradients);
    } else {
      ++skipped_;
    }
    EXPECT_EQ(optimizer_.step_count(), t_);
    EXPECT_EQ(optimizer_.skipped_steps(), skipped_);
    EXPECT_TRUE(same(weights_.view(), expected_.view())) << optimizer_.name();
    EXPECT_TRUE(weights_.guards_intact());
    for (std::size_t i = 0; i < state.size(); ++i) EXPECT_TRUE(same(optimizer_.state()[i], state[i]));
  }

  [[nodiscard]] std::int64_t skipped() const { return skipped_; }

 private:
  OptimizerOptions options_;
  Optimizer optimizer_;
  Optimizer expected_optimizer_;  // whose state the reference updates
  BasicGuardedTable<T> weights_;
  BasicGuardedTable<T> expected_;
  std::int64_t t_ = 0;
  std::int64_t skipped_ = 0;
};

/// Every batch with the options and optimizers in turn, so that each meets each other one.
template <StorageType T>
void expect_reference(std::int64_t dim) {
  const PooledBatches batches(kRows, 120, dim);
  std::size_t n = 0;
  for (const OptimizerOptions& optimizer : kOptimizers) {
    Pair<T> pair(optimizer, dim);
    for (const PooledBatch& batch : batches.all()) {
      const GradientOptions& options = kOptions[n % std::size(kOptions)];
      SCOPED_TRACE("dim " + std::to_string(dim) + ", " + batch.name + ", options " + std::to_string(n % 8));
      GuardedTable gradient = GuardedTable(batch.bags.size(), dim, n % 2 == 0 ? 0 : 2).fill(n);
      // Where not finite values are looked for, some steps have one.
      if (options.skip_nonfinite && n % 3 == 0) gradient.view().row(n % 7 + 5)[0] = n % 2 == 0 ? kInfinity : -kInfinity;
      pair.step(Plan(batch.bags, kRows, batch.plan_options()), gradient.view(), options,
                batch.row_gradients(kRows, gradient.view()));
      ++n;
    }
    if (testing::Test::HasFailure()) return;
    EXPECT_GT(pair.skipped(), 0);
    n += 3;
  }
}

TEST_P(GradientOptionsTest, EqualTheReference) {
  run([] {
    for (const std::int64_t dim : {17, 64}) expect_reference<float>(dim);
  });
}

TEST_P(GradientOptionsTest, EqualTheReferenceInBf16) {
  run([] { expect_reference<Bf16>(32); });
}

// Unweighted means of single contributions use mean squares that are computed beforehand, of the gradient times its
// factor; with weights they must not.
TEST_P(GradientOptionsTest, SquareScaledGradients) {
  run([] {
    constexpr std::int64_t kManyRows = 6000;
    const std::vector<std::int64_t> ids = id_cases(kManyRows, 900, 34)[4].ids;
    std::vector<float> weights(900);
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(i % 5) - 1.5F;
    for (const bool weighted : {false, true}) {
      for (const Pooling pooling : {Pooling::mean, Pooling::sqrtn, Pooling::sum}) {
        Bags bags(ids, 30, 30);
        if (weighted) bags = bags.with_weights(weights);
        const GuardedTable gradient = GuardedTable(30, 17).fill(35);
        for (const OptimizerOptions& options :
             {OptimizerOptions(RowWiseAdagradOptions{}), OptimizerOptions(PartialRowWiseAdamOptions{})}) {
          Optimizer optimizer(options, kManyRows, 17);
          Optimizer copy = optimizer.clone();
          GuardedTable table = GuardedTable(kManyRows, 17).fill(36);
          GuardedTable expected = table;
          const Plan plan(bags, kManyRows, {.pooling = pooling});
          ASSERT_GE(plan.unique_count(), 60);
          optimizer.step(table.view(), plan, gradient.view());
          reference::optimizer_step(
              options, 1, expected.view(), {copy.state().begin(), copy.state().end()},
              reference::row_gradients(bags, kManyRows, {.pooling = pooling}, {}, gradient.view()));
          EXPECT_TRUE(same(table.view(), expected.view())) << weighted << ", " << static_cast<int>(pooling);
        }
      }
    }
  });
}

// Rows of several blocks of contributions that have coefficients, on one thread and shared by several.
TEST_P(GradientOptionsTest, SumHotRowsWithCoefficients) {
  run([] {
    for (const std::int64_t share_bytes : {std::int64_t{0}, std::int64_t{1} << 40}) {
      Tuning tuning = rowmill::tuning();
      tuning.share_bytes = share_bytes;
      override_tuning(tuning);
      for (const std::int64_t dim : {17, 64}) {
        const PooledBatches batches(kRows, 3000, dim, 0.5);
        for (const PooledBatch& batch : batches.all()) {
          if (!batch.name.starts_with("padding")) continue;
          SCOPED_TRACE(batch.name + ", dim " + std::to_string(dim));
          const GuardedTable gradient = GuardedTable(batch.bags.size(), dim, 0).fill(5);
          for (const OptimizerOptions& options : {kOptimizers[0], kOptimizers[1], kOptimizers[2]}) {
            Pair<float>(options, dim)
                .step(Plan(batch.bags, kRows, batch.plan_options()), gradient.view(), {},
                      batch.row_gradients(kRows, gradient.view()));
          }
        }
      }
    }
  });
}

TEST(GradientOptionsSkip, LeaveAStepOutAltogether) {
  const std::vector<std::int64_t> ids = {5, 3, 5};
  GuardedTable gradient = GuardedTable(3, 4).fill(1);
  GuardedTable weights = GuardedTable(9, 4).fill(2);
  Optimizer skipping(AdamOptions{}, 9, 4);
  Optimizer without(AdamOptions{}, 9, 4);
  GuardedTable expected = weights;
  const Plan plan(ids, 9);
  skipping.step(weights.view(), plan, gradient.view(), {.skip_nonfinite = true});
  without.step(expected.view(), plan, gradient.view());
  gradient.view().row(1)[2] = kInfinity;
  skipping.step(weights.view(), plan, gradient.view(), {.skip_nonfinite = true});
  EXPECT_EQ(skipping.skipped_steps(), 1);
  EXPECT_EQ(skipping.step_count(), 1);
  EXPECT_EQ(skipping.progress().beta1_power, without.progress().beta1_power);
  EXPECT_EQ(skipping.clone().skipped_steps(), 1);
  gradient.view().row(1)[2] = 1;
  skipping.step(weights.view(), plan, gradient.view(), {.skip_nonfinite = true});
  without.step(expected.view(), plan, gradient.view());
  EXPECT_TRUE(same(weights.view(), expected.view()));
  // A step of no rows counts, and so does one without columns.
  skipping.step(weights.view(), Plan(std::vector<std::int64_t>(), 9), std::span<const ConstTableView>(),
                {.skip_nonfinite = true});
  EXPECT_EQ(skipping.step_count(), 3);
  Optimizer no_columns(SgdOptions{}, 9, 0);
  no_columns.step(TableView(nullptr, 9, 0), plan, ConstTableView(nullptr, 3, 0), {.clip_global_norm = 1});
  EXPECT_EQ(no_columns.step_count(), 1);
}

TEST(GradientOptionsErrors, ChangeNothing) {
  const std::vector<std::int64_t> ids = {5, 3, 5};
  const GuardedTable gradient = GuardedTable(3, 4).fill(1);
  GuardedTable weights = GuardedTable(9, 4).fill(2);
  const GuardedTable before = weights;
  Optimizer sgd(SgdOptions{}, 9, 4);
  const auto message = [&](const Plan& plan, const GradientOptions& options) -> std::string {
    try {
      sgd.step(weights.view(), plan, gradient.view(), options);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  const Plan plan(ids, 9);
  EXPECT_EQ(message(plan, {.clip_value = 0}), "rowmill: sgd: clip_value is 0; allowed: 1.2e-38 <= value <= 3.4e38");
  EXPECT_EQ(message(plan, {.clip_row_norm = -1}),
            "rowmill: sgd: clip_row_norm is -1; allowed: 1.2e-38 <= value <= 3.4e38");
  EXPECT_NE(message(plan, {.clip_global_norm = std::nan("")}), "");
  std::vector<std::int32_t> winners(11);
  EXPECT_EQ(message(Plan(Bags(ids, 3, 1), 9, {.pooling = Pooling::max, .winners = winners}), {}),
            "rowmill: sgd: the plan has 11 winners; its 3 bags of dim 4 need one for each column");
  const std::span<const std::int32_t> in_weights(reinterpret_cast<const std::int32_t*>(weights.view().data()), 12);
  EXPECT_NE(message(Plan(Bags(ids, 3, 1), 9, {.pooling = Pooling::max, .winners = in_weights}), {}), "");
  EXPECT_EQ(sgd.step_count(), 0);
  EXPECT_TRUE(same(weights.view(), before.view()));
}

TEST(OptimizerSetOptions, ChangeEveryHyperparameterAndNoState) {
  const std::vector<std::int64_t> ids = {5, 3, 5};
  const GuardedTable gradient = GuardedTable(3, 4).fill(1);
  GuardedTable weights = GuardedTable(9, 4).fill(2);
  Optimizer adam(AdamOptions{}, 9, 4);
  adam.step(weights.view(), Plan(ids, 9), gradient.view());
  const AdamOptions later{.learning_rate = 0.5, .beta1 = 0.8, .epsilon = 1e-3};
  adam.set_options(later);
  EXPECT_EQ(std::get<AdamOptions>(adam.options()).beta1, 0.8);
  EXPECT_EQ(adam.learning_rate(), 0.5);
  EXPECT_EQ(adam.step_count(), 1);
  // As an optimizer of those options that goes on from there.
  Optimizer other(later, 9, 4);
  other.restore(adam.progress(), std::as_const(adam).state());
  GuardedTable expected = weights;
  adam.step(weights.view(), Plan(ids, 9), gradient.view());
  other.step(expected.view(), Plan(ids, 9), gradient.view());
  EXPECT_TRUE(same(weights.view(), expected.view()));

  const auto message = [](Optimizer& optimizer, const OptimizerOptions& options) -> std::string {
    try {
      optimizer.set_options(options);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::invalid_argument);
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(message(adam, SgdOptions{}), "rowmill: adam: the options are those of sgd; the kind can't be changed");
  EXPECT_EQ(message(adam, AdamOptions{.beta1 = 1}), "rowmill: adam: beta1 is 1; allowed: 0 <= value < 1");
  EXPECT_EQ(adam.learning_rate(), 0.5);
  Optimizer sgd(SgdOptions{}, 9, 4);
  EXPECT_EQ(message(sgd, SgdOptions{.momentum = 0.5}),
            "rowmill: sgd: momentum is 0.5, which needs a state table that this optimizer does not have");
  Optimizer momentum(SgdOptions{.momentum = 0.5}, 9, 4);
  EXPECT_EQ(message(momentum, SgdOptions{}),
            "rowmill: sgd: momentum is 0, which needs no state table; this optimizer has one");
  EXPECT_EQ(message(momentum, SgdOptions{.momentum = 0.25, .nesterov = true}), "");
}

TEST(OptimizerState, MayLieInTheCallersMemory) {
  const std::vector<std::int64_t> ids = {5, 3, 5};
  const GuardedTable gradient = GuardedTable(3, 4).fill(1);
  GuardedTable weights = GuardedTable(9, 4).fill(2);
  GuardedTable expected = weights;
  std::vector<float> m(36, 0.25F);
  std::vector<float> v(9, 0.5F);
  const std::vector<TableView> state = {{m.data(), 9, 4, 4, "m"}, {v.data(), 9, 1, 1, "v"}};
  const PartialRowWiseAdamOptions options{.learning_rate = 0.1};
  Optimizer optimizer(options, 9, 4, state);
  Optimizer own(options, 9, 4);
  own.restore(0, std::vector<ConstTableView>(state.begin(), state.end()));
  Optimizer copy = optimizer.clone();
  optimizer.step(weights.view(), Plan(ids, 9), gradient.view());
  own.step(expected.view(), Plan(ids, 9), gradient.view());
  EXPECT_TRUE(same(weights.view(), expected.view()));
  EXPECT_NE(m[20], 0.25F);
  EXPECT_NE(v[5], 0.5F);
  EXPECT_TRUE(same({m.data(), 9, 4}, own.state()[0]));
  EXPECT_EQ(copy.state()[0].row(5)[0], 0.25F) << "a clone has memory of its own";
  EXPECT_EQ(optimizer.state()[1].data(), v.data());

  const auto message = [&](std::vector<TableView> tables, ErrorCode code) -> std::string {
    try {
      (void)Optimizer(options, 9, 4, tables);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), code);
      return e.what();
    }
    return "";
  };
  std::vector<float> wide(90);
  EXPECT_EQ(message({state[0]}, ErrorCode::shape_mismatch),
            "rowmill: partial_row_wise_adam: 1 state tables are given; this optimizer has 2");
  EXPECT_NE(message({state[0], state[1], state[1]}, ErrorCode::shape_mismatch), "");
  EXPECT_NE(message({state[1], state[0]}, ErrorCode::shape_mismatch), "");
  EXPECT_EQ(message({{wide.data(), 9, 4, 5}, state[1]}, ErrorCode::invalid_argument),
            "rowmill: partial_row_wise_adam: m (9 x 4) has row stride 5; state must be contiguous: 4");
  EXPECT_NE(message({state[0], {m.data() + 3, 9, 1}}, ErrorCode::overlap), "");
  EXPECT_NE(message({{nullptr, 9, 4}, state[1]}, ErrorCode::invalid_argument), "");
}

}  // namespace
}  // namespace rowmill::test
