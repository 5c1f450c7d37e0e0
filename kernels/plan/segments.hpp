// SPDX-License-Identifier: Apache-2.0
// What leaf loops over a plan's segments share: gradient rows, their sums, and asking ahead for them. Included by
// *.isa.cpp files only.
#pragma once

#include "kernels/kernel_list.hpp"
#include "kernels/plan/passes.hpp"
#include "kernels/simd.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

/// The gradient rows of a step, by position. Usually there is one pass: a copy of it stays in registers.
struct Gradients {
  const GradientPass* passes;
  std::int64_t pass_count;
  GradientPass first = passes[0];

  [[nodiscard]] const float* row(std::int64_t position) const {
    if (position < first.end) [[likely]]
      return first.data + position * first.stride;
    const GradientPass* const pass = pass_of(passes + 1, pass_count - 1, position);
    return pass->data + (position - (pass - 1)->end) * pass->stride;
  }
};

/// Gradient rows of one pass that lie one after another.
template <std::int64_t kColumns>
struct CloseGradients {
  const float* data;

  [[nodiscard]] const float* row(std::int64_t position) const { return data + position * kColumns; }
};

/// Whether the rows of a table and the gradients lie so: its stride is their number of columns, and there is one pass.
inline bool lie_close(const SegmentArgs& a, std::int64_t table_stride) {
  return table_stride == a.dim && a.pass_count == 1 && a.passes[0].stride == a.dim;
}

/// sum = gradient rows of `count` positions added in order, columns [c, c + kVectors * kLanes). The first term is
/// taken, not added to zero, which would turn -0 into +0. later(k, row) is what to ask for while the k-th is read,
/// which is `row`: between the loads, where asking is almost free.
template <CacheLevel kGradients, std::int64_t kVectors, class Rows, class Load, class Later>
[[gnu::always_inline]] inline void sum_rows(const Rows& gradients, const std::int64_t* positions, std::int64_t count,
                                            std::int64_t c, Load load_from, Later later, Floats (&sum)[kVectors]) {
  const auto read = [&](std::int64_t k, auto take) __attribute__((always_inline)) {
    const float* const row = gradients.row(positions[k]);
    const float* const next = later(k, row) + c;
    unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) {
      prefetch_column<kGradients>(next, v * kLanes);
      take(v, load_from(row + c + v * kLanes));
    });
  };
  read(
      0, [&](std::int64_t v, Floats value) __attribute__((always_inline)) { sum[v] = value; });
  for (std::int64_t k = 1; k < count; ++k) {
    read(
        k, [&](std::int64_t v, Floats value) __attribute__((always_inline)) { sum[v] += value; });
  }
}

/// Calls f.operator()<tables, gradients>(): the caches into which to ask for rows of the tables and of the gradients.
template <class F>
[[gnu::always_inline]] inline void with_levels(const SegmentArgs& a, F f) {
  if (a.near_gradients && a.ask_into == CacheLevel::second) {
    f.template operator()<CacheLevel::second, CacheLevel::none>();
  } else {
    with_level(a.ask_into, [&]<CacheLevel kInto>() { f.template operator()<kInto, kInto>(); });
  }
}

inline std::int64_t row_bytes_of(const SegmentArgs& a) { return a.dim * static_cast<std::int64_t>(sizeof(float)); }

/// The segments of a step while a loop goes through them. While it works on one it is to ask for what it will need
/// further on, or, at the end, again for what it has.
struct Segments {
  const std::int64_t* rows;
  const std::int64_t* begin;
  const std::int64_t* positions;
  std::int64_t count;
  std::int64_t dim;
  Gradients gradients;
  std::int64_t ahead;  // in segments, and in positions
  std::int64_t end;

  explicit Segments(const SegmentArgs& a) : Segments(a, update_distance(row_bytes_of(a), a.ask_into)) {}
  Segments(const SegmentArgs& a, std::int64_t distance)
      : rows(a.rows),
        begin(a.begin),
        positions(a.positions),
        count(a.count),
        dim(a.dim),
        gradients{a.passes, a.pass_count},
        ahead(distance),
        end(a.begin[a.count]) {}

  /// The row of the table to ask for while segment s is worked on.
  [[nodiscard]] std::int64_t later_row(std::int64_t s) const { return rows[s + ahead < count ? s + ahead : s]; }
  /// The gradient row to ask for while positions[p], which is `row`, is read.
  [[nodiscard]] const float* later_gradient(std::int64_t p, const float* row) const {
    return p + ahead < end ? gradients.row(positions[p + ahead]) : row;
  }
  /// Asks for the first gradient rows, and ask_row(row) for the first rows of the table.
  template <CacheLevel kGradients, class AskRow>
  void ask_first(std::int64_t row_bytes, AskRow ask_row) const {
    for (std::int64_t p = begin[0]; p < begin[0] + ahead && p < end; ++p) {
      prefetch<kGradients>(gradients.row(positions[p]), row_bytes);
    }
    for (std::int64_t s = 0; s < ahead && s < count; ++s) ask_row(rows[s]);
  }
};

/// scratch = the gradient of segment s.
template <CacheLevel kGradients>
[[gnu::noinline]] inline void sum_segment(const SegmentArgs& a, std::int64_t s) {
  const Segments segments(a, sum_distance(row_bytes_of(a)));
  const std::int64_t end = a.begin[s + 1];
  for_each_group(a.dim, [&]<std::int64_t kVectors>(std::int64_t c, auto load_from, auto store_to) {
    const auto sum_from = [&](std::int64_t block, Floats(&sum)[kVectors]) __attribute__((always_inline)) {
      const std::int64_t count = end - block < a.block ? end - block : a.block;
      sum_rows<kGradients>(
          segments.gradients, a.positions + block, count, c, load_from,
          [&](std::int64_t k, const float* row) { return segments.later_gradient(block + k, row); }, sum);
      return block + count;
    };
    Floats total[kVectors];
    std::int64_t block = sum_from(a.begin[s], total);
    while (block < end) {
      Floats sum[kVectors];
      block = sum_from(block, sum);
      unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) { total[v] += sum[v]; });
    }
    unrolled<kVectors>([&](std::int64_t v)
                           __attribute__((always_inline)) { store_to(a.scratch + c + v * kLanes, total[v]); });
  });
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
