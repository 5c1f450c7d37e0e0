// SPDX-License-Identifier: Apache-2.0
// Table, and copies of rows.
#include "rowmill/table.hpp"

#include <cstring>

#include "kernels/core/checks.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/memory/memory.hpp"
#include "kernels/random/initialize.hpp"
#include "kernels/table/copy_rows.hpp"
#include "kernels/table/rows.hpp"
#include "kernels/table/uninitialized.hpp"

namespace rowmill {

void Table::Free::operator()(std::byte* p) const noexcept { free_array(p, bytes); }

Table Table::uninitialized(std::int64_t rows, std::int64_t dim, Format format, bool huge_pages,
                           const std::string& name) {
  Table table;
  const ConstTableView shape(nullptr, format, rows, dim, row_elements(format, dim), name);
  const std::size_t bytes = checked_size("table", shape);
  if (bytes > 0) {
    void* const memory = allocate_array(bytes, huge_pages, describe("table", shape));
    table.data_ = std::unique_ptr<std::byte, Free>(static_cast<std::byte*>(memory), Free{bytes});
  }
  table.rows_ = rows;
  table.dim_ = dim;
  table.format_ = format;
  table.huge_pages_ = huge_pages;
  if (!name.empty()) table.name_ = std::make_unique<const std::string>(name);
  return table;
}

Table uninitialized_table(std::int64_t rows, std::int64_t dim, const TableOptions& options) {
  return Table::uninitialized(rows, dim, options.format, options.huge_pages, options.name);
}

Table::Table(std::int64_t rows, std::int64_t dim, TableOptions options)
    : Table(uninitialized(rows, dim, options.format, options.huge_pages, options.name)) {
  const RandomStream stream{.seed = options.seed, .stream = options.stream, .name = options.name};
  const std::int64_t bytes = rows_ * row_bytes(view());
  initialize(view(), options.initializer, stream, options.parallel_first_touch ? concurrency_for(bytes) : 1);
}

const std::string& Table::name() const {
  static const std::string kNone;
  return name_ == nullptr ? kNone : *name_;
}

Table Table::clone() const {
  Table copy = uninitialized(rows_, dim_, format_, huge_pages_, name());
  copy_rows(view(), copy);
  return copy;
}

void copy_rows(const ConstTableView& from, const TableView& to) {
  const std::int64_t row_bytes = rowmill::row_bytes(from);
  if (row_bytes == 0) return;
  parallel_chunks(concurrency_for(2 * from.rows() * row_bytes), from.rows(), rows_per_fill_task(row_bytes),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t r = begin; r < end; ++r) {
                      std::memcpy(row_address(to, r), row_address(from, r), static_cast<std::size_t>(row_bytes));
                    }
                  });
}

}  // namespace rowmill
