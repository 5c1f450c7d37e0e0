// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "rowmill/ids.hpp"
#include "rowmill/table_view.hpp"

namespace rowmill {

/// How a large output is written. Streaming stores go past the caches: faster once the output is larger than they
/// are, slower when it is not, or when it is read again at once.
enum class Stores : std::uint8_t {
  automatic,  ///< streaming when the output is larger than what the threads can count on of the caches
  ordinary,
  streaming,  ///< where rows are aligned to the vector width; ordinary elsewhere
};

/// How gather() treats ids out of range and large outputs.
struct GatherOptions {
  OutOfRange out_of_range = OutOfRange::error;
  Stores stores = Stores::automatic;
};

/// Copies table rows: the lookup of an embedding layer, `jnp.take(table, ids, axis=0)`.
///
///     for i in 0 .. ids.size()-1:
///       out[i, :] = table[ids[i], :]
///
/// `table` may have any format, `out` is f32, bf16 or f16: each value is rounded once. Within one format rows are
/// copied. A table of f64 or integers is copied into an `out` of its own format. Shapes: `table` rows x dim; `ids` n, a
/// batch of any shape flattened; `out` n x dim. Zero ids do nothing. `out` may have any row stride >= dim and any
/// alignment; nothing between its rows is written. Runs in the caller's oneTBB arena. Reads of one table may run
/// concurrently; a write to it meanwhile is a race.
///
/// Throws Error, and writes nothing, if
/// - table or out is null (and not empty), has a negative dim or number of rows, or a size that overflows, or out has
///   another format than these (invalid_argument);
/// - out is not ids.size() x table.dim() (shape_mismatch);
/// - out shares an element with table or ids, or its rows with each other (overlap);
/// - an id is out of range under the policy (IdError: the lowest position, and its value);
/// - ROWMILL_ISA is wrong (unsupported_isa).
void gather(const ConstTableView& table, Ids ids, const TableView& out, const GatherOptions& options = {});

}  // namespace rowmill
