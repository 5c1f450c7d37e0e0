// SPDX-License-Identifier: Apache-2.0
// The gradients of f64 tables.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/gradient/first_occurrence.hpp"
#include "kernels/memory/carve.hpp"
#include "rowmill/gradient_options.hpp"
#include "rowmill/plan.hpp"
#include "rowmill/table_view.hpp"

namespace rowmill::exact {

class ShardContributions;

/// Where the sum of a row is written: at its number, or, if `dense`, where the table has the row.
struct SumsOut {
  double* data;
  std::int64_t stride;
  bool dense;
};

/// The finished f64 gradients of a plan's rows, which are numbered in order of first occurrence, and what
/// GradientOptions do to them.
class RowSums {
 public:
  /// Memory for plans of `id_count` ids that touch `unique` rows.
  RowSums(std::int64_t id_count, std::int64_t unique, std::int64_t dim, std::int64_t passes, Carver& memory);

  /// Writes each row's sum to `out`, and the row itself to rows[its number]. Returns false if skip_nonfinite is set and
  /// an element is not finite: the contents of `out` are then unspecified.
  bool sum(const Plan& plan, std::span<const ConstTableView> gradients, const GradientOptions& options,
           std::int64_t threads, std::int64_t* rows, const SumsOut& out);

 private:
  /// The gradient rows of one view, which end at position `end`.
  struct Pass {
    std::int64_t end;
    const double* data;
    std::int64_t stride;
  };
  /// The gradient row of a position.
  [[nodiscard]] const double* gradient_row(std::int64_t position) const;
  void sum_row(const ShardContributions& contributions, std::int64_t begin, std::int64_t end, double* out) const;
  void clip_globally(std::int64_t unique, double limit, std::int64_t threads, const std::int64_t* rows,
                     const SumsOut& out) const;

  std::int64_t dim_;
  FirstOccurrence order_;
  std::int64_t passes_count_;
  Pass* passes_;
  double* squares_;  // of each row by number
};

}  // namespace rowmill::exact
