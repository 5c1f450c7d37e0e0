// SPDX-License-Identifier: Apache-2.0
// Tables without initial values.
#pragma once

#include <cstdint>

#include "rowmill/table.hpp"

namespace rowmill {

/// A table of unspecified values, for callers that write all of them, such as loading: its pages are first touched by
/// the threads that write it. Uses format, huge_pages and name of the options. Throws as the constructor of Table.
[[nodiscard]] Table uninitialized_table(std::int64_t rows, std::int64_t dim, const TableOptions& options);

}  // namespace rowmill
