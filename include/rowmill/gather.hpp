// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "rowmill/ids.hpp"
#include "rowmill/table_view.hpp"

namespace rowmill {

/// How a large output is written. Streaming stores bypass the caches. They are faster if the output is larger than the
/// caches, and slower if it is not, or if it is read again at once.
enum class Stores : std::uint8_t {
  automatic,  ///< streaming if the output is larger than the threads' share of the caches
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
/// `table` may have any format but low16, and `out` is f32, bf16 or f16: each value is rounded once. Within one format
/// rows are copied. A table of f64 or integers needs an `out` of its own format.
///
/// Shapes: `table` rows x dim; `ids` n, a batch of any shape flattened; `out` n x dim, with any row stride >= dim. What
/// lies between its rows is not written. Runs in the caller's oneTBB arena. Reads of one table may run concurrently; a
/// write to it meanwhile is a race.
///
/// Throws Error, and writes nothing, if
/// - a view or the ids are bad, a format is none of these, or an option is unknown (invalid_argument);
/// - out is not ids.size() x table.dim() (shape_mismatch);
/// - out shares an element with table or ids, or its rows with each other (overlap);
/// - an id is out of range under the policy (IdError: the lowest position, and its value);
/// - ROWMILL_ISA is wrong (unsupported_isa).
void gather(const ConstTableView& table, Ids ids, const TableView& out, const GatherOptions& options = {});

}  // namespace rowmill
