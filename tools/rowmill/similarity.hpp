// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "rowmill/table_view.hpp"

namespace rowmill::tool {

struct Neighbour {
  std::int64_t row;
  float cosine;
};

/// A vector to compare with, and rows that are no answers.
struct Query {
  std::vector<float> vector;
  std::vector<std::int64_t> without;
};

/// For each query the `count` rows of the highest cosine with it, exactly, highest first, of equal ones the lower row.
///
///     cosine(r) = dot(table[r, :], q) / sqrt(dot(table[r, :], table[r, :]) * dot(q, q))
///
/// Rows whose cosine is not a number (rows of zeros, NaNs) are no answers. One pass over the table for 64 queries, on
/// all threads; the same bits at any number of threads, on every instruction set.
[[nodiscard]] std::vector<std::vector<Neighbour>> most_similar(const ConstTableView& table,
                                                               std::span<const Query> queries, std::int64_t count);

/// Row r as floats.
[[nodiscard]] std::vector<float> float_row(const ConstTableView& table, std::int64_t r);

}  // namespace rowmill::tool
