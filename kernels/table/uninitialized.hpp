// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "rowmill/table.hpp"

namespace rowmill {

/// A table whose values are unspecified, for what writes all of them at once, as loading does. Its memory is touched
/// first by those who write it. Throws as Table(rows, dim, options), of which it takes format, huge_pages and name.
[[nodiscard]] Table uninitialized_table(std::int64_t rows, std::int64_t dim, const TableOptions& options);

}  // namespace rowmill
