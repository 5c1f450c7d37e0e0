// SPDX-License-Identifier: Apache-2.0
#include "rowmill/optimizer.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "kernels/plan/passes.hpp"
#include "kernels/reference/reference.hpp"
#include "rowmill/error.hpp"
#include "tests/support/all_optimizers.hpp"
#include "tests/support/data.hpp"
#include "tests/support/isa_test.hpp"

namespace rowmill::test {
namespace {

class OptimizerTest : public IsaTest {};
ROWMILL_INSTANTIATE_ISA_TEST(OptimizerTest);

bool decays(const OptimizerOptions& options) {
  return std::visit([](const auto& o) { return o.decay != WeightDecay::none; }, options);
}

/// Steps an optimizer and the reference side by side. T is the weights' storage type.
template <StorageType T = float>
class Pair {
 public:
  Pair(const OptimizerOptions& options, std::int64_t rows, std::int64_t dim)
      : options_(options),
        optimizer_(options, rows, dim, "words"),
        expected_optimizer_(options, rows, dim),
        weights_(BasicGuardedTable<T>(rows, dim).fill(20)),
        expected_(weights_) {}

  void set_learning_rate(double learning_rate) {
    optimizer_.set_learning_rate(learning_rate);
    std::visit([&](auto& o) { o.learning_rate = learning_rate; }, options_);
  }

  void step(const auto& ids, const ConstTableView& gradient, OutOfRange policy = OutOfRange::error) {
    ++t_;
    const std::vector<TableView> state(expected_optimizer_.state().begin(), expected_optimizer_.state().end());
    reference::optimizer_step(options_, t_, expected_.view(), state, ids, policy, gradient);

    optimizer_.step(weights_.view(), Plan(ids, weights_.view().rows(), policy), gradient);
    EXPECT_EQ(optimizer_.step_count(), t_);
    EXPECT_TRUE(same(weights_.view(), expected_.view())) << optimizer_.name() << ", step " << t_;
    EXPECT_TRUE(weights_.guards_intact());
    for (std::size_t i = 0; i < state.size(); ++i) {
      EXPECT_TRUE(same(optimizer_.state()[i], state[i])) << optimizer_.state()[i].name();
    }
  }

