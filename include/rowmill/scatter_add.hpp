// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "rowmill/ids.hpp"
#include "rowmill/plan.hpp"
#include "rowmill/table_view.hpp"
#include "rowmill/workspace.hpp"

namespace rowmill {

/// How scatter_add() treats ids out of range.
struct ScatterAddOptions {
  OutOfRange out_of_range = OutOfRange::error;
};

/// Adds rows into a table, as `numpy.add.at(table, ids, values)`.
///
///     for i in 0 .. ids.size()-1:                 # in this order, whatever the thread count
///       table[ids[i], :] += values[i, :]
///
/// `table` and `values` are f32, bf16 or f16, and may differ; a table of 16 bits is rounded after each addition. Values
/// of a table of f64 or integers have its format. Integers wrap around.
///
/// Shapes: `table` rows x dim; `ids` n; `values` n x dim (a row stride of 0 adds one row everywhere). Every row has one
/// owning thread, which adds its values in position order: no atomics, one answer. `workspace`, if given, holds the
/// scratch memory (see scatter_add_memory_required()) and serves this call alone. If the system refuses that memory,
/// the calling thread does the work without it. Runs in the caller's oneTBB arena. It writes the table: no other call
/// may read or write those rows meanwhile.
///
/// Throws Error, and changes nothing, if
/// - a view or the ids are bad, a format is none of these, or the policy is unknown (invalid_argument);
/// - values is not ids.size() x table.dim() (shape_mismatch);
/// - table shares an element with values or ids, or its rows with each other (overlap);
/// - an id is out of range under the policy (IdError);
/// - ROWMILL_ISA is wrong (unsupported_isa).
void scatter_add(const TableView& table, Ids ids, const ConstTableView& values, const ScatterAddOptions& options = {},
                 Workspace* workspace = nullptr);

/// The same with a plan made beforehand: nothing is planned or allocated, and the plan's policy applies. With a plan of
/// bags, `values` has a row for each bag, which is added to the rows of all its ids, times the plan's coefficients.
///
/// Throws Error also, and changes nothing, if
/// - the plan is for another number of rows, or values does not have the plan's gradient_rows() (shape_mismatch);
/// - the table is f64, and the plan is of a mean or sqrtn without PlanOptions::double_coefficients (invalid_argument);
/// - the table is of integers, and the plan is of a mean or sqrtn, or has coefficients (invalid_argument);
/// - table shares an element with the plan's winners (overlap).
void scatter_add(const TableView& table, const Plan& plan, const ConstTableView& values);

/// The bytes of Workspace that scatter_add() uses at most for `id_count` ids. Throws Error (invalid_argument) unless
/// 0 <= id_count <= 2^56.
[[nodiscard]] std::size_t scatter_add_memory_required(std::int64_t id_count);

}  // namespace rowmill
