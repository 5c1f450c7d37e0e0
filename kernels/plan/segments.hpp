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
/// taken, not added to zero, which would turn -0 into +0. ask(k) is called before the k-th is read.
template <std::int64_t kVectors, class Load, class Ask>
[[gnu::always_inline]] inline void sum_rows(const Gradients& gradients, const std::int64_t* positions,
                                            std::int64_t count, std::int64_t c, Load load_from, Ask ask,
                                            Floats (&sum)[kVectors]) {
  ask(0);
  const float* first = gradients.row(positions[0]) + c;
  unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) { sum[v] = load_from(first + v * kLanes); });
  for (std::int64_t k = 1; k < count; ++k) {
    ask(k);
    const float* next = gradients.row(positions[k]) + c;
    unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) { sum[v] += load_from(next + v * kLanes); });
  }
}

/// The gradient of segment s: its one contribution where it lies, or the sum of several, in scratch. ask(p) is called
/// once for each of its positions[p].
template <class Ask>
inline const float* segment_gradient(const SegmentArgs& a, const Gradients& gradients, std::int64_t s, Ask ask) {
  const std::int64_t begin = a.begin[s];
  const std::int64_t end = a.begin[s + 1];
  if (end - begin == 1) {
    ask(begin);
    return gradients.row(a.positions[begin]);
  }
  for_each_group(a.dim, [&]<std::int64_t kVectors>(std::int64_t c, auto load_from, auto store_to) {
    const auto sum_from = [&](std::int64_t block, Floats(&sum)[kVectors]) __attribute__((always_inline)) {
      const std::int64_t count = end - block < a.block ? end - block : a.block;
      const auto ask_once = [&](std::int64_t k) {
        if (c == 0) ask(block + k);
      };
      sum_rows(gradients, a.positions + block, count, c, load_from, ask_once, sum);
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
  return a.scratch;
}

/// Calls body(s, ask) for each segment s, and asks ahead for the rows that prefetch_row(row) names. The body is to call
/// ask(p) once for each of the segment's positions[p]: that asks ahead for gradient rows.
template <class PrefetchRow, class Body>
inline void for_each_segment(const SegmentArgs& a, const Gradients& gradients, PrefetchRow prefetch_row, Body body) {
  const std::int64_t row_bytes = a.dim * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t ahead = update_distance(row_bytes);
  const std::int64_t end = a.begin[a.count];
  const auto ask = [&](std::int64_t p) {
    if (a.prefetch_gradients && p + ahead < end) prefetch(gradients.row(a.positions[p + ahead]), row_bytes);
  };
  for (std::int64_t p = a.begin[0] - ahead; p < a.begin[0]; ++p) ask(p);
  for (std::int64_t s = 0; s < ahead && s < a.count; ++s) prefetch_row(a.rows[s]);
  for (std::int64_t s = 0; s < a.count; ++s) {
    if (s + ahead < a.count) prefetch_row(a.rows[s + ahead]);
    body(s, ask);
  }
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
