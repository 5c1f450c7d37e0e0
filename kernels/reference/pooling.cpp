// SPDX-License-Identifier: Apache-2.0
// Whole operations on bags, forward and backward.
#include <algorithm>
#include <cmath>

#include "kernels/reference/reference.hpp"
#include "kernels/reference/word_vectors.hpp"

namespace rowmill::reference {
namespace {

/// A position of a bag that counts.
struct Position {
  std::int64_t i;
  std::int64_t row;  // kZeroRow stands for a row of +0
  float weight;      // 1 where bags have none
};

std::vector<Position> positions_of(const Bags& bags, std::int64_t b, std::int64_t rows, OutOfRange policy) {
  std::vector<Position> positions;
  for (std::int64_t i = bags.begin(b); i < bags.begin(b + 1); ++i) {
    const std::int64_t row = row_at(bags, i, rows, policy);
    if (row == kDropped) continue;
    positions.push_back({i, row, bags.has_weights() ? bags.weights()[static_cast<std::size_t>(i)] : 1.0F});
  }
  return positions;
}

float element(const ConstTableView& table, const Position& p, std::int64_t c) {
  return p.row == kZeroRow ? 0.0F : load(table, p.row, c);
}

/// The term of a position in its bag: a row.
std::vector<float> terms(const ConstTableView& table, const Position& p) {
  std::vector<float> row;
  for (std::int64_t c = 0; c < table.dim(); ++c) row.push_back(p.weight * element(table, p, c));
  return row;
}

/// term(p) of all positions, summed in order from the first; +0 if there is none.
float sum(const std::vector<Position>& positions, auto term) {
  float sum = 0;
  for (std::size_t k = 0; k < positions.size(); ++k) {
    const float x = term(positions[k]);
    sum = k == 0 ? x : sum + x;
  }
  return sum;
}

/// Whether a max takes `later` after `best`: if it is larger, or the first NaN.
bool takes(float later, float best) { return later > best || (std::isnan(later) && !std::isnan(best)); }

/// Column by column, the largest term and the position that gives it. There is at least one position.
struct Maximum {
  std::vector<float> terms;
  std::vector<Position> winners;
};

Maximum maximum(const ConstTableView& table, const std::vector<Position>& positions) {
  Maximum best = {terms(table, positions[0]), {static_cast<std::size_t>(table.dim()), positions[0]}};
  for (const Position& p : positions) {
    const std::vector<float> later = terms(table, p);
    for (std::size_t c = 0; c < later.size(); ++c) {
      if (!takes(later[c], best.terms[c])) continue;
      best.terms[c] = later[c];
      best.winners[c] = p;
    }
  }
  return best;
}

/// The terms of a bag, summed in order from the first. There is at least one position.
std::vector<float> sum_of_terms(const ConstTableView& table, const std::vector<Position>& positions) {
  std::vector<float> sum = terms(table, positions[0]);
  for (std::size_t k = 1; k < positions.size(); ++k) {
    const std::vector<float> later = terms(table, positions[k]);
    for (std::size_t c = 0; c < sum.size(); ++c) sum[c] += later[c];
  }
  return sum;
}

/// Whether the sum of a bag is divided.
bool divides(const PoolOptions& options) {
  return options.pooling == Pooling::mean || options.pooling == Pooling::sqrtn;
}

/// Whether it is divided by a sum of the bag's weights, or of their squares.
bool divides_by_weights(const Bags& bags, const PoolOptions& options) {
  return divides(options) && options.divisor == Divisor::weights && bags.has_weights();
}

/// The gradient of one weight, from d = dot(gradient of the bag, row), and total = the sum of weight x d.
float weight_gradient(float d, float weight, float total, float factor, const Bags& bags, const PoolOptions& options) {
  if (!divides(options)) return d;
  if (factor == 0) return 0;
  if (!divides_by_weights(bags, options)) return factor * d;
  if (options.pooling == Pooling::mean) return (d - total * factor) * factor;
  return (d - (weight * factor) * (total * factor)) * factor;
}

}  // namespace

std::int64_t row_at(const Bags& bags, std::int64_t i, std::int64_t rows, OutOfRange policy) {
  const std::int64_t id = bags.ids()[i];
  if (id == bags.padding_id()) return kDropped;  // before the range: padding need not be a row
  const std::int64_t row = resolve(id, rows, policy);
  if (row == kIgnored) return policy == OutOfRange::zero ? kZeroRow : kDropped;
  return row == bags.padding_id() ? kDropped : row;
}

float divisor(const Bags& bags, std::int64_t b, std::int64_t rows, const PoolOptions& options) {
  const auto positions = positions_of(bags, b, rows, options.out_of_range);
  const bool root = options.pooling == Pooling::sqrtn;
  const float total = divides_by_weights(bags, options)
                          ? sum(positions, [&](const Position& p) { return root ? p.weight * p.weight : p.weight; })
                          : static_cast<float>(positions.size());
  return root ? std::sqrt(total) : total;
}

float factor(const Bags& bags, std::int64_t b, std::int64_t rows, const PoolOptions& options) {
  if (!divides(options)) return 1;
  const float by = divisor(bags, b, rows, options);
  return by == 0 ? 0 : 1 / by;
}

float coefficient(const Bags& bags, std::int64_t b, std::int64_t i, std::int64_t rows, const PoolOptions& options) {
  const float f = factor(bags, b, rows, options);
  if (f == 0) return 0;
  return bags.has_weights() ? bags.weights()[static_cast<std::size_t>(i)] * f : f;
}

void pool(const ConstTableView& table, const Bags& bags, const TableView& out, const PoolOptions& options) {
  for (std::int64_t b = 0; b < bags.size(); ++b) {
    const auto positions = positions_of(bags, b, table.rows(), options.out_of_range);
    const float by = divides(options) ? divisor(bags, b, table.rows(), options) : 1;
    std::vector<float> row(static_cast<std::size_t>(table.dim()));
    if (!positions.empty() && by != 0) {
      row = options.pooling == Pooling::max ? maximum(table, positions).terms : sum_of_terms(table, positions);
    }
    for (std::int64_t c = 0; c < table.dim(); ++c) {
      store(out, b, c, by == 0 ? 0 : row[static_cast<std::size_t>(c)] / by);
    }
  }
}

void find_winners(const ConstTableView& table, const Bags& bags, std::span<std::int32_t> winners,
                  const PoolOptions& options) {
  for (std::int64_t b = 0; b < bags.size(); ++b) {
    const auto positions = positions_of(bags, b, table.rows(), options.out_of_range);
    const std::span<std::int32_t> row =
        winners.subspan(static_cast<std::size_t>(b * table.dim()), static_cast<std::size_t>(table.dim()));
    std::ranges::fill(row, -1);
    if (positions.empty()) continue;
    const Maximum best = maximum(table, positions);
    for (std::size_t c = 0; c < row.size(); ++c) {
      const Position& p = best.winners[c];
      if (p.row != kZeroRow) row[c] = static_cast<std::int32_t>(p.i - bags.begin(b));
    }
  }
}

void pool_weight_gradients(const ConstTableView& table, const Bags& bags, const ConstTableView& gradient,
                           std::span<float> out, const PoolOptions& options) {
  const std::int64_t dim = table.dim();
  std::vector<std::int32_t> winners(static_cast<std::size_t>(bags.size() * dim));
  if (options.pooling == Pooling::max) reference::find_winners(table, bags, winners, options);
  std::vector<float> dots(out.size());
  for (std::int64_t b = 0; b < bags.size(); ++b) {
    const auto positions = positions_of(bags, b, table.rows(), options.out_of_range);
    for (const Position& p : positions) {
      std::vector<float> g(static_cast<std::size_t>(dim));
      std::vector<float> x(static_cast<std::size_t>(dim));
      for (std::int64_t c = 0; c < dim; ++c) {
        const bool lost =
            options.pooling == Pooling::max && winners[static_cast<std::size_t>(b * dim + c)] != p.i - bags.begin(b);
        if (lost) continue;  // +0 times +0
        g[static_cast<std::size_t>(c)] = load(gradient, b, c);
        x[static_cast<std::size_t>(c)] = element(table, p, c);
      }
      dots[static_cast<std::size_t>(p.i)] = dot(g.data(), x.data(), dim);
    }
    const auto dot_of = [&](const Position& p) { return dots[static_cast<std::size_t>(p.i)]; };
    const float total = sum(positions, [&](const Position& p) { return p.weight * dot_of(p); });
    const float f = factor(bags, b, table.rows(), options);
    for (std::int64_t i = bags.begin(b); i < bags.begin(b + 1); ++i) out[static_cast<std::size_t>(i)] = 0;
    for (const Position& p : positions) {
      out[static_cast<std::size_t>(p.i)] = weight_gradient(dot_of(p), p.weight, total, f, bags, options);
    }
  }
}

}  // namespace rowmill::reference
