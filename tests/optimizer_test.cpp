// SPDX-License-Identifier: Apache-2.0
#include "rowmill/optimizer.hpp"

#include <cmath>

#include "kernels/reference/reference.hpp"
#include "rowmill/error.hpp"
#include "tests/support/data.hpp"
#include "tests/support/isa_test.hpp"

namespace rowmill::test {
namespace {

class OptimizerTest : public IsaTest {};
ROWMILL_INSTANTIATE_ISA_TEST(OptimizerTest);

const std::vector<OptimizerOptions> kOptimizers = {SgdOptions{.learning_rate = 0.1},
                                                   AdagradOptions{.learning_rate = 0.1, .initial_accumulator = 0.5},
                                                   AdamOptions{.learning_rate = 0.01}};

/// Steps an optimizer and the reference side by side.
class Pair {
 public:
  Pair(const OptimizerOptions& options, std::int64_t rows, std::int64_t dim)
      : options_(options), weights_(GuardedTable(rows, dim).fill(20)), expected_(weights_) {
    optimizer_ = make_optimizer(options, rows, dim, "words");
    for (const Table& table : optimizer_->state()) expected_state_.push_back(table.clone());
  }

  void step(Ids ids, const ConstTableView& gradient, OutOfRange policy = OutOfRange::error) {
    if (!ids.empty()) ++t_;
    std::vector<TableView> state;
    for (Table& table : expected_state_) state.push_back(table);
    reference::optimizer_step(options_, t_, expected_.view(), state, ids, policy, gradient);

    optimizer_->step(weights_.view(), Plan(ids, weights_.view().rows(), policy), gradient);
    EXPECT_EQ(optimizer_->step_count(), t_);
    EXPECT_TRUE(same(weights_.view(), expected_.view())) << optimizer_->name() << ", step " << t_;
    EXPECT_TRUE(weights_.guards_intact());
    for (std::size_t i = 0; i < state.size(); ++i) {
      EXPECT_TRUE(same(optimizer_->state()[i].view(), state[i])) << optimizer_->state()[i].name();
    }
  }

