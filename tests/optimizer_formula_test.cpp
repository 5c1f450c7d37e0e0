// SPDX-License-Identifier: Apache-2.0
// The formulas themselves, dense and in double, as the papers have them.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "rowmill/optimizer.hpp"
#include "rowmill/plan.hpp"
#include "tests/support/all_optimizers.hpp"

namespace rowmill::test {
namespace {

// The formulas themselves, dense and in double, as the papers have them: rows of one column, so that row-wise is not
// different from element by element.
class DenseFormula {
 public:
  explicit DenseFormula(const OptimizerOptions& options) : options_(options) {}

  double step(double g) {
    ++t_;
    std::visit([&](const auto& o) { decay_and_update(o, g); }, options_);
    return w_;
  }

 private:
  void decay_and_update(const auto& o, double g) {
    if (o.decay == WeightDecay::l2) g += o.weight_decay * w_;
    if (o.decay == WeightDecay::decoupled) w_ -= o.learning_rate * o.weight_decay * w_;
    update(o, g);
  }
  void update(const SgdOptions& o, double g) {
    b_ = o.momentum * b_ + g;
    w_ -= o.learning_rate * (o.nesterov ? g + o.momentum * b_ : b_);
  }
  void adagrad(const auto& o, double g) {
    a_ += g * g;
    w_ -= o.learning_rate * g / (std::sqrt(a_ + o.initial_accumulator) + o.epsilon);
  }
  void adam(const auto& o, double g) {
    m_ = o.beta1 * m_ + (1 - o.beta1) * g;
    v_ = o.beta2 * v_ + (1 - o.beta2) * g * g;
    const double t = static_cast<double>(t_);
    w_ -=
        o.learning_rate * (m_ / (1 - std::pow(o.beta1, t))) / (std::sqrt(v_ / (1 - std::pow(o.beta2, t))) + o.epsilon);
  }
  void update(const AdagradOptions& o, double g) { adagrad(o, g); }
  void update(const RowWiseAdagradOptions& o, double g) { adagrad(o, g); }
  void update(const AdamOptions& o, double g) { adam(o, g); }
  void update(const PartialRowWiseAdamOptions& o, double g) { adam(o, g); }

  OptimizerOptions options_;
  std::int64_t t_ = 0;
  double w_ = 1, b_ = 0, a_ = 0, m_ = 0, v_ = 0;
};

TEST(OptimizerFormula, FollowsThePapers) {
  const Plan plan(std::vector<std::int32_t>{0}, 1);
  for (const OptimizerOptions& options : all_optimizers()) {
    DenseFormula dense(options);
    Optimizer optimizer(options, 1, 1);
    float w = 1;
    for (const float g : {0.5F, -2.0F, 0.25F, 1.0F}) {
      optimizer.step(TableView(&w, 1, 1), plan, ConstTableView(&g, 1, 1));
      EXPECT_NEAR(w, dense.step(static_cast<double>(g)), 1e-6) << optimizer.name();
    }
  }
}

TEST(OptimizerFormula, RowWiseStatesHoldTheMeanSquare) {
  const std::vector<float> g = {1, -2, 3, 0.5F, 4};
  const Plan plan(std::vector<std::int32_t>{0}, 1);
  std::vector<float> w(5);
  Optimizer adagrad(RowWiseAdagradOptions{}, 1, 5);
  adagrad.step(TableView(w.data(), 1, 5), plan, ConstTableView(g.data(), 1, 5));
  EXPECT_EQ(adagrad.state()[0].dim(), 1);
  EXPECT_FLOAT_EQ(adagrad.state()[0].data()[0], (1 + 4 + 9 + 0.25F + 16) / 5);
  Optimizer adam(PartialRowWiseAdamOptions{.beta2 = 0.5}, 1, 5);
  adam.step(TableView(w.data(), 1, 5), plan, ConstTableView(g.data(), 1, 5));
  EXPECT_FLOAT_EQ(adam.state()[1].data()[0], (1 + 4 + 9 + 0.25F + 16) / 10);
}

}  // namespace
}  // namespace rowmill::test
