// SPDX-License-Identifier: Apache-2.0
#include "not_finite.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "kernels/core/checks.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/table/rows.hpp"
#include "rowmill/convert.hpp"

namespace rowmill::tool {
namespace {

/// Whether all numbers of row r are finite: as floats, but for doubles. Integers always are.
bool is_finite(const ConstTableView& table, std::int64_t r, std::vector<float>& widened) {
  const auto all_finite = [](const auto& row) {
    return std::ranges::all_of(row, [](auto x) { return std::isfinite(x); });
  };
  if (table.format() == Format::f64) return all_finite(table.row<double>(r));
  if (is_exact(table.format())) return true;
  if (table.format() == Format::f32) return all_finite(table.row(r));
  widened.resize(static_cast<std::size_t>(table.dim()));
  convert(some_rows(table, r, 1), TableView(widened.data(), 1, table.dim()));
  return all_finite(widened);
}

}  // namespace

NotFinite find_not_finite(const ConstTableView& table) {
  std::atomic<std::int64_t> count = 0;
  std::atomic<std::int64_t> first = table.rows();
  const std::int64_t row_bytes = rowmill::row_bytes(table);
  const std::int64_t threads = concurrency_for(table.rows() * row_bytes);
  parallel_chunks(threads, table.rows(), rows_per_task(table.rows(), row_bytes, threads),
                  [&](std::int64_t begin, std::int64_t end) {
                    std::vector<float> widened;
                    for (std::int64_t r = begin; r < end; ++r) {
                      if (is_finite(table, r, widened)) continue;
                      ++count;
                      for (std::int64_t lowest = first; r < lowest && !first.compare_exchange_weak(lowest, r);) {
                      }
                    }
                  });
  return {count, count == 0 ? -1 : first.load()};
}

}  // namespace rowmill::tool
