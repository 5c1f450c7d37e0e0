// SPDX-License-Identifier: Apache-2.0
// The scalar reference: what every operation means, written to be read. The leaf kernels of the `scalar` instruction
// set (kernels.cpp) are made of the row functions below; whole operations (operations.cpp) are what the tests compare
// with.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "kernels/kernel_list.hpp"
#include "rowmill/ids.hpp"
#include "rowmill/optimizer.hpp"
#include "rowmill/random.hpp"
#include "rowmill/table_view.hpp"

namespace rowmill::reference {

/// The row that an id means under a policy: 0 .. rows-1, or kIgnored. Ids that the policy forbids must not come here.
inline constexpr std::int64_t kIgnored = -1;
std::int64_t resolve(std::int64_t id, std::int64_t rows, OutOfRange policy);

/// Sums gradient rows in order, in blocks of 1,024, block sums then in order; each sum starts from its first term.
std::vector<float> sum_in_blocks(const std::vector<const float*>& contributions, std::int64_t dim);

void sgd_row(float* w, const float* g, std::int64_t dim, float learning_rate);
void adagrad_row(float* w, float* accumulator, const float* g, std::int64_t dim, float learning_rate, float epsilon);
void adam_row(float* w, float* m, float* v, const float* g, std::int64_t dim, const AdamScalars& scalars);

/// Row `row` of a table filled uniformly: see include/rowmill/random.hpp.
void fill_uniform_row(float* out, std::uint64_t row, std::int64_t dim, std::array<std::uint32_t, 2> key,
                      std::uint32_t step, float low, float width);

void gather(const ConstTableView& table, Ids ids, const TableView& out, OutOfRange policy);
void scatter_add(const TableView& table, Ids ids, const ConstTableView& values, OutOfRange policy);

/// One step number `t` of an optimizer over one pass of ids; `state` are its tables, rows x dim each, as
/// Optimizer::state().
void optimizer_step(const OptimizerOptions& options, std::int64_t t, const TableView& weights,
                    const std::vector<TableView>& state, Ids ids, OutOfRange policy, const ConstTableView& gradient);

}  // namespace rowmill::reference
