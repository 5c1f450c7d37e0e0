// SPDX-License-Identifier: Apache-2.0
// What leaf loops over a plan's segments share: gradient rows, their sums, and what to prefetch. Included by *.isa.cpp
// files only.
#pragma once

#include "kernels/plan/passes.hpp"
#include "kernels/plan/segment_args.hpp"
#include "kernels/simd/vectors_of_halves.hpp"

namespace rowmill::ROWMILL_ISA {

/// out = the gradient of segment s, in blocks. A function of its own, for what is rare or long.
void sum_segment(const SegmentArgs& segments, const GradientArgs& gradients, PrefetchArgs prefetch, std::int64_t s,
                 float* out);

namespace {

/// The gradient rows of a step, floats, by position. Usually there is one pass: a copy of it stays in registers.
struct Gradients {
  using Storage = F32Format;

  const GradientPass* passes;
  PassIndex index;
  GradientPass first = passes[0];

  explicit Gradients(const GradientArgs& a) : passes(a.passes), index(a.index) {}

  [[nodiscard]] const float* row(std::int64_t position) const {
    if (position < first.end) [[likely]]
      return static_cast<const float*>(first.data) + position * first.stride;
    const GradientPass* const pass = pass_of(passes, index, position);
    return static_cast<const float*>(pass->data) + (position - (pass - 1)->end) * pass->stride;
  }
};

/// Columns of a gradient row of any format, as floats.
struct AnyRow {
  const void* data;
  Format format;

  template <class Lanes>
  [[nodiscard]] [[gnu::always_inline]] Floats load(std::int64_t c, Lanes lanes) const {
    if (format == Format::f32) return ROWMILL_ISA::load(static_cast<const float*>(data) + c, lanes);
    const auto* const halves = static_cast<const std::uint16_t*>(data) + c;
    return format == Format::bf16 ? Bf16Format::load(halves, lanes) : F16Format::load(halves, lanes);
  }
  template <std::int64_t n, class Lanes>
  [[gnu::always_inline]] void load(std::int64_t c, Floats (&v)[n], Lanes lanes) const {
    with_format(
        format, [&]<class Of>() __attribute__((always_inline)) { load_vectors<Of>(element<Of>(data, c), v, lanes); });
  }
};

/// The gradient rows of a step whose passes have any format.
struct AnyGradients {
  const GradientPass* passes;
  std::int64_t pass_count;

  explicit AnyGradients(const GradientArgs& a) : passes(a.passes), pass_count(a.pass_count) {}

  [[nodiscard]] AnyRow row(std::int64_t position) const {
    const GradientPass* const pass = pass_of(passes, pass_count, position);
    const std::int64_t begin = pass == passes ? 0 : (pass - 1)->end;
    const std::int64_t size = pass->format == Format::f32 ? 4 : 2;
    return {static_cast<const char*>(pass->data) + (position - begin) * pass->stride * size, pass->format};
  }
};

[[gnu::always_inline]] inline Floats load_column(const float* row, std::int64_t c, auto lanes) {
  return load(row + c, lanes);
}
[[gnu::always_inline]] inline Floats load_column(const AnyRow& row, std::int64_t c, auto lanes) {
  return row.load(c, lanes);
}

/// Gradient rows of one pass that are contiguous, in one storage format.
template <std::int64_t kColumns, class StorageFormat>
struct PackedGradients {
  using Storage = StorageFormat;
  using Value = typename Storage::Value;
  const Value* data;

  [[nodiscard]] const Value* row(std::int64_t position) const { return data + position * kColumns; }
};

/// Whether the rows of a table and the gradients are packed: its stride is their number of columns, and there is one
/// pass.
inline bool are_packed(const GradientArgs& a, std::int64_t table_stride) {
  return table_stride == a.dim && a.pass_count == 1 && a.passes[0].stride == a.dim;
}

/// For max: which columns of its bag's gradient a contribution gets.
struct Winners {
  const std::int32_t* winners;
  const std::int32_t* bag_positions;
  std::int64_t dim;

  Winners(const SegmentArgs& a, const GradientArgs& g)
      : winners(g.winners), bag_positions(a.bag_positions), dim(g.dim) {}

