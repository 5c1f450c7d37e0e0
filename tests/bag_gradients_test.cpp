// SPDX-License-Identifier: Apache-2.0
// The gradients of pooled lookups beside finite differences of the forward pass, written in double as one would on
// paper: neither the library nor its reference has a part in it.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "rowmill/plan.hpp"
#include "rowmill/pool.hpp"
#include "rowmill/sparse_gradient.hpp"
#include "tests/support/bag_matrix.hpp"

namespace rowmill::test {
namespace {

constexpr std::int64_t kDim = 3;
using Row = std::array<double, kDim>;

/// A batch and what its forward pass depends on.
class Model {
 public:
  explicit Model(const Case& of) : batch_(of), bags_(batch_.bags()), case_(of) {
    std::mt19937_64 random(41);
    const auto next = [&] { return static_cast<double>(random() >> 40) * 0x1p-23 - 1; };  // a float too
    table.resize(Batch::kRows);
    for (Row& row : table) std::ranges::generate(row, next);
    gradient.resize(static_cast<std::size_t>(bags_.size()));
    for (Row& row : gradient) std::ranges::generate(row, next);
    weights.assign(static_cast<std::size_t>(bags_.ids().size()), 1);
    if (of.has(Option::weights)) std::ranges::copy(batch_.weights(), weights.begin());
  }

  std::vector<Row> table;
  std::vector<double> weights;
  std::vector<Row> gradient;

  [[nodiscard]] const Bags& bags() const { return bags_; }

  /// The row of an id that counts; none for one that is dropped.
  [[nodiscard]] std::optional<Row> row_of(std::int64_t id) const {
    const auto padding = batch_.padding();
    if (id == padding) return std::nullopt;
    const bool inside = id >= 0 && id < Batch::kRows;
    if (!inside && case_.policy() == OutOfRange::skip) return std::nullopt;
    if (!inside && case_.policy() == OutOfRange::zero) return Row{};
    if (!inside && case_.policy() == OutOfRange::clip) id = id < 0 ? 0 : Batch::kRows - 1;
    if (!inside && case_.policy() == OutOfRange::wrap_negative) id += Batch::kRows;
    if (id == padding) return std::nullopt;
    return table[static_cast<std::size_t>(id)];
  }

  [[nodiscard]] double divisor(std::int64_t b) const {
    double count = 0;
    double sum = 0;
    double squares = 0;
    for (std::int64_t i = bags_.begin(b); i < bags_.begin(b + 1); ++i) {
      if (!row_of(bags_.ids()[i])) continue;
      const double w = weights[static_cast<std::size_t>(i)];
      count += 1;
      sum += w;
      squares += w * w;
    }
    const bool by_weights = case_.divisor() == Divisor::weights && case_.has(Option::weights);
    if (case_.pooling() == Pooling::mean) return by_weights ? sum : count;
    if (case_.pooling() == Pooling::sqrtn) return std::sqrt(by_weights ? squares : count);
    return 1;
  }

  [[nodiscard]] Row pooled(std::int64_t b) const {
    std::optional<Row> pooled;
    for (std::int64_t i = bags_.begin(b); i < bags_.begin(b + 1); ++i) {
      const std::optional<Row> row = row_of(bags_.ids()[i]);
      if (!row) continue;
      const bool first = !pooled;
      if (first) pooled = Row{};
      for (std::size_t c = 0; c < kDim; ++c) {
        const double term = weights[static_cast<std::size_t>(i)] * (*row)[c];
        double& x = (*pooled)[c];
        x = first ? term : case_.pooling() == Pooling::max ? std::max(x, term) : x + term;
      }
    }
    const double by = divisor(b);
    if (!pooled || std::abs(by) < kZero) return {};
    for (double& x : *pooled) x /= by;
    return *pooled;
  }

  /// What the gradient is of: the sum of gradient * output.
  [[nodiscard]] double loss() const {
    double loss = 0;
    for (std::int64_t b = 0; b < bags_.size(); ++b) {
      const Row row = pooled(b);
      loss += std::inner_product(row.begin(), row.end(), gradient[static_cast<std::size_t>(b)].begin(), 0.0);
    }
    return loss;
  }

