// SPDX-License-Identifier: Apache-2.0
// Training in float64: optimizers, gradients of rows, max_norm and layers, against plain loops that share no code with
// the library.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

#include "rowmill/embedding_bag.hpp"
#include "rowmill/max_norm.hpp"
#include "rowmill/optimizer.hpp"
#include "rowmill/plan.hpp"
#include "rowmill/sparse_gradient.hpp"
#include "rowmill/table.hpp"
#include "tests/exact/exact_data.hpp"

namespace rowmill::test {
namespace {

/// The gradients of f64 of rows, by plain loops: over several passes of bags, in blocks of 1,024.
struct PlainGradients {
  std::vector<std::int64_t> rows;  // in order of first occurrence
  std::vector<std::vector<std::vector<double>>> contributions;

  void add(std::int64_t row, std::vector<double> x) {
    const auto found = std::find(rows.begin(), rows.end(), row);
    if (found == rows.end()) {
      rows.push_back(row);
      contributions.push_back({std::move(x)});
    } else {
      contributions[static_cast<std::size_t>(found - rows.begin())].push_back(std::move(x));
    }
  }

  [[nodiscard]] std::vector<std::vector<double>> sums() const {
    std::vector<std::vector<double>> result;
    for (const auto& terms : contributions) {
      std::vector<double> total;
      for (std::size_t block = 0; block < terms.size(); block += 1024) {
        std::vector<double> sum = terms[block];
        for (std::size_t k = block + 1; k < std::min(block + 1024, terms.size()); ++k) {
          for (std::size_t c = 0; c < sum.size(); ++c) sum[c] += terms[k][c];
        }
        for (std::size_t c = 0; c < sum.size(); ++c) sum[c] = block == 0 ? sum[c] : total[c] + sum[c];
        total = sum;
      }
      result.push_back(total);
    }
    return result;
  }
};

double plain_norm(const std::vector<double>& g) {
  std::vector<double> squares;
  for (const double x : g) squares.push_back(x * x);
  return plain_lane_sum(squares);
}

/// What options do to finished sums. Returns false for a step that is skipped.
bool plain_guard(std::vector<std::vector<double>>& sums, const PlainGradients& gradients, const GradientOptions& o) {
  bool finite = true;
  double total = 0;
  for (std::size_t k = 0; k < sums.size(); ++k) {
    for (double& x : sums[k]) {
      if (o.scale_grad_by_freq) x = x / static_cast<double>(gradients.contributions[k].size());
      finite = finite && std::isfinite(x);
      if (o.clip_value && x > *o.clip_value) x = *o.clip_value;
      if (o.clip_value && x < -*o.clip_value) x = -*o.clip_value;
    }
    const double norm = std::sqrt(plain_norm(sums[k]));
    if (o.clip_row_norm && norm > *o.clip_row_norm) {
      for (double& x : sums[k]) x = x * (*o.clip_row_norm / norm);
    }
    total = k == 0 ? plain_norm(sums[k]) : total + plain_norm(sums[k]);  // fewer than 1,024 rows
  }
  if (o.clip_global_norm && std::sqrt(total) > *o.clip_global_norm) {
    for (auto& row : sums) {
      for (double& x : row) x = x * (*o.clip_global_norm / std::sqrt(total));
    }
  }
  return finite || !o.skip_nonfinite;
}

/// A row's weights and states, and step t of each formula.
struct PlainRow {
  std::vector<double> w, first, second;  // states: momentum, accumulator; m and v
};

void plain_update(PlainRow& r, std::vector<double> g, const OptimizerOptions& options, int t) {
  const auto decay = [&](double lr, WeightDecay kind, double rate) {
    for (std::size_t c = 0; c < g.size(); ++c) {
      if (kind == WeightDecay::l2) g[c] = g[c] + rate * r.w[c];
      if (kind == WeightDecay::decoupled) r.w[c] = r.w[c] * (1 - lr * rate);
    }
  };
  std::visit([&](const auto& o) { decay(o.learning_rate, o.decay, o.weight_decay); }, options);
  const double mean = plain_norm(g) / static_cast<double>(g.size());
  for (std::size_t c = 0; c < g.size(); ++c) {
    double& w = r.w[c];
    if (const auto* o = std::get_if<SgdOptions>(&options)) {
      if (o->momentum == 0) {
        w = w - o->learning_rate * g[c];
      } else {
        r.first[c] = o->momentum * r.first[c] + g[c];
        w = w - o->learning_rate * (o->nesterov ? g[c] + o->momentum * r.first[c] : r.first[c]);
      }
    } else if (const auto* a = std::get_if<AdagradOptions>(&options)) {
      r.first[c] = r.first[c] + g[c] * g[c];
      w = w - a->learning_rate * g[c] / (std::sqrt(r.first[c]) + a->epsilon);
    } else if (const auto* rows = std::get_if<RowWiseAdagradOptions>(&options)) {
      if (c == 0) r.first[0] = r.first[0] + mean;
      w = w - rows->learning_rate / (std::sqrt(r.first[0]) + rows->epsilon) * g[c];
    } else {
      const auto adam = [&](const auto& m, double square, double& v, bool advance) {
        double power1 = 1;
        double power2 = 1;
        for (int i = 0; i < t; ++i) {
          power1 *= m.beta1;
          power2 *= m.beta2;
        }
        if (advance) v = m.beta2 * v + (1 - m.beta2) * square;
        r.first[c] = m.beta1 * r.first[c] + (1 - m.beta1) * g[c];
        const double under = std::sqrt(v) * (1 / std::sqrt(1 - power2)) + m.epsilon;
        const double step = m.learning_rate / (1 - power1);
        w = w - (std::is_same_v<std::decay_t<decltype(m)>, AdamOptions> ? step * r.first[c] / under
                                                                        : step / under * r.first[c]);
      };
      if (const auto* all = std::get_if<AdamOptions>(&options)) adam(*all, g[c] * g[c], r.second[c], true);
      if (const auto* one = std::get_if<PartialRowWiseAdamOptions>(&options)) adam(*one, mean, r.second[0], c == 0);
    }
  }
}

std::vector<OptimizerOptions> every_optimizer() {
  return {SgdOptions{.learning_rate = 0.1},
          SgdOptions{.learning_rate = 0.1, .decay = WeightDecay::l2, .weight_decay = 0.01},
          SgdOptions{.learning_rate = 0.1, .momentum = 0.9},
          SgdOptions{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true},
          AdagradOptions{.learning_rate = 0.1, .initial_accumulator = 0.1},
          RowWiseAdagradOptions{.learning_rate = 0.1, .initial_accumulator = 0.3},
          RowWiseAdagradOptions{.learning_rate = 0.1, .decay = WeightDecay::l2, .weight_decay = 0.01},
          AdamOptions{.learning_rate = 0.01},
          adamw(0.01, 0.1),
          PartialRowWiseAdamOptions{.learning_rate = 0.01, .decay = WeightDecay::decoupled, .weight_decay = 0.1}};
}

std::vector<GradientOptions> every_guard() {
  return {{},
          {.scale_grad_by_freq = true, .skip_nonfinite = true, .clip_value = 0.7},
          {.clip_row_norm = 0.3},
          {.clip_value = 2, .clip_row_norm = 1.5, .clip_global_norm = 1}};
}

/// A step's batch: bags of a mean with weights, one pass of two; row 3 is hot.
struct Batch {
  std::vector<std::int64_t> ids;
  std::vector<float> weights;
  std::vector<std::int64_t> offsets = {0};

