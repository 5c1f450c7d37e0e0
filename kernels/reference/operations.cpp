// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <set>

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
  const std::int64_t row_bytes = view.row_stride() * element_size(view.format());
  return load(view.format(), static_cast<const std::byte*>(view.bytes()) + r * row_bytes, view.dim(), c);
}

void store(const TableView& view, std::int64_t r, std::int64_t c, float x) {
  const std::int64_t row_bytes = view.row_stride() * element_size(view.format());
  store(view.format(), static_cast<std::byte*>(view.bytes()) + r * row_bytes, c, x);
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
    } else if (table.format() == Format::bf16) {
      renormalize_row(table.row<Bf16>(row).data(), table.dim(), max_norm, norm);
    } else {
      renormalize_row(table.row<F16>(row).data(), table.dim(), max_norm, norm);
    }
  }
}

namespace {

/// As include/rowmill/random.hpp says.
std::array<std::uint32_t, 2> key_of(const RandomStream& stream) {
  std::uint64_t table = 0xCBF29CE484222325U;
  for (const char c : stream.name) table = (table ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  table ^= stream.stream;
  const auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
  const auto words = philox4x32_10({low(table), low(table >> 32), static_cast<std::uint32_t>(stream.purpose), 0},
                                   {low(stream.seed), low(stream.seed >> 32)});
  return {words[0], words[1]};
}

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
                    const std::vector<TableView>& state, std::vector<RowGradient> gradients,
                    const StorageOptions& options_of_storage) {
  const std::int64_t dim = weights.dim();
  StorageArgs storage{.weights = {},
                      .rounding = options_of_storage.rounding,
                      .overflow = options_of_storage.overflow,
                      .first_row = options_of_storage.first_row,
                      .first_column = options_of_storage.first_column,
                      .step = static_cast<std::uint32_t>(t),
                      .overflowed = nullptr};
  const auto stored = [&](const TableView& table, std::uint32_t number) {
    StoredTable result{.data = table.bytes(), .stride = table.row_stride(), .format = table.format()};
    RandomStream stream = options_of_storage.stream;
    stream.purpose = static_cast<RandomPurpose>(static_cast<std::uint32_t>(RandomPurpose::round_weights) + number);
    std::ranges::copy(key_of(stream), result.key);
    return result;
  };
  bool overflowed = false;
  storage.overflowed = &overflowed;
  StoredTable of_weights = stored(weights, 0);
  std::vector<StoredTable> of_state;
  for (const TableView& table : state) {
    if (table.format() == Format::low16) {
      of_weights.low = table.bytes();
    } else {
      of_state.push_back(stored(table, static_cast<std::uint32_t>(of_state.size()) + 1));
    }
  }
  const auto load_row = [&](const StoredTable& table, std::int64_t row, std::int64_t columns) {
    std::vector<float> values;
    for (std::int64_t c = 0; c < columns; ++c) values.push_back(load_stored(table, row, c, columns));
    return values;
  };
  const auto store_row = [&](const StoredTable& table, std::int64_t row, const std::vector<float>& values) {
    for (std::size_t c = 0; c < values.size(); ++c) {
      store_stored(table, storage, row, static_cast<std::int64_t>(c), std::ssize(values), values[c]);
    }
  };
  for (auto& [row, contributions, g] : gradients) {
    std::vector<float> widened = load_row(of_weights, row, dim);  // rounded once, when all is computed
    float* const summed = g.data();
    std::visit(
        [&](const auto& o) {
          const double factor =
              o.decay == WeightDecay::decoupled ? 1 - o.learning_rate * o.weight_decay : o.weight_decay;
          decay_row(widened.data(), summed, dim, o.decay, static_cast<float>(factor));
        },
        options);
    std::vector<std::vector<float>> state_values;
    std::vector<float*> state_rows;
    for (std::size_t i = 0; i < of_state.size(); ++i) {
      state_values.push_back(load_row(of_state[i], row, state[i].dim()));
      state_rows.push_back(state_values.back().data());
    }
    std::visit(RowUpdate{t, dim, widened.data(), state_rows, summed}, options);
    store_row(of_weights, row, widened);
    for (std::size_t i = 0; i < of_state.size(); ++i) store_row(of_state[i], row, state_values[i]);
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
