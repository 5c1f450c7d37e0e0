// SPDX-License-Identifier: Apache-2.0
#include "rowmill/table.hpp"

#include <algorithm>
#include <utility>

#include "kernels/core/checks.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/memory/memory.hpp"
#include "kernels/random/initialize.hpp"

namespace rowmill {

void Table::Free::operator()(std::byte* p) const noexcept { free_zeroed(p, bytes); }

Table Table::uninitialized(std::int64_t rows, std::int64_t dim, Format format, bool huge_pages,
                           const std::string& name) {
  Table table;
  const ConstTableView shape(nullptr, format, rows, dim, dim, name);
  const std::size_t bytes = checked_size("table", shape);
  if (bytes > 0) {
    void* const memory = allocate_zeroed(bytes, huge_pages, describe("table", shape));
    table.data_ = std::unique_ptr<std::byte, Free>(static_cast<std::byte*>(memory), Free{bytes});
  }
  table.rows_ = rows;
  table.dim_ = dim;
  table.format_ = format;
  table.huge_pages_ = huge_pages;
  if (!name.empty()) table.name_ = std::make_unique<const std::string>(name);
  return table;
}

Table::Table(std::int64_t rows, std::int64_t dim, TableOptions options)
    : Table(uninitialized(rows, dim, options.format, options.huge_pages, options.name)) {
  const RandomStream stream{.seed = options.seed, .stream = options.stream, .name = options.name};
  const std::int64_t bytes = rows_ * dim_ * element_size(format_);
  initialize(view(), options.initializer, stream, options.parallel_first_touch ? concurrency_for(bytes) : 1);
}

const std::string& Table::name() const {
  static const std::string kNone;
  return name_ == nullptr ? kNone : *name_;
}

Table Table::clone() const {
  Table copy = uninitialized(rows_, std::max<std::int64_t>(dim_, 1), format_, huge_pages_, name());
  constexpr std::int64_t kGrain = std::int64_t{1} << 22;
  const std::int64_t size = rows_ * dim_ * element_size(format_);
  parallel_chunks(concurrency_for(2 * size), size, kGrain, [&](std::int64_t begin, std::int64_t end) {
    std::copy(data_.get() + begin, data_.get() + end, copy.data_.get() + begin);
  });
  return copy;
}

}  // namespace rowmill
