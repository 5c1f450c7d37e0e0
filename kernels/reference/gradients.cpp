// SPDX-License-Identifier: Apache-2.0
// The gradients of rows: sums of contributions, and what GradientOptions do to them.
#include <algorithm>
#include <cmath>
#include <map>

#include "kernels/reference/reference.hpp"

namespace rowmill::reference {
namespace {

using Values = std::vector<float>;

/// The contributions of each row that a batch touches, in the order of the positions.
class Contributions {
 public:
  explicit Contributions(std::int64_t dim) : dim_(dim) {}

  void add(std::int64_t row, Values contribution) {
    if (of_.find(row) == of_.end()) rows_.push_back(row);
    of_[row].push_back(std::move(contribution));
  }
  [[nodiscard]] std::vector<RowGradient> sums() const {
    std::vector<RowGradient> sums;
    for (const std::int64_t row : rows_) {
      std::vector<const float*> terms;
      for (const Values& term : of_.at(row)) terms.push_back(term.data());
      sums.push_back({row, static_cast<std::int64_t>(terms.size()), sum_in_blocks(terms, dim_)});
    }
    return sums;
  }

 private:
  std::int64_t dim_;
  std::vector<std::int64_t> rows_;  // in order of first occurrence
  std::map<std::int64_t, std::vector<Values>> of_;
};

float sum_in_order(const std::vector<float>& values) {
  float sum = values[0];
  for (std::size_t i = 1; i < values.size(); ++i) sum += values[i];
  return sum;
}

/// The norm of all rows together: squares in blocks of 1,024 rows, block sums then in order.
float global_norm(const std::vector<RowGradient>& gradients) {
  constexpr std::size_t kBlock = 1024;
  std::vector<float> block_sums;
  for (std::size_t begin = 0; begin < gradients.size(); begin += kBlock) {
    std::vector<float> squares;
    for (std::size_t k = begin; k < std::min(begin + kBlock, gradients.size()); ++k) {
      squares.push_back(sum_of_squares(gradients[k].g.data(), std::ssize(gradients[k].g)));
    }
    block_sums.push_back(sum_in_order(squares));
  }
  return std::sqrt(sum_in_order(block_sums));
}

/// Scales rows with this norm down to the limit.
void clip(Values& g, float norm, double limit) {
  const auto most = static_cast<float>(limit);
  if (norm > most) scale_row(g.data(), std::ssize(g), most / norm);
}

}  // namespace

std::vector<float> sum_in_blocks(const std::vector<const float*>& contributions, std::int64_t dim) {
  constexpr std::size_t kBlock = 1024;
  std::vector<float> total;
  for (std::size_t begin = 0; begin < contributions.size(); begin += kBlock) {
    const std::size_t end = std::min(begin + kBlock, contributions.size());
    std::vector<float> sum(contributions[begin], contributions[begin] + dim);
    for (std::size_t k = begin + 1; k < end; ++k) {
      for (std::int64_t c = 0; c < dim; ++c) sum[static_cast<std::size_t>(c)] += contributions[k][c];
    }
    if (begin == 0) {
      total = sum;
    } else {
      for (std::size_t c = 0; c < total.size(); ++c) total[c] += sum[c];
    }
  }
  return total;
}

std::vector<RowGradient> row_gradients(Ids ids, std::int64_t rows, OutOfRange policy,
                                       std::optional<std::int64_t> padding_id, const ConstTableView& gradient) {
  // As bags of one id each.
  Bags bags(ids, ids.size(), 1);
  if (padding_id) bags = bags.with_padding(*padding_id);
  return row_gradients(bags, rows, {.out_of_range = policy}, {}, gradient);
}

std::vector<RowGradient> row_gradients(const Bags& bags, std::int64_t rows, const PoolOptions& options,
                                       std::span<const std::int32_t> winners, const ConstTableView& gradient) {
  const std::int64_t dim = gradient.dim();
  Contributions contributions(dim);
  for (std::int64_t b = 0; b < bags.size(); ++b) {
    for (std::int64_t i = bags.begin(b); i < bags.begin(b + 1); ++i) {
      const std::int64_t row = row_at(bags, i, rows, options.out_of_range);
      if (row == kDropped || row == kZeroRow) continue;
      const float scale = coefficient(bags, b, i, rows, options);
      Values x;
      for (std::int64_t c = 0; c < dim; ++c) x.push_back(load(gradient, b, c));
      for (std::size_t c = 0; c < x.size(); ++c) {
        const bool lost =
            options.pooling == Pooling::max && winners[static_cast<std::size_t>(b * dim) + c] != i - bags.begin(b);
        x[c] = lost ? 0.0F : scale * x[c];
      }
      contributions.add(row, std::move(x));
    }
  }
  return contributions.sums();
}

bool apply(const GradientOptions& options, std::vector<RowGradient>& gradients) {
  for (auto& [row, count, g] : gradients) {
    if (options.scale_grad_by_freq) {
      for (float& x : g) x = x / static_cast<float>(count);
    }
  }
  for (const RowGradient& gradient : gradients) {
    const bool finite = std::ranges::all_of(gradient.g, [](float x) { return std::isfinite(x); });
    if (options.skip_nonfinite && !finite) return false;
  }
  for (auto& [row, count, g] : gradients) {
    if (options.clip_value) {
      const auto most = static_cast<float>(*options.clip_value);
      for (float& x : g) x = x > most ? most : x < -most ? -most : x;
    }
    if (options.clip_row_norm) clip(g, std::sqrt(sum_of_squares(g.data(), std::ssize(g))), *options.clip_row_norm);
  }
  if (options.clip_global_norm && !gradients.empty()) {
    const float norm = global_norm(gradients);
    for (RowGradient& gradient : gradients) clip(gradient.g, norm, *options.clip_global_norm);
  }
  return true;
}

}  // namespace rowmill::reference