  /// g, columns c and on of contribution k, which has that position, where it won; +0 elsewhere.
  template <class Lanes>
  [[nodiscard]] [[gnu::always_inline]] Floats where_won(std::int64_t k, std::int64_t position, std::int64_t c,
                                                        Lanes lanes, Floats g) const {
    const auto* const row = reinterpret_cast<const float*>(winners + position * dim + c);
    return where_equal(g, load(row, lanes), bag_positions[k]);
  }
};

/// Contributions that are gradient rows as they are.
struct Unscaled {
  struct One {
    [[gnu::always_inline]] Floats operator()(Floats g) const { return g; }
  };
  [[gnu::always_inline]] One next() { return {}; }
};

/// Contributions with coefficients, from the first of `coefficients` on.
struct Scaled {
  const float* coefficients;

  struct One {
    Floats coefficient;
    [[gnu::always_inline]] Floats operator()(Floats g) const { return coefficient * g; }
  };
  [[gnu::always_inline]] One next() { return {Floats(*coefficients++)}; }
};

/// sum = contributions of `count` positions added in order, columns [c, c + kVectors * kLanes). The first term is
/// taken, not added to zero, which would turn -0 into +0. later(p, row) is the row to prefetch while that of *p is
/// read, which is `row`: between the loads, where a prefetch is almost free.
template <std::int64_t kVectors, class Rows, class Scales, class Lanes, class Later>
[[gnu::always_inline]] inline void sum_rows(const Rows& gradients, Scales scales, const std::int64_t* positions,
                                            std::int64_t count, std::int64_t c, Lanes lanes, CacheLevel into,
                                            Later later, Floats (&sum)[kVectors]) {
  const auto read = [&](const std::int64_t* p, auto take) __attribute__((always_inline)) {
    const auto* const row = gradients.row(*p);
    const auto* const next = later(p, row) + c;
    const auto scale = scales.next();
    constexpr std::int64_t n = kVectors > 1 ? 2 : 1;
    unrolled<kVectors / n>([&](std::int64_t i) __attribute__((always_inline)) {
      Floats group[n];
      unrolled<n>([&](std::int64_t v)
                      __attribute__((always_inline)) { prefetch_column(next, (n * i + v) * kLanes, into); });
      load_vectors<typename Rows::Storage>(row + c + n * i * kLanes, group, lanes);
      unrolled<n>([&](std::int64_t v) __attribute__((always_inline)) { take(n * i + v, scale(group[v])); });
    });
  };
  read(
      positions, [&](std::int64_t v, Floats value) __attribute__((always_inline)) { sum[v] = value; });
  for (const std::int64_t* p = positions + 1; p < positions + count; ++p) {
    read(
        p, [&](std::int64_t v, Floats value) __attribute__((always_inline)) { sum[v] += value; });
  }
}

/// The segments of a step while a loop goes through them. While it works on one it is to prefetch what it will need
/// further on, or, at the end, again what it has.
struct Segments {
  const std::int64_t* rows;
  const std::int64_t* begin;
  const std::int64_t* positions;
  const float* coefficients;
  std::int64_t count;
  std::int64_t dim;
  Gradients gradients;
  std::int64_t ahead;  // in segments, and in positions
  std::int64_t end;
  const std::int64_t* last_ahead;  // of the positions; null where gradients are not prefetched

  Segments(const SegmentArgs& a, const GradientArgs& g, std::int64_t distance)
      : rows(a.rows),
        begin(a.begin),
        positions(a.positions),
        coefficients(a.coefficients),
        count(a.count),
        dim(g.dim),
        gradients(g),
        ahead(distance),
        end(a.begin[a.count]),
        last_ahead(g.prefetched ? a.positions + end - distance : nullptr) {}

  /// The row of the table to prefetch while segment s is worked on.
  [[nodiscard]] std::int64_t later_row(std::int64_t s) const { return rows[s + ahead < count ? s + ahead : s]; }
  /// The gradient row to prefetch while that of *p, which is `row`, is read.
  [[nodiscard]] const float* later_gradient(const std::int64_t* p, const float* row) const {
    return p < last_ahead ? gradients.row(p[ahead]) : row;
  }
  /// The coefficient of contribution k.
  [[nodiscard]] float coefficient(std::int64_t k) const { return coefficients == nullptr ? 1.0F : coefficients[k]; }
  /// Prefetches the first gradient rows, and calls prefetch_row(row) for the first rows of the table.
  template <class PrefetchRow>
  void prefetch_first(std::int64_t row_bytes, CacheLevel into, PrefetchRow prefetch_row) const {
    for (std::int64_t p = begin[0]; last_ahead != nullptr && p < begin[0] + ahead && p < end; ++p) {
      prefetch(gradients.row(positions[p]), row_bytes, into);
    }
    for (std::int64_t s = 0; s < ahead && s < count; ++s) prefetch_row(rows[s]);
  }
};

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
