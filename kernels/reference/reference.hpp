// SPDX-License-Identifier: Apache-2.0
// The scalar reference: what every operation means, written to be read. The leaf kernels of the `scalar` instruction
// set (kernels.cpp) are made of the row functions below; whole operations (operations.cpp) are what the tests compare
// with.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "kernels/kernel_list.hpp"
#include "rowmill/bags.hpp"
#include "rowmill/format.hpp"
#include "rowmill/gradient_options.hpp"
#include "rowmill/ids.hpp"
#include "rowmill/norm_type.hpp"
#include "rowmill/optimizer.hpp"
#include "rowmill/pool.hpp"
#include "rowmill/random.hpp"
#include "rowmill/table_view.hpp"

namespace rowmill::reference {

/// The row that an id means under a policy: 0 .. rows-1, or kIgnored. Ids that the policy forbids must not come here.
inline constexpr std::int64_t kIgnored = -1;
std::int64_t resolve(std::int64_t id, std::int64_t rows, OutOfRange policy);

/// Column c of a row of `dim` columns, as a float. `store` rounds x once to f32, bf16 or f16.
float load(Format format, const void* row, std::int64_t dim, std::int64_t c);
void store(Format format, void* row, std::int64_t c, float x);
/// The same for row r of a table.
float load(const ConstTableView& view, std::int64_t r, std::int64_t c);
void store(const TableView& view, std::int64_t r, std::int64_t c, float x);

/// Column c of a quantised row of `dim` columns; and such a row of finite values.
float dequantize(Format format, const std::uint8_t* row, std::int64_t dim, std::int64_t c);
void quantize_row(Format format, const float* in, std::int64_t dim, std::uint8_t* row);
void convert(const ConstTableView& from, const TableView& to);

/// Sums gradient rows in order, in blocks of 1,024, and then the block sums in order. Each sum starts from its first
/// term.
std::vector<float> sum_in_blocks(const std::vector<const float*>& contributions, std::int64_t dim);

// The rows of a step: optimizer_rows.cpp.

/// Weight decay, before the rest of a row's update: see include/rowmill/weight_decay.hpp.
void decay_row(float* w, float* g, std::int64_t dim, WeightDecay decay, float factor);

/// sum(x * x) of x = factor * g, as lane_sum().
float sum_of_squares(const float* g, std::int64_t dim, float factor = 1);
/// The same divided by dim.
float mean_square(const float* g, std::int64_t dim, float factor = 1);
void scale_row(float* g, std::int64_t dim, float factor);

/// What renormalize() does to one row: see include/rowmill/max_norm.hpp.
void renormalize_row(float* row, std::int64_t dim, float max_norm, NormType norm);
void renormalize_row(Bf16* row, std::int64_t dim, float max_norm, NormType norm);
void renormalize_row(F16* row, std::int64_t dim, float max_norm, NormType norm);

// The formulas of include/rowmill/optimizer.hpp for one row.
void sgd_row(float* w, const float* g, std::int64_t dim, float learning_rate);
void sgd_momentum_row(float* w, float* buffer, const float* g, std::int64_t dim, float learning_rate, float momentum,
                      bool nesterov);
void adagrad_row(float* w, float* accumulator, const float* g, std::int64_t dim, float learning_rate, float epsilon);
void row_wise_adagrad_row(float* w, float* accumulator, const float* g, std::int64_t dim, float learning_rate,
                          float epsilon);
void adam_row(float* w, float* m, float* v, const float* g, std::int64_t dim, const AdamScalars& scalars);
void partial_row_wise_adam_row(float* w, float* m, float* v, const float* g, std::int64_t dim,
                               const AdamScalars& scalars);

// Values of 16 bits: storage.cpp.

/// x rounded stochastically, by adding the 16 `random` bits to those that are cut off; without them to the nearest. An
/// f16 beyond the largest is infinite.
Bf16 round_to_bf16(float x, std::optional<std::uint32_t> random);
F16 round_to_f16(float x, std::optional<std::uint32_t> random);
/// An element of a table of a step, as a float.
float load_stored(const StoredTable& table, std::int64_t row, std::int64_t c, std::int64_t dim);
void store_stored(const StoredTable& table, const StorageArgs& storage, std::int64_t row, std::int64_t c,
                  std::int64_t dim, float x);

// Random numbers, as include/rowmill/random.hpp defines them: random.cpp, and stream_key in optimizer_step.cpp.

std::array<std::uint32_t, 2> stream_key(const RandomStream& stream);
/// The 16 bits that stochastic rounding adds to an element.
std::uint32_t random_bits(std::array<std::uint32_t, 2> key, std::uint64_t row, std::uint64_t column,
                          std::uint32_t step);
/// Row `row` of a table of uniform values.
void fill_uniform_row(float* out, std::uint64_t row, std::int64_t dim, std::array<std::uint32_t, 2> key, float low,
                      float width, float most);

// Whole operations on ids: operations.cpp.

void gather(const ConstTableView& table, Ids ids, const TableView& out, OutOfRange policy);
void scatter_add(const TableView& table, Ids ids, const ConstTableView& values, OutOfRange policy);
void renormalize(const TableView& table, Ids ids, float max_norm, NormType norm, OutOfRange policy,
                 std::optional<std::int64_t> padding_id = {});

// Bags: pooling.cpp.

/// The row that position i of bags stands for: 0 .. rows-1, kDropped (neither summed, counted nor trained) or kZeroRow
/// (a row of +0 that counts, and trains nothing).
inline constexpr std::int64_t kDropped = -1;
inline constexpr std::int64_t kZeroRow = -2;
std::int64_t row_at(const Bags& bags, std::int64_t i, std::int64_t rows, OutOfRange policy);

/// The divisor of bag b, for mean and sqrtn.
float divisor(const Bags& bags, std::int64_t b, std::int64_t rows, const PoolOptions& options);
/// 1 / divisor, rounded; +0 if the divisor is 0, where the bag's gradients are +0; 1 for sum and max.
float factor(const Bags& bags, std::int64_t b, std::int64_t rows, const PoolOptions& options);
/// By what the gradient of bag b is multiplied to give the contribution of position i; for max, in the columns that i
/// won.
float coefficient(const Bags& bags, std::int64_t b, std::int64_t i, std::int64_t rows, const PoolOptions& options);

void pool(const ConstTableView& table, const Bags& bags, const TableView& out, const PoolOptions& options);
void find_winners(const ConstTableView& table, const Bags& bags, std::span<std::int32_t> winners,
                  const PoolOptions& options);
void pool_weight_gradients(const ConstTableView& table, const Bags& bags, const ConstTableView& gradient,
                           std::span<float> out, const PoolOptions& options);

// The gradients of rows: gradients.cpp.

/// The gradient of a row that a batch touches.
struct RowGradient {
  std::int64_t row;
  std::int64_t contributions;  ///< their number
  std::vector<float> g;        ///< and their sum
};
/// The gradients of a batch, in the order in which the rows first occur. `winners` are those of max.
std::vector<RowGradient> row_gradients(Ids ids, std::int64_t rows, OutOfRange policy,
                                       std::optional<std::int64_t> padding_id, const ConstTableView& gradient);
std::vector<RowGradient> row_gradients(const Bags& bags, std::int64_t rows, const PoolOptions& options,
                                       std::span<const std::int32_t> winners, const ConstTableView& gradient);
/// Applies options to finished sums. Returns whether the step counts: not if skip_nonfinite leaves it out.
bool apply(const GradientOptions& options, std::vector<RowGradient>& gradients);

// A step of an optimizer: optimizer_step.cpp.

/// Step number `t` of an optimizer; `state` are its tables, as Optimizer::state(). `storage` has the stream's name.
void optimizer_step(const OptimizerOptions& options, std::int64_t t, const TableView& weights,
                    const std::vector<TableView>& state, std::vector<RowGradient> gradients,
                    const StorageOptions& storage = {});
/// The same over one pass of ids or of summed bags: row b of the gradient is that of every id of bag b.
void optimizer_step(const OptimizerOptions& options, std::int64_t t, const TableView& weights,
                    const std::vector<TableView>& state, Ids ids, OutOfRange policy, const ConstTableView& gradient);
void optimizer_step(const OptimizerOptions& options, std::int64_t t, const TableView& weights,
                    const std::vector<TableView>& state, const Bags& bags, OutOfRange policy,
                    const ConstTableView& gradient);

}  // namespace rowmill::reference
