// SPDX-License-Identifier: Apache-2.0
// The formulas of optimizers and of renormalize(), in double.
#include "kernels/exact/step.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <variant>

#include "kernels/core/parallel.hpp"
#include "kernels/exact/lane_sums.hpp"
#include "kernels/exact/rows.hpp"

namespace rowmill::exact {
namespace {

/// The formulas of include/rowmill/optimizer.hpp for one row.
struct RowUpdate {
  const StepArgs& step;
  std::int64_t row;
  std::int64_t dim;
  double* w;
  double* g;

  [[nodiscard]] double* state(std::size_t number) const { return row_of<double>(step.states[number], row); }
  [[nodiscard]] double mean_square() const { return sum_of_squares(g, dim) / static_cast<double>(dim); }

  template <class Options>
  void run(const Options& o) const {
    for (std::int64_t c = 0; c < dim; ++c) {
      if (o.decay == WeightDecay::l2) g[c] = g[c] + o.weight_decay * w[c];
      if (o.decay == WeightDecay::decoupled) w[c] = w[c] * (1 - o.learning_rate * o.weight_decay);
    }
    (*this)(o);
  }

  void operator()(const SgdOptions& o) const {
    double* const b = o.momentum == 0 ? nullptr : state(0);
    for (std::int64_t c = 0; c < dim; ++c) {
      double direction = g[c];
      if (b != nullptr) {
        b[c] = o.momentum * b[c] + g[c];
        direction = o.nesterov ? g[c] + o.momentum * b[c] : b[c];
      }
      w[c] = w[c] - o.learning_rate * direction;
    }
  }

  void operator()(const AdagradOptions& o) const {
    double* const a = state(0);
    for (std::int64_t c = 0; c < dim; ++c) {
      a[c] = a[c] + g[c] * g[c];
      w[c] = w[c] - (o.learning_rate * g[c]) / (std::sqrt(a[c]) + o.epsilon);
    }
  }

  void operator()(const RowWiseAdagradOptions& o) const {
    double& a = *state(0);
    a = a + mean_square();
    const double rate = o.learning_rate / (std::sqrt(a) + o.epsilon);
    for (std::int64_t c = 0; c < dim; ++c) w[c] = w[c] - rate * g[c];
  }

  void operator()(const AdamOptions& o) const {
    double* const m = state(0);
    double* const v = state(1);
    const double step_size = o.learning_rate / (1 - step.beta1_power);
    const double correction = 1 / std::sqrt(1 - step.beta2_power);
    for (std::int64_t c = 0; c < dim; ++c) {
      m[c] = o.beta1 * m[c] + (1 - o.beta1) * g[c];
      v[c] = o.beta2 * v[c] + (1 - o.beta2) * (g[c] * g[c]);
      w[c] = w[c] - (step_size * m[c]) / (std::sqrt(v[c]) * correction + o.epsilon);
    }
  }

  void operator()(const PartialRowWiseAdamOptions& o) const {
    double* const m = state(0);
    double& v = *state(1);
    v = o.beta2 * v + (1 - o.beta2) * mean_square();
    const double correction = 1 / std::sqrt(1 - step.beta2_power);
    const double rate = (o.learning_rate / (1 - step.beta1_power)) / (std::sqrt(v) * correction + o.epsilon);
    for (std::int64_t c = 0; c < dim; ++c) {
      m[c] = o.beta1 * m[c] + (1 - o.beta1) * g[c];
      w[c] = w[c] - rate * m[c];
    }
  }
};

}  // namespace

void update_rows(const StepArgs& step, const TableView& weights, std::span<const std::int64_t> rows, double* sums,
                 std::int64_t threads) {
  const std::int64_t dim = weights.dim();
  const std::int64_t grain = rows_per_task(std::ssize(rows), dim * std::int64_t{sizeof(double)}, threads);
  parallel_chunks(threads, std::ssize(rows), grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t k = begin; k < end; ++k) {
      const std::int64_t row = rows[static_cast<std::size_t>(k)];
      const RowUpdate update{step, row, dim, row_of<double>(weights, row), sums + k * dim};
      std::visit([&](const auto& o) { update.run(o); }, step.options);
    }
  });
}

void renormalize_row(double* row, std::int64_t dim, double max_norm, NormType norm) {
  double found = 0;
  if (norm == NormType::infinity) {
    for (std::int64_t c = 0; c < dim; ++c) {
      const double x = std::fabs(row[c]);
      if (x > found || std::isnan(x)) found = x;
    }
  } else if (norm == NormType::one) {
    found = lane_sum(dim, [=](std::int64_t c) { return std::fabs(row[c]); });
  } else {
    found = std::sqrt(sum_of_squares(row, dim));
  }
  if (!(found > max_norm)) return;
  const double factor = max_norm / (found + 1e-7);
  for (std::int64_t c = 0; c < dim; ++c) row[c] = row[c] * factor;
}

}  // namespace rowmill::exact
