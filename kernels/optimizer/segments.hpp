// SPDX-License-Identifier: Apache-2.0
// Sums of gradient rows: what the optimizers' leaf loops share. Included by *.isa.cpp files only.
#pragma once

#include "kernels/kernel_list.hpp"
#include "kernels/simd.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

/// The gradient row of a position.
inline const float* contribution(const GradientPass* pass, std::int64_t position) {
  std::int64_t begin = 0;
  while (position >= pass->end) begin = (pass++)->end;
  return pass->data + (position - begin) * pass->stride;
}

/// sum = gradient rows of `count` positions added in order, columns [c, c + kVectors * kLanes). The first term is
/// taken, not added to zero, which would turn -0 into +0.
template <std::int64_t kVectors, class Load>
inline void sum_rows(const GradientPass* passes, const std::int64_t* positions, std::int64_t count, std::int64_t c,
                     Load load_from, Floats (&sum)[kVectors]) {
  const float* first = contribution(passes, positions[0]) + c;
  for (std::int64_t v = 0; v < kVectors; ++v) sum[v] = load_from(first + v * kLanes);
  for (std::int64_t k = 1; k < count; ++k) {
    const float* next = contribution(passes, positions[k]) + c;
    for (std::int64_t v = 0; v < kVectors; ++v) sum[v] += load_from(next + v * kLanes);
  }
}

/// The gradient of segment s: its one contribution where it lies, or the sum of several, in scratch.
inline const float* segment_gradient(const SegmentArgs& a, std::int64_t s) {
  const std::int64_t* positions = a.positions + a.begin[s];
  const std::int64_t count = a.begin[s + 1] - a.begin[s];
  if (count == 1) return contribution(a.passes, positions[0]);
  for_each_group(a.dim, [&]<std::int64_t kVectors>(std::int64_t c, auto load_from, auto store_to) {
    const auto length_at = [&](std::int64_t begin) { return count - begin < a.block ? count - begin : a.block; };
    Floats total[kVectors];
    sum_rows(a.passes, positions, length_at(0), c, load_from, total);
    for (std::int64_t begin = length_at(0); begin < count; begin += length_at(begin)) {
      Floats sum[kVectors];
      sum_rows(a.passes, positions + begin, length_at(begin), c, load_from, sum);
      for (std::int64_t v = 0; v < kVectors; ++v) total[v] += sum[v];
    }
    for (std::int64_t v = 0; v < kVectors; ++v) store_to(a.scratch + c + v * kLanes, total[v]);
  });
  return a.scratch;
}

/// Calls update(row, gradient) for each segment, and asks ahead for the rows that prefetch_row(row) names and for the
/// contributions.
template <class PrefetchRow, class Update>
inline void for_each_segment(const SegmentArgs& a, PrefetchRow prefetch_row, Update update) {
  const std::int64_t row_bytes = a.dim * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t ahead = prefetch_distance(2 * row_bytes);
  constexpr std::int64_t kMostContributions = 4;  // a longer segment's own loop is ahead of its memory
  const auto ask_for = [&](std::int64_t s) {
    prefetch_row(a.rows[s]);
    const std::int64_t count = a.begin[s + 1] - a.begin[s];
    for (std::int64_t k = 0; k < (count < kMostContributions ? count : kMostContributions); ++k) {
      prefetch(contribution(a.passes, a.positions[a.begin[s] + k]), row_bytes);
    }
  };
  for (std::int64_t s = 0; s < ahead && s < a.count; ++s) ask_for(s);
  for (std::int64_t s = 0; s < a.count; ++s) {
    if (s + ahead < a.count) ask_for(s + ahead);
    update(a.rows[s], segment_gradient(a, s));
  }
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
