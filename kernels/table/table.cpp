// SPDX-License-Identifier: Apache-2.0
#include "rowmill/table.hpp"

#include <algorithm>
#include <utility>

#include "kernels/core/checks.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/memory/memory.hpp"
#include "kernels/random/initialize.hpp"

namespace rowmill {
void Table::Free::operator()(float* p) const noexcept { free_zeroed(p, bytes); }

Table Table::uninitialized(std::int64_t rows, std::int64_t dim, TableOptions options) {
  Table table;
  const std::size_t bytes = checked_size("table", rows, dim, options.name);
  if (bytes > 0) {
    void* const memory = allocate_zeroed(bytes, options.huge_pages,
                                         describe("table", ConstTableView(nullptr, rows, dim, dim, options.name)));
    table.data_ = std::unique_ptr<float, Free>(static_cast<float*>(memory), Free{bytes});
  }
  table.rows_ = rows;
  table.dim_ = dim;
  table.options_ = std::move(options);
  return table;
}

Table::Table(std::int64_t rows, std::int64_t dim, TableOptions options)
    : Table(uninitialized(rows, dim, std::move(options))) {
  const RandomStream stream{.seed = options_.seed, .stream = options_.stream, .name = options_.name};
  const std::int64_t bytes = rows_ * dim_ * std::int64_t{sizeof(float)};
  initialize(view(), options_.initializer, stream, options_.parallel_first_touch ? concurrency_for(bytes) : 1);
}

Table Table::clone() const {
  Table copy = uninitialized(rows_, std::max<std::int64_t>(dim_, 1), options_);
  constexpr std::int64_t kGrain = std::int64_t{1} << 20;
  const std::int64_t size = rows_ * dim_;
  parallel_chunks(
      concurrency_for(2 * size * std::int64_t{sizeof(float)}), size, kGrain,
      [&](std::int64_t begin, std::int64_t end) { std::copy(data() + begin, data() + end, copy.data() + begin); });
  return copy;
}

}  // namespace rowmill
