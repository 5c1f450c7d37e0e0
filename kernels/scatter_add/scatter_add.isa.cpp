// SPDX-License-Identifier: Apache-2.0
#include "kernels/plan/terms.hpp"
#include "kernels/scatter_add/scatter_add_kernels.hpp"
#include "kernels/simd/formats.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

/// kVectors, here and below: how many full vectors a row is, if the loop is for that width, else 0.
template <class Table, std::int64_t kVectors>
[[gnu::always_inline]] inline void add_row(typename Table::Value* row, const float* values, std::int64_t dim) {
  const auto add = [=](std::int64_t c, auto lanes) __attribute__((always_inline)) {
    Table::store(row + c, Table::load(row + c, lanes) + load(values + c, lanes), lanes);
  };
  if constexpr (kVectors > 0) {
    unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) { add(v * kLanes, FullVector{}); });
  } else {
    for_each_vector(dim, add);
  }
}

template <class Table, std::int64_t kVectors>
inline void add_rows(const ScatterAddArgs& args) {
  const ScatterAddArgs a = args;  // vector stores may alias anything in memory, but not a local copy
  auto* const table = static_cast<typename Table::Value*>(a.table);
  const auto* const values = static_cast<const float*>(a.values);
  const std::int64_t dim = kVectors > 0 ? kVectors * kLanes : a.dim;
  const std::int64_t row_bytes = dim * std::int64_t{sizeof *table};
  const std::int64_t value_bytes = dim * std::int64_t{sizeof(float)};
  const std::int64_t ahead = a.prefetch.ahead;
  for (std::int64_t k = 0; k < a.count; ++k) {
    if (k + ahead < a.count && a.rows[k + ahead] >= 0) {
      prefetch(table + a.rows[k + ahead] * a.table_stride, row_bytes, a.prefetch.into);
      prefetch(values + (k + ahead) * a.values_stride, value_bytes, a.prefetch.into);
    }
    if (a.rows[k] >= 0) {
      add_row<Table, kVectors>(table + a.rows[k] * a.table_stride, values + k * a.values_stride, dim);
    }
  }
}

/// The same of any formats: they are asked for at each row.
inline void add_any_rows(const ScatterAddArgs& args) {
  const ScatterAddArgs a = args;
  const std::int64_t table_size = element_size(a.format);
  const std::int64_t value_size = element_size(a.values_format);
  for (std::int64_t i = 0; i < a.count; ++i) {
    if (const std::int64_t later = i + a.prefetch.ahead; later < a.count && a.rows[later] >= 0) {
      prefetch(static_cast<const char*>(a.table) + a.rows[later] * a.table_stride * table_size, a.dim * table_size,
               a.prefetch.into);
      prefetch(static_cast<const char*>(a.values) + later * a.values_stride * value_size, a.dim * value_size,
               a.prefetch.into);
    }
    if (a.rows[i] < 0) continue;
    with_format(a.format, [&]<class Table>() {
      auto* const row = element<Table>(a.table, a.rows[i] * a.table_stride);
      with_format(a.values_format, [&]<class Values>() {
        const auto* const values = element<Values>(a.values, i * a.values_stride);
        for_each_vector(
            a.dim, [=](std::int64_t c, auto lanes) __attribute__((always_inline)) {
              Table::store(row + c, Table::load(row + c, lanes) + Values::load(values + c, lanes), lanes);
            });
      });
    });
  }
}

