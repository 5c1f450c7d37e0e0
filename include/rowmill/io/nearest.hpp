// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "rowmill/table_view.hpp"

namespace rowmill::io {

struct Neighbour {
  std::int64_t row;
  float cosine;
};

/// For each row of `queries` the `count` rows of `table` of the highest cosine with it, exactly:
///
///     cosine(r, q) = dot(table[r, :], queries[q, :]) / (length(table[r, :]) * length(queries[q, :]))
///
/// The highest come first, of equal ones the lower row. Rows whose cosine is not a number (rows of zeros, NaNs) are no
/// answers, so that there may be fewer than `count`. A query that is itself a row of the table finds that row first, or
/// those that equal it: ask for one more and leave it out.
///
/// Tables and queries are f32, bf16, f16, f64 or quantised; others than f32 become floats first, a few rows at a time.
///
/// One pass over the table serves 64 queries, on all threads. The same bits at any number of threads and on every
/// instruction set. A mapped table's view will do (MappedTable::view()).
///
/// Throws Error if a view is bad or of another format, or count < 0 (invalid_argument), or queries.dim() is not
/// table.dim() (shape_mismatch).
[[nodiscard]] std::vector<std::vector<Neighbour>> nearest(const ConstTableView& table, const ConstTableView& queries,
                                                          std::int64_t count);

}  // namespace rowmill::io
