// SPDX-License-Identifier: Apache-2.0
// Sums across columns in double.
#pragma once

#include <cmath>
#include <cstdint>

namespace rowmill::exact {

/// The sum of term(c) across columns: lane k of 16 sums columns k, k + 16, ... in order; then the lanes as a balanced
/// tree.
template <class Term>
double lane_sum(std::int64_t dim, Term term) {
  constexpr std::int64_t kLanes = 16;
  double lanes[kLanes] = {};
  for (std::int64_t c = 0; c < dim; ++c) lanes[c % kLanes] += term(c);
  for (std::int64_t width = kLanes / 2; width > 0; width /= 2) {
    for (std::int64_t k = 0; k < width; ++k) lanes[k] += lanes[k + width];
  }
  return lanes[0];
}

inline double sum_of_squares(const double* x, std::int64_t dim) {
  return lane_sum(dim, [=](std::int64_t c) { return x[c] * x[c]; });
}

}  // namespace rowmill::exact