 private:
  OptimizerOptions options_;
  std::unique_ptr<Optimizer> optimizer_;
  GuardedTable weights_;
  GuardedTable expected_;
  std::vector<Table> expected_state_;
  std::int64_t t_ = 0;
};

TEST_P(OptimizerTest, EqualsTheReference) {
  run([] {
    constexpr std::int64_t kRows = 61;
    for (const OptimizerOptions& options : kOptimizers) {
      for (const std::int64_t dim : kDims) {
        SCOPED_TRACE("dim " + std::to_string(dim));
        Pair pair(options, kRows, dim);
        // 2,500 ids on one row make three blocks of the sum; special values come last, for NaN spreads.
        for (const IdCase& batch : id_cases(kRows, 2500, 21)) {
          SCOPED_TRACE(batch.name);
          const auto n = static_cast<std::int64_t>(batch.ids.size());
          pair.step(batch.ids, GuardedTable(n, dim).fill(22, batch.name == "skewed").view());
          if (testing::Test::HasFailure()) return;
        }
      }
    }
  });
}

TEST_P(OptimizerTest, IgnoresIdsOutOfRangeUnderZero) {
  run([] {
    const std::vector<std::int32_t> ids = {3, -1, 70, 3, 5};
    for (const OptimizerOptions& options : kOptimizers) {
      Pair pair(options, 61, 17);
      pair.step(ids, GuardedTable(5, 17).fill(23).view(), OutOfRange::zero);
    }
  });
}

TEST_P(OptimizerTest, SumsSeveralPassesAsOne) {
  run([] {
    // One row over two passes of 700 and 800 contributions: the blocks of 1,024 straddle the passes.
    constexpr std::int64_t kDim = 100;
    const GuardedTable all = GuardedTable(1500, kDim, 2).fill(24);
    const ConstTableView whole = all.view();
    const std::vector<ConstTableView> passes = {
        {whole.data(), 700, kDim, whole.row_stride()},
        {whole.row(700).data(), 0, kDim, whole.row_stride()},
        {whole.row(700).data(), 800, kDim, whole.row_stride()},
    };
    for (const auto& [name, ids] : id_cases(61, 1500, 25)) {
      if (ids.size() != 1500) continue;
      const Plan plan(ids, 61);
      GuardedTable one = GuardedTable(61, kDim).fill(26);
      GuardedTable several = one;
      make_optimizer(AdamOptions{}, 61, kDim)->step(one.view(), plan, whole);
      make_optimizer(AdamOptions{}, 61, kDim)->step(several.view(), plan, passes);
      EXPECT_TRUE(same(several.view(), one.view())) << name;
    }
  });
}

TEST_P(OptimizerTest, ReadsABroadcastGradient) {
  run([] {
    const GuardedTable row = GuardedTable(1, 16).fill(27);
    const std::vector<std::int64_t> ids = id_cases(61, 3000, 28).back().ids;
    Pair pair(SgdOptions{}, 61, 16);
    pair.step(ids, ConstTableView(row.view().data(), 3000, 16, 0));
  });
}

TEST_P(OptimizerTest, UsesTheWorkspaceGiven) {
  run([] {
    const std::vector<std::int64_t> ids = id_cases(100, 5000, 29).back().ids;
    const GuardedTable gradient = GuardedTable(5000, 64).fill(30);
    GuardedTable weights(100, 64);
    const auto optimizer = make_optimizer(AdamOptions{}, 100, 64);
    Workspace workspace(optimizer->memory_required(5000));
    const std::size_t capacity = workspace.capacity();
    Plan plan;
    plan.reserve(5000);
    plan.build(ids, 100);
    optimizer->step(weights.view(), plan, gradient.view(), &workspace);
    EXPECT_EQ(workspace.capacity(), capacity) << "memory_required promised too little";
  });
}

// The formulas themselves, dense and in double, as the papers have them.
TEST(OptimizerFormula, FollowsThePapers) {
  const std::vector<float> gradients = {0.5F, -2.0F, 0.25F, 1.0F};
  double sgd = 1;
  double adagrad = 1;
  double sum = 0.5;
  double adam = 1;
  double m = 0;
  double v = 0;
  std::vector<float> weights = {1, 1, 1};
  const auto options = kOptimizers;
  std::vector<std::unique_ptr<Optimizer>> optimizers;
  for (const auto& o : options) optimizers.push_back(make_optimizer(o, 1, 1));
  const Plan plan(std::vector<std::int32_t>{0}, 1);
  for (std::size_t t = 0; t < gradients.size(); ++t) {
    const double g = static_cast<double>(gradients[t]);
    sgd -= 0.1 * g;
    sum += g * g;
    adagrad -= 0.1 * g / (std::sqrt(sum) + 1e-10);
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    const double steps = static_cast<double>(t) + 1;
    adam -= 0.01 * (m / (1 - std::pow(0.9, steps))) / (std::sqrt(v / (1 - std::pow(0.999, steps))) + 1e-8);
    for (std::size_t o = 0; o < 3; ++o) {
      optimizers[o]->step(TableView(&weights[o], 1, 1), plan, ConstTableView(&gradients[t], 1, 1));
    }
    EXPECT_NEAR(weights[0], sgd, 1e-6);
    EXPECT_NEAR(weights[1], adagrad, 1e-6);
    EXPECT_NEAR(weights[2], adam, 1e-6);
  }
}

TEST(OptimizerOptionsTest, AreChecked) {
  const auto message = [](const OptimizerOptions& options) {
    try {
      (void)make_optimizer(options, 10, 4);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::invalid_argument);
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_EQ(message(SgdOptions{.learning_rate = -1}),
            "rowmill: sgd: learning_rate is -1.000000; allowed: 0 <= value < infinity");
  EXPECT_NE(message(SgdOptions{.learning_rate = std::nan("")}), "");
  EXPECT_NE(message(AdagradOptions{.epsilon = -1e-9}), "");
  EXPECT_NE(message(AdagradOptions{.initial_accumulator = INFINITY}), "");
  EXPECT_NE(message(AdamOptions{.beta1 = 1}), "");
  EXPECT_NE(message(AdamOptions{.beta2 = -0.1}), "");
  EXPECT_EQ(message(AdamOptions{.beta1 = 0, .beta2 = 0, .epsilon = 0}), "");
  EXPECT_THROW(make_optimizer(SgdOptions{}, 1, 1)->set_learning_rate(-2), Error);
}

}  // namespace
}  // namespace rowmill::test
