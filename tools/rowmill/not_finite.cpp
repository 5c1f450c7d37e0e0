// SPDX-License-Identifier: Apache-2.0
#include "not_finite.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <span>

#include "kernels/core/parallel.hpp"

namespace rowmill::tool {
namespace {

template <class T>
bool is_finite(std::span<const T> row) {
  return std::ranges::all_of(row, [](T x) { return std::isfinite(static_cast<float>(x)); });
}

}  // namespace

NotFinite find_not_finite(const ConstTableView& table) {
  std::atomic<std::int64_t> count = 0;
  std::atomic<std::int64_t> first = table.rows();
  const std::int64_t row_bytes = table.dim() * element_size(table.format());
  const std::int64_t threads = concurrency_for(table.rows() * row_bytes);
  parallel_chunks(threads, table.rows(), rows_per_task(table.rows(), row_bytes, threads),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t r = begin; r < end; ++r) {
                      const bool finite = table.format() == Format::f32 ? is_finite(table.row<float>(r))
                                                                        : is_finite(table.row<Bf16>(r));
                      if (finite) continue;
                      ++count;
                      for (std::int64_t lowest = first; r < lowest && !first.compare_exchange_weak(lowest, r);) {
                      }
                    }
                  });
  return {count, count == 0 ? -1 : first.load()};
}

}  // namespace rowmill::tool
