// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "rowmill/table_view.hpp"

namespace rowmill::io {

/// Rows first .. first+count-1 of a table, of any format.
[[nodiscard]] inline ConstTableView some_rows(const ConstTableView& table, std::int64_t first, std::int64_t count) {
  return {static_cast<const std::byte*>(table.bytes()) + first * table.row_stride() * element_size(table.format()),
          table.format(),
          count,
          table.dim(),
          table.row_stride(),
          table.name()};
}

[[nodiscard]] inline TableView some_rows(const TableView& table, std::int64_t first, std::int64_t count) {
  return {static_cast<std::byte*>(table.bytes()) + first * table.row_stride() * element_size(table.format()),
          table.format(),
          count,
          table.dim(),
          table.row_stride(),
          table.name()};
}

}  // namespace rowmill::io
