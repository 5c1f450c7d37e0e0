// SPDX-License-Identifier: Apache-2.0
// What leaf loops over a plan's segments share: gradient rows, their sums, and asking ahead for them. Included by
// *.isa.cpp files only.
#pragma once

#include "kernels/kernel_list.hpp"
#include "kernels/simd.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

/// The gradient rows of a step, by position. Usually there is one pass: a copy of it stays in registers.
struct Gradients {
  const GradientPass* passes;
  GradientPass first = passes[0];

  [[nodiscard]] const float* row(std::int64_t position) const {
    if (position < first.end) [[likely]]
      return first.data + position * first.stride;
    const GradientPass* pass = passes + 1;
    while (position >= pass->end) ++pass;
    return pass->data + (position - (pass - 1)->end) * pass->stride;
  }
};

/// sum = gradient rows of `count` positions added in order, columns [c, c + kVectors * kLanes). The first term is
/// taken, not added to zero, which would turn -0 into +0. later(k, row) is what to ask for while the k-th is read,
/// which is `row`: between the loads, where asking is almost free.
template <std::int64_t kVectors, class Load, class Later>
[[gnu::always_inline]] inline void sum_rows(const Gradients& gradients, const std::int64_t* positions,
                                            std::int64_t count, std::int64_t c, Load load_from, Later later,
                                            Floats (&sum)[kVectors]) {
  const auto read = [&](std::int64_t k, auto take) __attribute__((always_inline)) {
    const float* const row = gradients.row(positions[k]);
    const float* const next = later(k, row) + c;
    unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) {
      prefetch_vector(next, v);
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

/// A segment's gradient, and what to ask for while it is read: a gradient row further on, or itself.
struct SegmentGradient {
  const float* row;
  const float* later;
};

/// The gradient of segment s: its one contribution where it lies, or the sum of several, in scratch. later(p, row) is
/// what to ask for while positions[p], which is `row`, is read.
template <class Later>
inline SegmentGradient segment_gradient(const SegmentArgs& a, const Gradients& gradients, std::int64_t s, Later later) {
  const std::int64_t begin = a.begin[s];
  const std::int64_t end = a.begin[s + 1];
  if (end - begin == 1) {
    const float* const row = gradients.row(a.positions[begin]);
    return {row, later(begin, row)};
  }
  for_each_group(a.dim, [&]<std::int64_t kVectors>(std::int64_t c, auto load_from, auto store_to) {
    const auto sum_from = [&](std::int64_t block, Floats(&sum)[kVectors]) __attribute__((always_inline)) {
      const std::int64_t count = end - block < a.block ? end - block : a.block;
      sum_rows(
          gradients, a.positions + block, count, c, load_from,
          [&](std::int64_t k, const float* row) { return later(block + k, row); }, sum);
      return block + count;
    };
    Floats total[kVectors];
    std::int64_t block = sum_from(begin, total);
    while (block < end) {
      Floats sum[kVectors];
      block = sum_from(block, sum);
      unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) { total[v] += sum[v]; });
    }
    unrolled<kVectors>([&](std::int64_t v)
                           __attribute__((always_inline)) { store_to(a.scratch + c + v * kLanes, total[v]); });
  });
  return {a.scratch, a.scratch};
}

/// Calls body(s, later_row, later) for each segment s. While the body works on row a.rows[s] it is to ask for
/// later_row, one further on or that row again, and while it reads positions[p] of the segment, which is `row`, for
/// later(p, row). ask_row(row) asks at once, for the first rows.
template <class AskRow, class Body>
inline void for_each_segment(const SegmentArgs& a, const Gradients& gradients, AskRow ask_row, Body body) {
  const std::int64_t row_bytes = a.dim * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t ahead = update_distance(row_bytes);
  const std::int64_t begin = a.begin[0];
  const std::int64_t end = a.begin[a.count];
  const auto later = [&](std::int64_t p, const float* row) {
    return p + ahead < end ? gradients.row(a.positions[p + ahead]) : row;
  };
  for (std::int64_t p = begin; p < begin + ahead && p < end; ++p) prefetch(gradients.row(a.positions[p]), row_bytes);
  for (std::int64_t s = 0; s < ahead && s < a.count; ++s) ask_row(a.rows[s]);
  for (std::int64_t s = 0; s < a.count; ++s) body(s, a.rows[s + ahead < a.count ? s + ahead : s], later);
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