  [[nodiscard]] double slope(double& x) const {
    constexpr double kStep = 1e-6;
    const double before = x;
    x = before + kStep;
    const double above = loss();
    x = before - kStep;
    const double below = loss();
    x = before;
    return (above - below) / (2 * kStep);
  }

  static constexpr double kZero = 1e-12;  // what a divisor that cancels may be

 private:
  Batch batch_;
  Bags bags_;
  Case case_;
};

std::vector<float> floats(const std::vector<Row>& rows) {
  std::vector<float> result;
  for (const Row& row : rows) {
    for (const double x : row) result.push_back(static_cast<float>(x));
  }
  return result;
}

testing::AssertionResult near(double actual, double wanted) {
  if (std::abs(actual - wanted) <= 2e-5 * (1 + std::abs(wanted))) return testing::AssertionSuccess();
  return testing::AssertionFailure() << actual << " instead of " << wanted;
}

class Walk {
 public:
  explicit Walk(const Case& of) : case_(of), model_(of) {}

  void check() {
    const std::vector<float> values = floats(model_.table);
    const ConstTableView table(values.data(), Batch::kRows, kDim);
    const std::int64_t bags = model_.bags().size();
    std::vector<float> out(static_cast<std::size_t>(bags * kDim));
    pool(table, model_.bags(), TableView(out.data(), bags, kDim), case_.pool_options());
    for (std::int64_t b = 0; b < bags; ++b) {
      const Row wanted = model_.pooled(b);
      for (std::size_t c = 0; c < kDim; ++c) {
        EXPECT_TRUE(near(out[static_cast<std::size_t>(b * kDim) + c], wanted[c])) << case_.text() << "bag " << b;
      }
    }
    const std::vector<float> gradients = floats(model_.gradient);
    const ConstTableView gradient(gradients.data(), bags, kDim);
    check_rows(table, gradient);
    check_weights(table, gradient);
  }

 private:
  void check_rows(const ConstTableView& table, const ConstTableView& gradient) {
    std::vector<std::int32_t> winners;
    if (case_.pooling() == Pooling::max) {
      winners.resize(static_cast<std::size_t>(gradient.rows() * kDim));
      find_winners(table, model_.bags(), winners, case_.pool_options());
    }
    const Plan plan(
        model_.bags(), Batch::kRows,
        {.out_of_range = case_.policy(), .pooling = case_.pooling(), .divisor = case_.divisor(), .winners = winners});
    std::vector<float> dense(static_cast<std::size_t>(Batch::kRows * kDim), 77.0F);
    dense_gradient(plan, std::span(&gradient, 1), TableView(dense.data(), Batch::kRows, kDim));
    for (std::size_t r = 0; r < model_.table.size(); ++r) {
      for (std::size_t c = 0; c < kDim; ++c) {
        EXPECT_TRUE(near(dense[r * kDim + c], model_.slope(model_.table[r][c]))) << case_.text() << "row " << r;
      }
    }
  }

  void check_weights(const ConstTableView& table, const ConstTableView& gradient) {
    // Where ids repeat, the maximum of equal terms has no slope.
    if (case_.pooling() == Pooling::max && !case_.has(Option::weights)) return;
    std::vector<float> slopes(model_.weights.size(), 77.0F);
    pool_weight_gradients(table, model_.bags(), gradient, slopes, case_.pool_options());
    for (std::size_t i = 0; i < slopes.size(); ++i) {
      const std::int64_t bag = model_.bags().bag_of(static_cast<std::int64_t>(i));
      const bool cancels = std::abs(model_.divisor(bag)) < Model::kZero;
      const double wanted = cancels ? 0 : model_.slope(model_.weights[i]);
      EXPECT_TRUE(near(slopes[i], wanted)) << case_.text() << "position " << i;
    }
  }

  Case case_;
  Model model_;
};

TEST(BagGradients, EqualFiniteDifferences) {
  const Product product = {Option::pooling, Option::divisor, Option::weights, Option::padding, Option::policy};
  for (std::int64_t i = 0; i < product.size(); ++i) {
    if (!product[i].has_wrong_divisor()) Walk(product[i]).check();
  }
}

}  // namespace
}  // namespace rowmill::test
