// SPDX-License-Identifier: Apache-2.0
// A whole step of an optimizer.
#include <algorithm>
#include <cmath>
#include <variant>

#include "kernels/reference/reference.hpp"

namespace rowmill::reference {
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

/// The update of one row in step t, by any optimizer.
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

/// The tables of a step, which may store values of 16 bits.
class StoredTables {
 public:
  StoredTables(const TableView& weights, const std::vector<TableView>& state, const StorageOptions& options,
               std::int64_t t)
      : storage_{.weights = {},
                 .rounding = options.rounding,
                 .overflow = options.overflow,
                 .first_row = options.first_row,
                 .first_column = options.first_column,
                 .step = static_cast<std::uint32_t>(t),
                 .overflowed = &overflowed_} {
    add(weights, options.stream);
    for (const TableView& table : state) {
      if (table.format() == Format::low16) {
        tables_[0].stored.low = table.bytes();
      } else {
        add(table, options.stream);
      }
    }
  }

  /// The weights, and then the states but for the lower halves of split weights.
  [[nodiscard]] std::size_t size() const { return tables_.size(); }
  [[nodiscard]] std::vector<float> load(std::size_t table, std::int64_t row) const {
    const auto& [stored, dim] = tables_[table];
    std::vector<float> values;
    for (std::int64_t c = 0; c < dim; ++c) values.push_back(load_stored(stored, row, c, dim));
    return values;
  }
  void store(std::size_t table, std::int64_t row, const std::vector<float>& values) const {
    const auto& [stored, dim] = tables_[table];
    for (std::int64_t c = 0; c < dim; ++c) {
      store_stored(stored, storage_, row, c, dim, values[static_cast<std::size_t>(c)]);
    }
  }

 private:
  struct Entry {
    StoredTable stored;
    std::int64_t dim;
  };

  void add(const TableView& table, RandomStream stream) {
    const auto first = static_cast<std::uint32_t>(RandomPurpose::round_weights);
    stream.purpose = static_cast<RandomPurpose>(first + static_cast<std::uint32_t>(tables_.size()));
    StoredTable stored{.data = table.bytes(), .stride = table.row_stride(), .format = table.format()};
    std::ranges::copy(stream_key(stream), stored.key);
    tables_.push_back({stored, table.dim()});
  }

  bool overflowed_ = false;
  StorageArgs storage_;
  std::vector<Entry> tables_;
};

}  // namespace

std::array<std::uint32_t, 2> stream_key(const RandomStream& stream) {
  std::uint64_t table = 0xCBF29CE484222325U;
  for (const char c : stream.name) table = (table ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  table ^= stream.stream;
  const auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
  const auto words = philox4x32_10({low(table), low(table >> 32), static_cast<std::uint32_t>(stream.purpose), 0},
                                   {low(stream.seed), low(stream.seed >> 32)});
  return {words[0], words[1]};
}

void optimizer_step(const OptimizerOptions& options, std::int64_t t, const TableView& weights,
                    const std::vector<TableView>& state, std::vector<RowGradient> gradients,
                    const StorageOptions& storage) {
  const std::int64_t dim = weights.dim();
  StoredTables tables(weights, state, storage, t);
  for (auto& [row, contributions, g] : gradients) {
    std::vector<std::vector<float>> rows;  // widened; they are rounded once, when all is computed
    for (std::size_t i = 0; i < tables.size(); ++i) rows.push_back(tables.load(i, row));
    std::vector<float*> state_rows;
    for (std::size_t i = 1; i < rows.size(); ++i) state_rows.push_back(rows[i].data());
    float* const w = rows[0].data();
    float* const sum = g.data();
    std::visit(
        [&](const auto& o) {
          const double factor =
              o.decay == WeightDecay::decoupled ? 1 - o.learning_rate * o.weight_decay : o.weight_decay;
          decay_row(w, sum, dim, o.decay, static_cast<float>(factor));
        },
        options);
    std::visit(RowUpdate{t, dim, w, state_rows, sum}, options);
    for (std::size_t i = 0; i < rows.size(); ++i) tables.store(i, row, rows[i]);
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
