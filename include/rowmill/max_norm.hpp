// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "rowmill/bags.hpp"
#include "rowmill/ids.hpp"
#include "rowmill/norm_type.hpp"
#include "rowmill/table_view.hpp"
#include "rowmill/workspace.hpp"

namespace rowmill {

/// The largest norm that a row may have when it is looked up.
struct MaxNorm {
  double max_norm = 1;  ///< 0 to 3.4e38, rounded to float
  NormType norm = NormType::two;
};

/// How renormalize() treats ids.
struct RenormalizeOptions {
  OutOfRange out_of_range = OutOfRange::error;  ///< an id that `zero` or `skip` leaves out changes no row
  std::optional<std::int64_t> padding_id = {};  ///< an id whose row stays as it is. Bags have their own
};

/// Scales the rows that are about to be looked up down to a norm, as torch.nn.functional.embedding(max_norm=...) does
/// before its lookup.
///
///     for each distinct row r of the ids:                      # once each, however often it occurs
///       norm = sum(|table[r, :]|), sqrt(sum(table[r, :]^2)) or max(|table[r, :]|)
///       if norm > max_norm:                                    # not if it is NaN
///         table[r, :] *= max_norm / (norm + 1e-7)
///
/// Arithmetic is float (double for a table of f64); sums across columns have the order of docs/numerics.md. A table of
/// 16 bits is rounded once, when a row is stored. The time follows the number of ids, not the number of rows.
///
/// Shapes: `table` rows x dim of f32, bf16, f16 or f64. `workspace`, if given, holds the scratch memory (see
/// renormalize_memory_required()) and serves this call alone. Runs in the caller's oneTBB arena. It writes the table:
/// no other call may read or write those rows meanwhile.
///
/// Throws Error, and changes nothing, if
/// - table or the ids are bad, table has another format, an option is out of its range, or a padding id is given among
///   the options for bags (invalid_argument);
/// - the bags' offsets, shape or weights do not fit their ids: see pool();
/// - table shares an element with ids, offsets or weights, or its rows with each other (overlap);
/// - an id is out of range under the policy (IdError);
/// - scratch memory is refused (out_of_memory), or ROWMILL_ISA is wrong (unsupported_isa).
void renormalize(const TableView& table, Ids ids, const MaxNorm& max_norm, const RenormalizeOptions& options = {},
                 Workspace* workspace = nullptr);
void renormalize(const TableView& table, const Bags& bags, const MaxNorm& max_norm,
                 const RenormalizeOptions& options = {}, Workspace* workspace = nullptr);

/// The bytes of Workspace that renormalize() uses at most for `id_count` ids. Throws Error (invalid_argument) unless
/// 0 <= id_count <= 2^56.
[[nodiscard]] std::size_t renormalize_memory_required(std::int64_t id_count);

}  // namespace rowmill
