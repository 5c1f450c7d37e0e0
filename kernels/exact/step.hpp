// SPDX-License-Identifier: Apache-2.0
// Optimizers of f64 weights, with gradients and states of f64.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "rowmill/norm_type.hpp"
#include "rowmill/optimizer.hpp"
#include "rowmill/table_view.hpp"

namespace rowmill::exact {

/// The bytes of Workspace that a step needs which touches `unique` rows.
std::size_t step_memory_required(std::int64_t id_count, std::int64_t unique, std::int64_t dim, std::int64_t passes);

/// The arguments of a step of an optimizer.
struct StepArgs {
  const OptimizerOptions& options;
  double beta1_power;  ///< beta1^t, for Adam
  double beta2_power;
  std::span<const TableView> states;
};

/// Updates row rows[k] by its finished gradient, row k of `sums`, which is overwritten.
void update_rows(const StepArgs& step, const TableView& weights, std::span<const std::int64_t> rows, double* sums,
                 std::int64_t threads);

/// What renormalize() does to one row.
void renormalize_row(double* row, std::int64_t dim, double max_norm, NormType norm);

}  // namespace rowmill::exact