/// A row is read and written once; what it holds is rounded to the table's format after each contribution all the same.
template <class Table, std::int64_t kVectors>
inline void add_segments(const ScatterAddSegmentsArgs& a) {
  using Value = typename Table::Value;
  const Segments segments(a.segments, a.values, a.prefetch.ahead);
  const auto row_of = [table = static_cast<Value*>(a.table), stride = a.table_stride](std::int64_t row) {
    return table + row * stride;
  };
  const CacheLevel into = a.prefetch.into;
  segments.prefetch_first(segments.dim * std::int64_t{sizeof(float)}, into, [=, dim = segments.dim](std::int64_t row) {
    prefetch(row_of(row), dim * std::int64_t{sizeof(Value)}, into);
  });
  for (std::int64_t s = 0; s < segments.count; ++s) {
    Value* const row = row_of(segments.rows[s]);
    const Value* const later_row = row_of(segments.later_row(s));
    const std::int64_t* const last = segments.positions + segments.begin[s + 1];
    const auto add = [&]<std::int64_t n>(std::int64_t c, auto lanes) __attribute__((always_inline)) {
      Floats sum[n];
      unrolled<n>([&](std::int64_t v) __attribute__((always_inline)) {
        prefetch_column(later_row + c, v * kLanes, into);
        sum[v] = Table::load(row + c + v * kLanes, lanes);
      });
      for (const std::int64_t* p = segments.positions + segments.begin[s]; p < last; ++p) {
        const float* const value = segments.gradients.row(*p);
        const float* const later = segments.later_gradient(p, value) + c;
        unrolled<n>([&](std::int64_t v) __attribute__((always_inline)) {
          prefetch_column(later, v * kLanes, into);
          sum[v] = Table::round(sum[v] + load(value + c + v * kLanes, lanes));
        });
      }
      unrolled<n>([&](std::int64_t v)
                      __attribute__((always_inline)) { Table::store(row + c + v * kLanes, sum[v], lanes); });
    };
    if constexpr (kVectors > 0) {
      add.template operator()<kVectors>(0, FullVector{});
    } else {
      for_each_group(segments.dim, add);
    }
  }
}

/// The same of contributions that are scaled or, for max, won: where a position did not win it adds +0. A vector at a
/// time, which is less code.
template <class Table, bool kMax, class Rows>
inline void add_contributions(const ScatterAddSegmentsArgs& a, const Rows& values) {
  const Segments segments(a.segments, a.values, a.prefetch.ahead);
  const Winners winners(a.segments, a.values);
  for (std::int64_t s = 0; s < segments.count; ++s) {
    auto* const row = static_cast<typename Table::Value*>(a.table) + segments.rows[s] * a.table_stride;
    for_each_group<1>(segments.dim, [&]<std::int64_t kVectors>(std::int64_t c, auto lanes) {
      Floats sum[kVectors];
      unrolled<kVectors>([&](std::int64_t v)
                             __attribute__((always_inline)) { sum[v] = Table::load(row + c + v * kLanes, lanes); });
      for (std::int64_t k = segments.begin[s]; k < segments.begin[s + 1]; ++k) {
        each_term<kMax, kVectors>(
            segments, values, winners, k, c, lanes, [&](std::int64_t v, Floats term) __attribute__((always_inline)) {
              sum[v] = Table::round(sum[v] + term);
            });
      }
      unrolled<kVectors>([&](std::int64_t v)
                             __attribute__((always_inline)) { Table::store(row + c + v * kLanes, sum[v], lanes); });
    });
  }
}

template <class Table, bool kMax>
inline void add_contributions(const ScatterAddSegmentsArgs& a) {
  if (a.values.any_format) return add_contributions<Table, kMax>(a, AnyGradients(a.values));
  add_contributions<Table, kMax>(a, Gradients(a.values));
}

constexpr std::int64_t kMaxColumns = 128;  // wider rows lose by a fixed width

template <class Table>
inline void add(const ScatterAddArgs& a) {
  with_width<kMaxColumns>(a.dim, [&]<std::int64_t kVectors>() { add_rows<Table, kVectors>(a); });
}

template <class Table>
inline void add(const ScatterAddSegmentsArgs& a) {
  if (a.values.winners != nullptr) return add_contributions<Table, true>(a);
  if (a.segments.coefficients != nullptr || a.values.any_format) return add_contributions<Table, false>(a);
  with_width<kMaxColumns>(a.values.dim, [&]<std::int64_t kVectors>() { add_segments<Table, kVectors>(a); });
}

}  // namespace

void scatter_add_f32(const ScatterAddArgs& a) { add<F32Format>(a); }
void scatter_add_bf16(const ScatterAddArgs& a) { add<Bf16Format>(a); }
void scatter_add_any(const ScatterAddArgs& a) { add_any_rows(a); }
void scatter_add_segments_f32(const ScatterAddSegmentsArgs& a) { add<F32Format>(a); }
void scatter_add_segments_bf16(const ScatterAddSegmentsArgs& a) { add<Bf16Format>(a); }
void scatter_add_segments_f16(const ScatterAddSegmentsArgs& a) {
  a.values.winners != nullptr ? add_contributions<F16Format, true>(a) : add_contributions<F16Format, false>(a);
}

}  // namespace rowmill::ROWMILL_ISA
