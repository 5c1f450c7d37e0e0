// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <map>

#include "kernels/random/philox.hpp"
#include "kernels/reference/reference.hpp"

namespace rowmill::reference {

std::int64_t resolve(std::int64_t id, std::int64_t rows, OutOfRange policy) {
  switch (policy) {
    case OutOfRange::clip:
      return id < 0 ? 0 : id >= rows ? rows - 1 : id;
    case OutOfRange::zero:
      return id < 0 || id >= rows ? kIgnored : id;
    case OutOfRange::wrap_negative:
      return id < 0 ? id + rows : id;
    case OutOfRange::error:
      break;
  }
  return id;
}

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

void gather(const ConstTableView& table, Ids ids, const TableView& out, OutOfRange policy) {
  for (std::int64_t i = 0; i < ids.size(); ++i) {
    const std::int64_t row = resolve(ids[i], table.rows(), policy);
    for (std::size_t c = 0; c < static_cast<std::size_t>(table.dim()); ++c) {
      out.row(i)[c] = row == kIgnored ? 0.0F : table.row(row)[c];
    }
  }
}

void scatter_add(const TableView& table, Ids ids, const ConstTableView& values, OutOfRange policy) {
  for (std::int64_t i = 0; i < ids.size(); ++i) {
    const std::int64_t row = resolve(ids[i], table.rows(), policy);
    if (row == kIgnored) continue;
    for (std::size_t c = 0; c < static_cast<std::size_t>(table.dim()); ++c) table.row(row)[c] += values.row(i)[c];
  }
}

namespace {

double power(double base, std::int64_t exponent) {
  double result = 1;
  for (std::int64_t i = 0; i < exponent; ++i) result *= base;
  return result;
}

struct RowUpdate {
  std::int64_t t, dim;
  float* w;
  std::vector<float*> state;
  const float* g;

  void operator()(const SgdOptions& o) const { sgd_row(w, g, dim, static_cast<float>(o.learning_rate)); }

  void operator()(const AdagradOptions& o) const {
    adagrad_row(w, state[0], g, dim, static_cast<float>(o.learning_rate), static_cast<float>(o.epsilon));
  }

  void operator()(const AdamOptions& o) const {
    const AdamScalars scalars{
        .beta1 = static_cast<float>(o.beta1),
        .one_minus_beta1 = static_cast<float>(1 - o.beta1),
        .beta2 = static_cast<float>(o.beta2),
        .one_minus_beta2 = static_cast<float>(1 - o.beta2),
        .step_size = static_cast<float>(o.learning_rate / (1 - power(o.beta1, t))),
        .inverse_sqrt_bc2 = static_cast<float>(1 / std::sqrt(1 - power(o.beta2, t))),
        .epsilon = static_cast<float>(o.epsilon),
    };
    adam_row(w, state[0], state[1], g, dim, scalars);
  }
};

}  // namespace

void optimizer_step(const OptimizerOptions& options, std::int64_t t, const TableView& weights,
                    const std::vector<TableView>& state, Ids ids, OutOfRange policy, const ConstTableView& gradient) {
  std::map<std::int64_t, std::vector<const float*>> contributions;
  for (std::int64_t i = 0; i < ids.size(); ++i) {
    const std::int64_t row = resolve(ids[i], weights.rows(), policy);
    if (row != kIgnored) contributions[row].push_back(gradient.row(i).data());
  }
  for (const auto& [row, terms] : contributions) {
    const std::vector<float> g = sum_in_blocks(terms, weights.dim());
    std::vector<float*> state_rows;
    for (const TableView& table : state) state_rows.push_back(table.row(row).data());
    std::visit(RowUpdate{t, weights.dim(), weights.row(row).data(), state_rows, g.data()}, options);
  }
}

}  // namespace rowmill::reference