  explicit Batch(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (int b = 0; b < 900; ++b) {
      for (std::uint64_t i = random() % 4; i > 0; --i) {
        ids.push_back(random() % 6 == 0 ? static_cast<std::int64_t>(random() % 15) : 3);
        weights.push_back(static_cast<float>(random() % 100) / 64);
      }
      offsets.push_back(std::ssize(ids));
    }
  }
  [[nodiscard]] Bags bags() const { return Bags(ids, offsets).with_weights(weights); }
};

PlainGradients plain_gradients(const Bags& bags, const PoolOptions& options, const ExactTable<double>& gradient) {
  PlainGradients gradients;
  for (std::int64_t b = 0; b < bags.size(); ++b) {
    for (const PlainPosition& p : plain_positions(bags, b, kRows, options.out_of_range)) {
      std::vector<double> x;
      for (std::int64_t c = 0; c < gradient.view().dim(); ++c) {
        x.push_back(plain_contribution(bags, b, p, options, gradient.at(b, c)));
      }
      if (p.row) gradients.add(*p.row, std::move(x));
    }
  }
  return gradients;
}

TEST(ExactDoubles, EveryOptimizer) {
  constexpr std::int64_t kDim = 17;
  const PoolOptions pooling{.pooling = Pooling::mean};
  std::vector<PlainGradients> gradients;
  std::vector<Batch> batches;
  std::vector<ExactTable<double>> values;
  for (const std::uint64_t seed : {21U, 22U, 23U}) {
    batches.emplace_back(seed);
    values.push_back(ExactTable<double>(900, kDim).fill(seed));
    gradients.push_back(plain_gradients(batches.back().bags(), pooling, values.back()));
  }
  const auto start = ExactTable<double>(kRows, kDim).fill(24);
  for (const OptimizerOptions& options : every_optimizer()) {
    for (const GradientOptions& guards : every_guard()) {
      const StorageOptions storage{.state_format = Format::f64};
      const Optimizer fresh(options, kRows, kDim, storage);
      std::vector<PlainRow> rows(kRows);
      for (std::int64_t r = 0; r < kRows; ++r) {
        PlainRow& row = rows[static_cast<std::size_t>(r)];
        for (std::int64_t c = 0; c < kDim; ++c) row.w.push_back(start.at(r, c));
        double initial = 0;
        if (const auto* a = std::get_if<AdagradOptions>(&options)) initial = a->initial_accumulator;
        if (const auto* a = std::get_if<RowWiseAdagradOptions>(&options)) initial = a->initial_accumulator;
        row.first.assign(kDim, initial);
        row.second.assign(kDim, 0);
      }
      for (int t = 1; t <= 3; ++t) {
        const PlainGradients& of = gradients[static_cast<std::size_t>(t - 1)];
        auto sums = of.sums();
        ASSERT_TRUE(plain_guard(sums, of, guards));
        for (std::size_t k = 0; k < sums.size(); ++k) {
          plain_update(rows[static_cast<std::size_t>(of.rows[k])], sums[k], options, t);
        }
      }
      for_each_thread_count([&] {
        ExactTable<double> weights = start;
        Optimizer optimizer = fresh.clone();
        for (std::size_t t = 0; t < 3; ++t) {
          // Of two passes.
          const Plan plan(batches[t].bags(), kRows, {.double_coefficients = true, .pooling = Pooling::mean});
          const ConstTableView all = std::as_const(values[t]).view();
          const ConstTableView passes[] = {
              {&values[t].at(0, 0), 400, kDim, all.row_stride()},
              {&values[t].at(400, 0), 500, kDim, all.row_stride()},
          };
          Workspace workspace(optimizer.memory_required(plan.id_count(), 2, guards, Pooling::mean));
          const std::size_t capacity = workspace.capacity();
          optimizer.step(weights.view(), plan, passes, guards, &workspace);
          EXPECT_EQ(workspace.capacity(), capacity) << "memory_required promised too little";
        }
        ExactTable<double> expected(kRows, kDim);
        for (std::int64_t r = 0; r < kRows; ++r) {
          for (std::int64_t c = 0; c < kDim; ++c) {
            expected.at(r, c) = rows[static_cast<std::size_t>(r)].w[static_cast<std::size_t>(c)];
          }
        }
        EXPECT_TRUE(same(weights, expected)) << optimizer.name();
        for (std::size_t s = 0; s < optimizer.state().size(); ++s) {
          const TableView state = optimizer.state()[s];
          for (std::int64_t r = 0; r < kRows; ++r) {
            const PlainRow& row = rows[static_cast<std::size_t>(r)];
            for (std::size_t c = 0; c < static_cast<std::size_t>(state.dim()); ++c) {
              ASSERT_TRUE(same_element(state.row<double>(r)[c], (s == 0 ? row.first : row.second)[c]))
                  << optimizer.name() << " " << state.name();
            }
          }
        }
      });
    }
  }
}

TEST(ExactDoubles, GradientsOfRows) {
  for_each_thread_count([] {
    const Batch batch(25);
    const auto values = ExactTable<double>(900, 5).fill(26);
    const PlainGradients expected = plain_gradients(batch.bags(), {.pooling = Pooling::sqrtn}, values);
    const Plan plan(batch.bags(), kRows, {.double_coefficients = true, .pooling = Pooling::sqrtn});
    for (const GradientOptions& options : {every_guard()[0], every_guard()[2], every_guard()[3]}) {
      auto sums = expected.sums();
      plain_guard(sums, expected, options);
      SparseGradient sparse;
      sparse.build(plan, values.view(), options);
      ExactTable<double> dense(kRows, 5);
      const ConstTableView pass = values.view();
      dense_gradient(plan, std::span(&pass, 1), dense.view(), options);
      ExactTable<double> expected_dense(kRows, 5);
      for (std::int64_t i = 0; i < kRows * 5; ++i) expected_dense.at(i / 5, i % 5) = 0;
      ASSERT_TRUE(std::ranges::equal(sparse.rows(), expected.rows));
      for (std::size_t k = 0; k < sums.size(); ++k) {
        for (std::size_t c = 0; c < 5; ++c) {
          ASSERT_TRUE(same_element(sparse.values().row<double>(static_cast<std::int64_t>(k))[c], sums[k][c]));
          expected_dense.at(expected.rows[k], static_cast<std::int64_t>(c)) = sums[k][c];
        }
      }
      EXPECT_TRUE(same(dense, expected_dense));
    }
  });
}

TEST(ExactDoubles, ASkippedStepChangesNothing) {
  const std::vector<std::int64_t> ids = {1, 2};
  auto weights = ExactTable<double>(4, 3).fill(27);
  const ExactTable<double> before = weights;
  auto gradient = ExactTable<double>(2, 3).fill(28);
  gradient.at(1, 1) = HUGE_VAL;
  Optimizer adam(AdamOptions{}, 4, 3, StorageOptions{.state_format = Format::f64});
  adam.step(weights.view(), Plan(ids, 4), gradient.view(), {.skip_nonfinite = true});
  EXPECT_TRUE(same(weights, before));
  EXPECT_EQ(adam.skipped_steps(), 1);
  EXPECT_EQ(adam.step_count(), 0);
}

TEST(ExactDoubles, MaxNorm) {
  for_each_thread_count([] {
    for (const NormType norm : {NormType::one, NormType::two, NormType::infinity}) {
      const auto start = ExactTable<double>(kRows, 17).fill(29);
      ExactTable<double> expected = start;
      for (const std::int64_t r : {2, 5, 7}) {
        std::vector<double> terms;
        double largest = 0;
        for (std::int64_t c = 0; c < 17; ++c) {
          const double x = start.at(r, c);
          terms.push_back(norm == NormType::one ? std::fabs(x) : x * x);
          largest = std::max(largest, std::fabs(x));
        }
        const double sum = plain_lane_sum(terms);
        const double found = norm == NormType::one ? sum : norm == NormType::two ? std::sqrt(sum) : largest;
        if (!(found > 0.1)) continue;
        for (std::int64_t c = 0; c < 17; ++c) expected.at(r, c) = start.at(r, c) * (0.1 / (found + 1e-7));
      }
      ExactTable<double> table = start;
      renormalize(table.view(), std::vector<int>{2, 7, 2, 5}, {.max_norm = 0.1, .norm = norm});
      EXPECT_TRUE(same(table, expected));
    }
  });
}

TEST(ExactDoubles, LayersTrain) {
  const std::vector<std::int64_t> ids = {1, 2, 2, 5};
  EmbeddingBag layer({.rows = 9, .dim = 5, .initializer = Initializer::normal(0, 1), .format = Format::f64});
  auto weights = ExactTable<double>(9, 5);
  for (std::int64_t i = 0; i < 45; ++i)
    weights.at(i / 5, i % 5) = layer.table().view().row<double>(i / 5)[static_cast<std::size_t>(i % 5)];
  ExactTable<double> out(1, 5);
  layer.forward(Bags(ids, 1, 4), out.view());
  EXPECT_TRUE(same(out, plain_pool(weights, Bags(ids, 1, 4), {.pooling = Pooling::mean})));
  const auto gradient = ExactTable<double>(1, 5).fill(30);
  layer.backward(Bags(ids, 1, 4), gradient.view());
  layer.step();
  for (std::int64_t c = 0; c < 5; ++c) {
    const double x = 0.25 * gradient.at(0, c);
    EXPECT_EQ(layer.table().view().row<double>(1)[static_cast<std::size_t>(c)], weights.at(1, c) - 0.01 * x);
    EXPECT_EQ(layer.table().view().row<double>(2)[static_cast<std::size_t>(c)], weights.at(2, c) - 0.01 * (x + x));
  }
  Embedding words({.rows = 9, .dim = 5, .format = Format::f64, .optimizer = AdagradOptions{}, .max_norm = MaxNorm{}});
  ExactTable<double> rows(4, 5);
  words.forward(ids, rows.view());
  words.backward(ids, rows.view());
  words.step();
  EXPECT_EQ(words.optimizer().state()[0].format(), Format::f64);
}

TEST(ExactErrors, TrainingSaysWhatIsSupported) {
  ExactTable<double> weights(4, 3);
  ExactTable<float> floats(4, 3);
  const std::vector<std::int64_t> ids = {0, 1, 2, 3};
  const Plan plan(ids, 4);
  const Plan mean(Bags(ids, 4, 1), 4, {.pooling = Pooling::mean});
  const StorageOptions storage{.state_format = Format::f64};
  Optimizer of_f64(SgdOptions{}, 4, 3, storage);
  Optimizer of_f32(SgdOptions{}, 4, 3);
  expect_error([&] { of_f32.step(weights.view(), plan, ExactTable<double>(4, 3).view()); },
               "rowmill: sgd: weights (4 x 3) has format f64; its optimizer needs StorageOptions::state_format = f64");
  expect_error([&] { of_f64.step(floats.view(), plan, ExactTable<double>(4, 3).view()); },
               "rowmill: sgd: weights (4 x 3) has format f32; supported: f64");
  expect_error([&] { of_f64.step(weights.view(), plan, floats.view()); },
               "rowmill: sgd: gradient (4 x 3) has format f32; supported: f64");
  expect_error(
      [&] { of_f64.step(weights.view(), mean, ExactTable<double>(4, 3).view()); },
      "rowmill: sgd: weights (4 x 3) has format f64, but the plan has the coefficients of its mean or sqrtn in "
      "float; set PlanOptions::double_coefficients");
  expect_error([] { Optimizer(SgdOptions{}, 4, 3, StorageOptions{.split = true, .state_format = Format::f64}); },
               "rowmill: sgd: split is set, but state_format is f64: weights of f64 are not split");
  expect_error(
      [] {
        Optimizer(SgdOptions{}, 4, 3, StorageOptions{.rounding = Rounding::stochastic, .state_format = Format::f64},
                  "t");
      },
      "rowmill: sgd: rounding is stochastic, but state_format is f64: nothing is rounded");
  const ConstTableView pass = weights.view();
  EXPECT_THROW(dense_gradient(plan, std::span(&pass, 1), floats.view()), Error);
  ExactTable<std::int32_t> integers(4, 3);
  EXPECT_THROW(dense_gradient(plan, std::span(&pass, 1), integers.view()), Error);
  EXPECT_THROW(renormalize(integers.view(), ids, {}), Error);
  expect_error([] { Embedding({.rows = 4, .dim = 3, .format = Format::i32}); },
               "rowmill: layer: table (4 x 3) has format i32; supported: f32, bf16, f16, f64");
}

}  // namespace
}  // namespace rowmill::test
