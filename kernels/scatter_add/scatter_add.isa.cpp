// SPDX-License-Identifier: Apache-2.0
#include "kernels/kernel_list.hpp"
#include "kernels/plan/segments.hpp"
#include "kernels/simd.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

inline void add_row(float* row, const float* values, std::int64_t dim) {
  for_each_vector(dim, [=](std::int64_t c, auto load_from, auto store_to) {
    store_to(row + c, load_from(row + c) + load_from(values + c));
  });
}

template <CacheLevel kInto>
inline void scatter_add(const ScatterAddArgs& args) {
  const ScatterAddArgs a = args;  // vector stores may alias anything in memory, but not a local copy
  const std::int64_t row_bytes = a.dim * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t ahead = update_distance(row_bytes);
  for (std::int64_t k = 0; k < a.count; ++k) {
    if (k + ahead < a.count && a.rows[k + ahead] >= 0) {
      prefetch<kInto>(a.table + a.rows[k + ahead] * a.table_stride, row_bytes);
      prefetch<kInto>(a.values + (k + ahead) * a.values_stride, row_bytes);
    }
    if (a.rows[k] >= 0) add_row(a.table + a.rows[k] * a.table_stride, a.values + k * a.values_stride, a.dim);
  }
}

template <CacheLevel kInto>
inline void scatter_add_segments(const ScatterAddSegmentsArgs& a) {
  const Segments segments(a.segments);
  const std::int64_t dim = a.segments.dim;
  const std::int64_t row_bytes = dim * static_cast<std::int64_t>(sizeof(float));
  const auto row_of = [table = a.table, stride = a.table_stride](std::int64_t row) { return table + row * stride; };
  segments.ask_first<kInto>(row_bytes, [=](std::int64_t row) { prefetch<kInto>(row_of(row), row_bytes); });
  for (std::int64_t s = 0; s < segments.count; ++s) {
    float* const row = row_of(segments.rows[s]);
    const float* const later_row = row_of(segments.later_row(s));
    for_each_group(dim, [&]<std::int64_t kVectors>(std::int64_t c, auto load_from, auto store_to) {
      Floats sum[kVectors];
      unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) {
        prefetch_column<kInto>(later_row + c, v * kLanes);
        sum[v] = load_from(row + c + v * kLanes);
      });
      for (std::int64_t p = segments.begin[s]; p < segments.begin[s + 1]; ++p) {
        const float* const value = segments.gradients.row(segments.positions[p]);
        const float* const later = segments.later_gradient(p, value) + c;
        unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) {
          prefetch_column<kInto>(later, v * kLanes);
          sum[v] += load_from(value + c + v * kLanes);
        });
      }
      unrolled<kVectors>([&](std::int64_t v)
                             __attribute__((always_inline)) { store_to(row + c + v * kLanes, sum[v]); });
    });
  }
}

}  // namespace

void scatter_add_f32(const ScatterAddArgs& a) {
  with_level(a.ask_into, [&]<CacheLevel kInto>() { scatter_add<kInto>(a); });
}

void scatter_add_segments_f32(const ScatterAddSegmentsArgs& a) {
  with_level(a.segments.ask_into, [&]<CacheLevel kInto>() { scatter_add_segments<kInto>(a); });
}

}  // namespace rowmill::ROWMILL_ISA
