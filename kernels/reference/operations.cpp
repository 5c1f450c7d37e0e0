// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <set>

#include "kernels/random/philox.hpp"
#include "kernels/reference/reference.hpp"

namespace rowmill::reference {

std::int64_t resolve(std::int64_t id, std::int64_t rows, OutOfRange policy) {
  switch (policy) {
    case OutOfRange::clip:
      return id < 0 ? 0 : id >= rows ? rows - 1 : id;
    case OutOfRange::zero:
    case OutOfRange::skip:
      return id < 0 || id >= rows ? kIgnored : id;
    case OutOfRange::wrap_negative:
      return id < 0 ? id + rows : id;
    case OutOfRange::error:
      break;
  }
  return id;
}

float load(const ConstTableView& view, std::int64_t r, std::int64_t c) {
  const auto column = static_cast<std::size_t>(c);
  if (is_quantized(view.format())) {
    const auto* const row = static_cast<const std::uint8_t*>(view.bytes()) + r * view.row_stride();
    return dequantize(view.format(), row, view.dim(), c);
  }
  return view.format() == Format::f32 ? view.row(r)[column] : static_cast<float>(view.row<Bf16>(r)[column]);
}

void store(const TableView& view, std::int64_t r, std::int64_t c, float x) {
  const auto column = static_cast<std::size_t>(c);
  if (view.format() == Format::f32) {
    view.row(r)[column] = x;
  } else {
    view.row<Bf16>(r)[column] = Bf16(x);
  }
}

void gather(const ConstTableView& table, Ids ids, const TableView& out, OutOfRange policy) {
  for (std::int64_t i = 0; i < ids.size(); ++i) {
    const std::int64_t row = resolve(ids[i], table.rows(), policy);
    for (std::int64_t c = 0; c < table.dim(); ++c) store(out, i, c, row == kIgnored ? 0.0F : load(table, row, c));
  }
}

void convert(const ConstTableView& from, const TableView& to) {
  for (std::int64_t r = 0; r < from.rows(); ++r) {
    if (from.format() == to.format()) {
      const std::int64_t size = element_size(from.format());
      const auto* const in = static_cast<const std::byte*>(from.bytes()) + r * from.row_stride() * size;
      std::copy(in, in + row_elements(from.format(), from.dim()) * size,
                static_cast<std::byte*>(to.bytes()) + r * to.row_stride() * size);
    } else if (is_quantized(to.format())) {
      std::vector<float> row;
      for (std::int64_t c = 0; c < from.dim(); ++c) row.push_back(load(from, r, c));
      quantize_row(to.format(), row.data(), from.dim(), static_cast<std::uint8_t*>(to.bytes()) + r * to.row_stride());
    } else {
      for (std::int64_t c = 0; c < from.dim(); ++c) store(to, r, c, load(from, r, c));
    }
  }
}

void scatter_add(const TableView& table, Ids ids, const ConstTableView& values, OutOfRange policy) {
  for (std::int64_t i = 0; i < ids.size(); ++i) {
    const std::int64_t row = resolve(ids[i], table.rows(), policy);
    if (row == kIgnored) continue;
    for (std::int64_t c = 0; c < table.dim(); ++c) store(table, row, c, load(table, row, c) + load(values, i, c));
  }
}

void renormalize(const TableView& table, Ids ids, float max_norm, NormType norm, OutOfRange policy,
                 std::optional<std::int64_t> padding_id) {
  std::set<std::int64_t> rows;
  for (std::int64_t i = 0; i < ids.size(); ++i) {
    if (ids[i] == padding_id) continue;
    const std::int64_t row = resolve(ids[i], table.rows(), policy);
    if (row != kIgnored && row != padding_id) rows.insert(row);
  }
  for (const std::int64_t row : rows) {
    if (table.format() == Format::f32) {
      renormalize_row(table.row(row).data(), table.dim(), max_norm, norm);
    } else {
      renormalize_row(table.row<Bf16>(row).data(), table.dim(), max_norm, norm);
    }
  }
}

namespace {

double power(double base, std::int64_t exponent) {
  double result = 1;
  for (std::int64_t i = 0; i < exponent; ++i) result *= base;
  return result;
}

AdamScalars adam_scalars(const auto& o, std::int64_t t) {
  return {
      .beta1 = static_cast<float>(o.beta1),
      .one_minus_beta1 = static_cast<float>(1 - o.beta1),
      .beta2 = static_cast<float>(o.beta2),
      .one_minus_beta2 = static_cast<float>(1 - o.beta2),
      .step_size = static_cast<float>(o.learning_rate / (1 - power(o.beta1, t))),
      .inverse_sqrt_bc2 = static_cast<float>(1 / std::sqrt(1 - power(o.beta2, t))),
      .epsilon = static_cast<float>(o.epsilon),
  };
}

struct RowUpdate {
  std::int64_t t, dim;
  float* w;
  std::vector<float*> state;
  float* g;

