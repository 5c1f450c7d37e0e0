// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "rowmill/gradient_options.hpp"
#include "rowmill/plan.hpp"
#include "rowmill/table_view.hpp"
#include "rowmill/workspace.hpp"

namespace rowmill {

/// A table's gradient by its touched rows: what a coalesced sparse tensor holds, but in order of first occurrence.
///
///     for k, r in enumerate(the rows that the plan touches, in the order in which they first occur in the ids):
///       rows[k] = r
///       values[k, :] = sum of coefficient * gradients[p, :] over r's gradient rows p, as in Optimizer::step
///     apply `options` to values
///
/// Shapes: `gradients` are views with dim columns whose rows, one view after another, are the plan's gradient rows;
/// `rows` has plan.unique_count() elements; `values` is plan.unique_count() x dim. Gradients of f32, bf16 and f16 have
/// sums of f32, those of f64 have sums of f64. `workspace`, if given, holds the scratch memory (see
/// sum_gradients_memory_required()). Runs in the caller's oneTBB arena.
///
/// Throws Error, and writes nothing, if
/// - a view is bad or has another format, an option is out of its range, or skip_nonfinite is set, which only a step
///   can do (invalid_argument);
/// - sums of f64 are asked of a plan of a mean or sqrtn without PlanOptions::double_coefficients (invalid_argument);
/// - the gradients' rows are not the plan's, or rows, values or the plan's winners have another shape (shape_mismatch);
/// - rows or values share an element with a gradient, with the plan's winners or with each other (overlap);
/// - scratch memory is refused (out_of_memory), or ROWMILL_ISA is wrong (unsupported_isa).
void sum_gradients(const Plan& plan, std::span<const ConstTableView> gradients, std::span<std::int64_t> rows,
                   const TableView& values, const GradientOptions& options = {}, Workspace* workspace = nullptr);

/// The same sums as a dense gradient: out is plan.rows() x dim, and +0 in the rows that the plan does not touch.
/// Throws as sum_gradients().
void dense_gradient(const Plan& plan, std::span<const ConstTableView> gradients, const TableView& out,
                    const GradientOptions& options = {}, Workspace* workspace = nullptr);

/// The bytes of Workspace that sum_gradients and dense_gradient use at most, for `id_count` ids, gradients of `dim`
/// columns in `passes` views. Throws Error (invalid_argument) unless each is 0 to 2^56.
[[nodiscard]] std::size_t sum_gradients_memory_required(std::int64_t id_count, std::int64_t dim,
                                                        std::int64_t passes = 1);

/// The result of sum_gradients(), in memory of its own. Once it has seen its largest batch, it allocates no more.
class SparseGradient {
 public:
  SparseGradient() = default;
  /// One that was moved from is an empty one.
  SparseGradient(SparseGradient&& other) noexcept { *this = std::move(other); }
  SparseGradient& operator=(SparseGradient&& other) noexcept {
    memory_ = std::move(other.memory_);
    scratch_ = std::move(other.scratch_);
    rows_ = std::exchange(other.rows_, {});
    values_ = std::exchange(other.values_, {});
    return *this;
  }

  /// Replaces the contents. `gradients` must not be this object's own values(). Throws as sum_gradients(), and leaves
  /// the contents as they were.
  void build(const Plan& plan, std::span<const ConstTableView> gradients, const GradientOptions& options = {});
  void build(const Plan& plan, const ConstTableView& gradient, const GradientOptions& options = {}) {
    build(plan, std::span(&gradient, 1), options);
  }

  /// The touched rows, in order of first occurrence. Valid until the next build().
  [[nodiscard]] std::span<const std::int64_t> rows() const { return rows_; }
  /// Their gradients: rows().size() x dim, contiguous. Valid until the next build().
  [[nodiscard]] const ConstTableView& values() const { return values_; }

 private:
  Workspace memory_;
  Workspace scratch_;
  std::span<const std::int64_t> rows_;
  ConstTableView values_;
};

}  // namespace rowmill
