// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "rowmill/table_view.hpp"

namespace rowmill::tool {

struct NotFinite {
  std::int64_t rows = 0;        ///< with a NaN or an infinity
  std::int64_t first_row = -1;  ///< the lowest of them; -1: there are none
};

/// One pass over the table, on all threads.
[[nodiscard]] NotFinite find_not_finite(const ConstTableView& table);

}  // namespace rowmill::tool