 private:
  OptimizerOptions options_;
  Optimizer optimizer_;
  Optimizer expected_optimizer_;  // whose state the reference updates
  BasicGuardedTable<T> weights_;
  BasicGuardedTable<T> expected_;
  std::int64_t t_ = 0;
};

TEST_P(OptimizerTest, EqualsTheReference) {
  run([] {
    constexpr std::int64_t kRows = 61;
    // 2,500 ids on one row make three blocks of the sum; special values come last, for NaN spreads.
    const std::vector<IdCase> batches = id_cases(kRows, 2500, 21);
    for (const std::int64_t dim : kDims) {
      SCOPED_TRACE("dim " + std::to_string(dim));
      std::vector<GuardedTable> gradients;
      for (const IdCase& batch : batches) {
        const auto n = static_cast<std::int64_t>(batch.ids.size());
        gradients.push_back(GuardedTable(n, dim).fill(22, batch.name == "skewed"));
      }
      for (const OptimizerOptions& options : all_optimizers()) {
        // Decay is tried on every shape in kernels_test.cpp.
        if (decays(options) && dim != 17) continue;
        Pair<> pair(options, kRows, dim);
        for (std::size_t i = 0; i < batches.size(); ++i) {
          SCOPED_TRACE(batches[i].name);
          pair.step(batches[i].ids, gradients[i].view());
          if (testing::Test::HasFailure()) return;
        }
      }
    }
  });
}

TEST_P(OptimizerTest, EqualsTheReferenceInBf16) {
  run([] {
    constexpr std::int64_t kRows = 61;
    const std::vector<IdCase> batches = id_cases(kRows, 2500, 21);
    for (const std::int64_t dim : {1, 17, 64, 256}) {
      SCOPED_TRACE("dim " + std::to_string(dim));
      for (const OptimizerOptions& options : all_optimizers()) {
        if (decays(options) && dim != 17) continue;
        Pair<Bf16> pair(options, kRows, dim);
        for (const IdCase& batch : batches) {
          SCOPED_TRACE(batch.name);
          const auto n = static_cast<std::int64_t>(batch.ids.size());
          pair.step(batch.ids, GuardedTable(n, dim).fill(22, batch.name == "skewed").view());
          if (testing::Test::HasFailure()) return;
        }
      }
    }
  });
}

// Passes of 0 to 36 gradient rows, in different places; one row is so hot that threads share its blocks.
TEST_P(OptimizerTest, AddsUpManyPasses) {
  run([] {
    constexpr std::int64_t kPasses = 300;
    std::vector<std::int64_t> counts;
    std::int64_t total = 0;
    for (std::int64_t p = 0; p < kPasses; ++p) total += counts.emplace_back(p % 3 == 0 ? 0 : p * p % 37);
    std::vector<std::int64_t> ids = id_cases(61, total, 44)[5].ids;
    std::fill_n(ids.begin() + 100, 2100, 3);
    for (const std::int64_t dim : {16, 17, 64}) {
      const GuardedTable whole = GuardedTable(total, dim).fill(45);
      std::vector<GuardedTable> parts;
      std::vector<ConstTableView> gradients;
      std::int64_t first = 0;
      for (const std::int64_t count : counts) {
        parts.emplace_back(count, dim, count % 2);
        for (std::int64_t r = 0; r < count; ++r) {
          std::ranges::copy(whole.view().row(first + r), parts.back().view().row(r).begin());
        }
        first += count;
      }
      for (const GuardedTable& part : parts) gradients.push_back(part.view());
      for (const OptimizerOptions& options : all_optimizers()) {
        Optimizer optimizer(options, 61, dim);
        GuardedTable weights = GuardedTable(61, dim).fill(46);
        GuardedTable expected = weights;
        Optimizer copy = optimizer.clone();
        const std::vector<TableView> views(copy.state().begin(), copy.state().end());
        reference::optimizer_step(options, 1, expected.view(), views, ids, OutOfRange::error, whole.view());
        optimizer.step(weights.view(), Plan(ids, 61), gradients);
        EXPECT_TRUE(same(weights.view(), expected.view())) << optimizer.name() << ", dim " << dim;
      }
    }
  });
}

// Several threads share the blocks of a hot row; their sums are then those of a row of a usual width.
TEST_P(OptimizerTest, UpdatesAHotShortRow) {
  run([] {
    constexpr std::int64_t kIds = 13'000;
    const std::vector<std::int32_t> ids(kIds, 2);
    const GuardedTable gradient = GuardedTable(kIds, 32).fill(43);
    for (const OptimizerOptions& options : all_optimizers()) Pair<>(options, 5, 32).step(ids, gradient.view());
  });
}

TEST_P(OptimizerTest, IgnoresIdsOutOfRangeUnderZero) {
  run([] {
    const std::vector<std::int32_t> ids = {3, -1, 70, 3, 5};
    for (const OptimizerOptions& options : all_optimizers()) {
      Pair<> pair(options, 61, 17);
      pair.step(ids, GuardedTable(5, 17).fill(23).view(), OutOfRange::zero);
    }
  });
}

TEST_P(OptimizerTest, GivesEachIdItsBagsGradient) {
  run([] {
    // Bags of several lengths, none too, with one row in all of them: its sum has several blocks.
    const std::vector<std::int64_t> ids = id_cases(61, 3000, 31).back().ids;
    std::vector<std::int32_t> offsets = {0};
    for (std::int32_t b = 0; offsets.back() < 3000; ++b) offsets.push_back(std::min(offsets.back() + b % 7, 3000));
    const Bags bags(ids, offsets);
    const Bags rows_of_30(ids, 100, 30);
    for (const OptimizerOptions& options : all_optimizers()) {
      Pair<> pair(options, 61, 17);
      pair.step(bags, GuardedTable(bags.size(), 17).fill(32).view());
      pair.step(rows_of_30, GuardedTable(100, 17).fill(33).view());
    }
  });
}

// Where a plan touches at least two rows for each bag, row-wise optimizers compute the mean square of each bag's
// gradient beforehand: on one thread, on all, and of gradients of more than a megabyte, which are prefetched.
TEST_P(OptimizerTest, SquaresEachBagsGradientOnce) {
  run([] {
    constexpr std::int64_t kRows = 6000;
    for (const auto& [bags, length, dim] :
         {std::tuple(30, 30, 17), std::tuple(300, 10, 256), std::tuple(1100, 4, 256)}) {
      const std::vector<std::int64_t> ids = id_cases(kRows, bags * length, 34)[4].ids;  // uniform
      const GuardedTable gradient = GuardedTable(bags, dim).fill(35);
      for (const OptimizerOptions& options : all_optimizers()) {
        const bool row_wise_adagrad = std::holds_alternative<RowWiseAdagradOptions>(options);
        if (dim == 256 && (decays(options) || !row_wise_adagrad)) continue;
        Pair<>(options, kRows, dim).step(Bags(ids, bags, length), gradient.view());
      }
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
      Optimizer(AdamOptions{}, 61, kDim).step(one.view(), plan, whole);
      Optimizer(AdamOptions{}, 61, kDim).step(several.view(), plan, passes);
      EXPECT_TRUE(same(several.view(), one.view())) << name;
    }
  });
}

TEST_P(OptimizerTest, FollowsAChangeOfTheLearningRate) {
  run([] {
    const std::vector<std::int32_t> ids = {3, 4, 3};
    for (const OptimizerOptions& options : all_optimizers()) {
      Pair<> pair(options, 61, 17);
      for (const double learning_rate : {0.5, 0.125}) {
        pair.set_learning_rate(learning_rate);
        pair.step(ids, GuardedTable(3, 17).fill(34).view());
      }
    }
  });
}

// The sums of a row's blocks are added one by one, however many: here more than make a block themselves.
TEST(OptimizerSum, OfMoreThanAMillionContributionsDoesNotDependOnTheThreads) {
  constexpr std::int64_t kCount = kSumBlock * kSumBlock + 5000;
  const std::vector<std::int32_t> ids(kCount, 0);
  const GuardedTable gradient = GuardedTable(kCount, 1, 0).fill(35);
  std::vector<float> weights;
  for (const int threads : {1, 2}) {
    with_threads(threads, [&] {
      float w = 0;
      Optimizer(SgdOptions{}, 1, 1).step(TableView(&w, 1, 1), Plan(ids, 1), gradient.view());
      weights.push_back(w);
    });
  }
  EXPECT_EQ(weights[0], weights[1]);
}

TEST_P(OptimizerTest, ReadsABroadcastGradient) {
  run([] {
    const GuardedTable row = GuardedTable(1, 16).fill(27);
    const std::vector<std::int64_t> ids = id_cases(61, 3000, 28).back().ids;
    Pair<> pair(SgdOptions{}, 61, 16);
    pair.step(ids, ConstTableView(row.view().data(), 3000, 16, 0));
  });
}

TEST_P(OptimizerTest, UsesTheWorkspaceGiven) {
  run([] {
    const std::vector<std::int64_t> ids = id_cases(100, 5000, 29).back().ids;
    const GuardedTable gradient = GuardedTable(5000, 64).fill(30);
    GuardedTable weights(100, 64);
    Optimizer optimizer(AdamOptions{}, 100, 64);
    Workspace workspace(optimizer.memory_required(5000));
    const std::size_t capacity = workspace.capacity();
    Plan plan;
    plan.reserve(5000);
    plan.build(ids, 100);
    optimizer.step(weights.view(), plan, gradient.view(), &workspace);
    EXPECT_EQ(workspace.capacity(), capacity) << "memory_required promised too little";
  });
}

/// Every bit of an optimizer's state and progress, and of its weights.
void expect_same(const Optimizer& a, const Optimizer& b, const GuardedTable& a_weights, const GuardedTable& b_weights) {
  EXPECT_TRUE(same(a_weights.view(), b_weights.view())) << a.name();
  ASSERT_EQ(a.state().size(), b.state().size());
  for (std::size_t s = 0; s < a.state().size(); ++s) EXPECT_TRUE(same(a.state()[s], b.state()[s])) << a.name();
  EXPECT_EQ(a.progress().step_count, b.progress().step_count);
  EXPECT_EQ(a.progress().beta1_power, b.progress().beta1_power);
  EXPECT_EQ(a.progress().beta2_power, b.progress().beta2_power);
}

TEST_P(OptimizerTest, ResumesWithTheSameBits) {
  run([] {
    constexpr std::int64_t kRows = 61;
    constexpr std::int64_t kDim = 17;
    const std::vector<std::int64_t> ids = id_cases(kRows, 300, 51).back().ids;
    const Plan plan(ids, kRows);
    const auto n = static_cast<std::int64_t>(ids.size());
    const auto train = [&](Optimizer& optimizer, GuardedTable& weights, int first, int last) {
      for (int t = first; t < last; ++t) {
        optimizer.step(weights.view(), plan, GuardedTable(n, kDim).fill(60 + static_cast<unsigned>(t)).view());
      }
    };
    for (const OptimizerOptions& options : all_optimizers()) {
      Optimizer uninterrupted(options, kRows, kDim);
      GuardedTable weights = GuardedTable(kRows, kDim).fill(52);
      train(uninterrupted, weights, 0, 7);

      // What a checkpoint would hold: the state in memory of another stride, and the progress.
      std::vector<GuardedTable> saved;
      for (const TableView& table : uninterrupted.state()) {
        saved.emplace_back(table.rows(), table.dim());
        for (std::int64_t r = 0; r < kRows; ++r) std::ranges::copy(table.row(r), saved.back().view().row(r).data());
      }
      std::vector<ConstTableView> state;
      for (const GuardedTable& table : saved) state.push_back(table.view());
      const OptimizerProgress progress = uninterrupted.progress();
      const Optimizer copy = uninterrupted.clone();
      const GuardedTable saved_weights = weights;
      train(uninterrupted, weights, 7, 10);

      const auto expect_resumed = [&](auto resume) {
        GuardedTable resumed_weights = saved_weights;
        Optimizer resumed(options, kRows, kDim);
        train(resumed, resumed_weights, 20, 22);  // another training's state, which goes
        resumed_weights = saved_weights;
        resume(resumed);
        train(resumed, resumed_weights, 7, 10);
        expect_same(resumed, uninterrupted, resumed_weights, weights);
      };
      expect_resumed([&](Optimizer& resumed) { resumed.restore(progress, state); });
      expect_resumed([&](Optimizer& resumed) { resumed.restore(7, state); });
      expect_resumed([&](Optimizer& resumed) { resumed = copy.clone(); });
      expect_resumed([&](Optimizer& resumed) {  // the state is in place already
        for (std::size_t s = 0; s < state.size(); ++s) {
          for (std::int64_t r = 0; r < kRows; ++r) std::ranges::copy(state[s].row(r), resumed.state()[s].row(r).data());
        }
        resumed.restore(7, std::as_const(resumed).state());
      });
    }
  });
}

TEST(OptimizerRestore, MultipliesPowersAsStepsDo) {
  const AdamOptions options{.beta1 = 0.99, .beta2 = 0.999};
  Optimizer adam(options, 1, 1);
  const auto expect_powers = [&](std::int64_t steps) {
    double beta1_power = 1;
    double beta2_power = 1;
    for (std::int64_t t = 0; t < steps; ++t) {
      beta1_power *= options.beta1;
      beta2_power *= options.beta2;
    }
    adam.restore(steps, std::as_const(adam).state());
    EXPECT_EQ(adam.step_count(), steps);
    EXPECT_EQ(adam.progress().beta1_power, beta1_power) << steps;
    EXPECT_EQ(adam.progress().beta2_power, beta2_power) << steps;
  };
  for (const std::int64_t steps : {0, 1, 2, 1000, 80'000, 1'000'000}) expect_powers(steps);
  adam.restore(std::numeric_limits<std::int64_t>::max(), std::as_const(adam).state());
  EXPECT_EQ(adam.step_count(), std::numeric_limits<std::int64_t>::max());
  adam.restore({.step_count = 3, .beta1_power = 0.5, .beta2_power = 0.25}, std::as_const(adam).state());
  EXPECT_EQ(adam.progress().beta1_power, 0.5);
  EXPECT_EQ(adam.progress().beta2_power, 0.25);
}

TEST(OptimizerRestore, RefusesWhatDoesNotFitAndChangesNothing) {
  Optimizer adam(AdamOptions{}, 10, 2, "w");
  std::vector<float> ones(100, 1.0F);
  const ConstTableView good(ones.data(), 10, 2);
  const auto expect_refused = [&](const OptimizerProgress& progress, const std::vector<ConstTableView>& state,
                                  ErrorCode code, const std::string& message) {
    try {
      adam.restore(progress, state);
      FAIL() << "it was taken";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), code);
      EXPECT_EQ(e.what(), "rowmill: " + message);
    }
    EXPECT_EQ(adam.step_count(), 0);
    EXPECT_EQ(adam.progress().beta1_power, 1);
    for (const TableView& table : adam.state()) EXPECT_EQ(table.row(9)[1], 0);
  };
  expect_refused({.step_count = -1}, {good, good}, ErrorCode::invalid_argument,
                 "adam: step_count is -1; it must be at least 0");
  expect_refused({.step_count = 1, .beta2_power = 1.5}, {good, good}, ErrorCode::invalid_argument,
                 "adam: beta2_power is 1.5; allowed: 0 <= value <= 1");
  expect_refused({.step_count = 1, .beta1_power = std::nan("")}, {good, good}, ErrorCode::invalid_argument,
                 "adam: beta1_power is nan; allowed: 0 <= value <= 1");
  expect_refused({.step_count = 1}, {good}, ErrorCode::shape_mismatch,
                 "adam: 1 state tables are given; this optimizer has 2");
  expect_refused({.step_count = 1}, {good, ConstTableView(ones.data(), 5, 2, 2, "half")}, ErrorCode::shape_mismatch,
                 "adam: state 'half' (5 x 2) must be 10 x 2: the shape of this optimizer's");
  expect_refused({.step_count = 1}, {good, ConstTableView(nullptr, 10, 2)}, ErrorCode::invalid_argument,
                 "adam: state (10 x 2) has a null pointer");
  const Table halves(10, 2, {.format = Format::bf16});
  expect_refused({.step_count = 1}, {good, halves}, ErrorCode::invalid_argument,
                 "adam: state (10 x 2) has format bf16; supported: f32");
  expect_refused({.step_count = 1}, {adam.state()[1], good}, ErrorCode::overlap,
                 "adam: state 'w.v' (10 x 2) shares elements with this optimizer's state 'w.v' (10 x 2)");
  expect_refused({.step_count = 1}, {ConstTableView(adam.state()[0].data(), 10, 2, 0), good}, ErrorCode::overlap,
                 "adam: state (10 x 2) shares elements with this optimizer's state 'w.m' (10 x 2)");

  Optimizer sgd(SgdOptions{}, 10, 2);
  EXPECT_THROW(sgd.restore({.step_count = 1, .beta1_power = 1}, {}), Error) << "it has no betas";
  sgd.restore(5, {});
  EXPECT_EQ(sgd.step_count(), 5);
  EXPECT_FALSE(sgd.progress().beta1_power.has_value());
}

TEST(OptimizerValue, MovesWithItsState) {
  Optimizer adam(AdamOptions{}, 10, 2, "w");
  const TableView m = adam.state()[0];
  EXPECT_EQ(m.name(), "w.m");
  Optimizer moved = std::move(adam);
  EXPECT_EQ(moved.state()[0].data(), m.data());
  EXPECT_EQ(m.name(), "w.m");
  Optimizer other(SgdOptions{.momentum = 0.5}, 3, 1);
  EXPECT_EQ(other.state()[0].name(), "momentum");
  other = std::move(moved);
  EXPECT_EQ(other.name(), "adam");
  EXPECT_EQ(other.state()[0].data(), m.data());

  const Optimizer copy = other.clone();
  other.state()[0].row(0)[0] = 7;
  other.set_learning_rate(0.5);
  EXPECT_EQ(copy.state()[0].row(0)[0], 0);
  EXPECT_EQ(copy.state()[0].name(), "w.m");
  EXPECT_EQ(copy.learning_rate(), AdamOptions{}.learning_rate);
}

TEST(OptimizerOptionsTest, AreChecked) {
  const auto message = [](const OptimizerOptions& options) {
    try {
      (void)Optimizer(options, 10, 4);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::invalid_argument);
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_EQ(message(SgdOptions{.learning_rate = -1}),
            "rowmill: sgd: learning_rate is -1; allowed: 0 <= value <= 3.4e38");
  EXPECT_NE(message(SgdOptions{.learning_rate = std::nan("")}), "");
  EXPECT_NE(message(AdagradOptions{.epsilon = -1e-9}), "");
  EXPECT_NE(message(AdagradOptions{.initial_accumulator = INFINITY}), "");
  EXPECT_NE(message(AdagradOptions{.epsilon = 1e39}), "") << "infinite as a float";
  EXPECT_NE(message(AdamOptions{.beta1 = 1}), "");
  EXPECT_NE(message(AdamOptions{.beta2 = -0.1}), "");
  EXPECT_EQ(message(AdamOptions{.beta1 = 0, .beta2 = 0, .epsilon = 0}), "");
  EXPECT_EQ(message(SgdOptions{.nesterov = true}), "rowmill: sgd: nesterov needs a momentum; momentum is 0");
  EXPECT_EQ(message(AdamOptions{.epsilon = -1e-12}), "rowmill: adam: epsilon is -1e-12; allowed: 0 <= value <= 3.4e38");
  EXPECT_EQ(message(SgdOptions{.momentum = 1}), "rowmill: sgd: momentum is 1; allowed: 0 <= value < 1");
  EXPECT_EQ(message(AdamOptions{.weight_decay = 0.01}),
            "rowmill: adam: weight_decay is 0.01, but decay is none: choose l2 or decoupled");
  EXPECT_EQ(message(RowWiseAdagradOptions{.decay = WeightDecay::l2, .weight_decay = -1}),
            "rowmill: row_wise_adagrad: weight_decay is -1; allowed: 0 <= value <= 3.4e38");
  EXPECT_EQ(message(PartialRowWiseAdamOptions{.decay = static_cast<WeightDecay>(7)}),
            "rowmill: partial_row_wise_adam: decay is 7; allowed: 0 to 2");
  EXPECT_EQ(message(adamw()), "");
  EXPECT_THROW(Optimizer(SgdOptions{}, -1, 4), Error);
  EXPECT_THROW(Optimizer(SgdOptions{}, 10, -1), Error);
  EXPECT_THROW(Optimizer(SgdOptions{}, 1, 1).set_learning_rate(-2), Error);
}

}  // namespace
}  // namespace rowmill::test
