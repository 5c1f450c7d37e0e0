// SPDX-License-Identifier: Apache-2.0
// Rows of a table whose format is known at run time only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "rowmill/format.hpp"
#include "rowmill/table_view.hpp"

namespace rowmill {

/// The bytes from one row to the next.
inline std::int64_t stride_bytes(const ConstTableView& table) {
  return table.row_stride() * element_size(table.format());
}

/// Where row r begins.
inline const std::byte* row_address(const ConstTableView& table, std::int64_t r) {
  return static_cast<const std::byte*>(table.bytes()) + r * stride_bytes(table);
}
inline std::byte* row_address(const TableView& table, std::int64_t r) {
  return static_cast<std::byte*>(table.bytes()) + r * stride_bytes(table);
}

/// The view of rows first .. first + count - 1.
inline ConstTableView some_rows(const ConstTableView& table, std::int64_t first, std::int64_t count) {
  return {row_address(table, first), table.format(), count, table.dim(), table.row_stride(), table.name()};
}
inline TableView some_rows(const TableView& table, std::int64_t first, std::int64_t count) {
  return {row_address(table, first), table.format(), count, table.dim(), table.row_stride(), table.name()};
}

/// How many rows a task fills: about 4 MiB, so that few huge pages are touched by two threads in turn.
inline std::int64_t rows_per_fill_task(std::int64_t row_bytes) {
  constexpr std::int64_t kTaskBytes = std::int64_t{1} << 22;
  return std::max<std::int64_t>(kTaskBytes / row_bytes, 1);
}

}  // namespace rowmill
