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

/// The bytes of Workspace that a step takes which touches `unique` rows.
std::size_t step_memory_required(std::int64_t id_count, std::int64_t unique, std::int64_t dim, std::int64_t passes);

/// One step of an optimizer: beta1_power is beta1^t for Adam's.
struct StepOf {
  const OptimizerOptions& options;
  double beta1_power;
  double beta2_power;
  std::span<const TableView> states;
};

/// Updates rows rows[k] by the finished gradients, row k of `sums`, which are lost.
void update_rows(const StepOf& step, const TableView& weights, std::span<const std::int64_t> rows, double* sums,
                 std::int64_t threads);

/// What renormalize() does to one row.
void renormalize_row(double* row, std::int64_t dim, double max_norm, NormType norm);

}  // namespace rowmill::exact
