// SPDX-License-Identifier: Apache-2.0
#include "kernels/kernel_list.hpp"
#include "kernels/simd.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

inline void add_row(float* row, const float* values, std::int64_t dim) {
  for_each_vector(dim, [=](std::int64_t c, auto load_from, auto store_to) {
    store_to(row + c, load_from(row + c) + load_from(values + c));
  });
}

}  // namespace

void scatter_add_f32(const ScatterAddArgs& a) {
  const std::int64_t row_bytes = a.dim * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t ahead = prefetch_distance(row_bytes);
  const auto values_of = [&](std::int64_t k) {
    return a.values + (a.positions != nullptr ? a.positions[k] : k) * a.values_stride;
  };
  for (std::int64_t k = 0; k < a.count; ++k) {
    if (k + ahead < a.count && a.rows[k + ahead] >= 0) {
      prefetch(a.table + a.rows[k + ahead] * a.table_stride, row_bytes);
      prefetch(values_of(k + ahead), row_bytes);
    }
    if (a.rows[k] >= 0) add_row(a.table + a.rows[k] * a.table_stride, values_of(k), a.dim);
  }
}

}  // namespace rowmill::ROWMILL_ISA