  void operator()(const SgdOptions& o) const {
    const auto lr = static_cast<float>(o.learning_rate);
    if (state.empty()) return sgd_row(w, g, dim, lr);
    sgd_momentum_row(w, state[0], g, dim, lr, static_cast<float>(o.momentum), o.nesterov);
  }
  void operator()(const AdagradOptions& o) const {
    adagrad_row(w, state[0], g, dim, static_cast<float>(o.learning_rate), static_cast<float>(o.epsilon));
  }
  void operator()(const RowWiseAdagradOptions& o) const {
    row_wise_adagrad_row(w, state[0], g, dim, static_cast<float>(o.learning_rate), static_cast<float>(o.epsilon));
  }
  void operator()(const AdamOptions& o) const { adam_row(w, state[0], state[1], g, dim, adam_scalars(o, t)); }
  void operator()(const PartialRowWiseAdamOptions& o) const {
    partial_row_wise_adam_row(w, state[0], state[1], g, dim, adam_scalars(o, t));
  }
};

}  // namespace

void optimizer_step(const OptimizerOptions& options, std::int64_t t, const TableView& weights,
                    const std::vector<TableView>& state, std::vector<RowGradient> gradients) {
  for (auto& [row, contributions, g] : gradients) {
    std::vector<float> widened(g.size());  // rounded once, when all is computed
    for (std::int64_t c = 0; c < weights.dim(); ++c) widened[static_cast<std::size_t>(c)] = load(weights, row, c);
    float* const w = widened.data();
    float* const summed = g.data();
    std::visit(
        [&](const auto& o) {
          const double factor =
              o.decay == WeightDecay::decoupled ? 1 - o.learning_rate * o.weight_decay : o.weight_decay;
          decay_row(w, summed, weights.dim(), o.decay, static_cast<float>(factor));
        },
        options);
    std::vector<float*> state_rows;
    for (const TableView& table : state) state_rows.push_back(table.row(row).data());
    std::visit(RowUpdate{t, weights.dim(), w, state_rows, summed}, options);
    for (std::int64_t c = 0; c < weights.dim(); ++c) store(weights, row, c, widened[static_cast<std::size_t>(c)]);
  }
}

void optimizer_step(const OptimizerOptions& options, std::int64_t t, const TableView& weights,
                    const std::vector<TableView>& state, Ids ids, OutOfRange policy, const ConstTableView& gradient) {
  optimizer_step(options, t, weights, state, row_gradients(ids, weights.rows(), policy, {}, gradient));
}

void optimizer_step(const OptimizerOptions& options, std::int64_t t, const TableView& weights,
                    const std::vector<TableView>& state, const Bags& bags, OutOfRange policy,
                    const ConstTableView& gradient) {
  optimizer_step(options, t, weights, state,
                 row_gradients(bags, weights.rows(), {.out_of_range = policy}, {}, gradient));
}

}  // namespace rowmill::reference
