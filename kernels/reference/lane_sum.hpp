// SPDX-License-Identifier: Apache-2.0
// Sums across the columns of a row.
#pragma once

#include <cstdint>

namespace rowmill::reference {

/// The sum of term(c) across columns: lane k of 16 sums columns k, k+16, ... in order, from +0; then the lanes are
/// summed as a balanced tree.
template <class Term>
static float lane_sum(std::int64_t dim, Term term) {
  constexpr std::int64_t kLanes = 16;
  float lanes[kLanes] = {};
  for (std::int64_t c = 0; c < dim; ++c) lanes[c % kLanes] += term(c);
  for (std::int64_t width = kLanes / 2; width > 0; width /= 2) {
    for (std::int64_t k = 0; k < width; ++k) lanes[k] += lanes[k + width];
  }
  return lanes[0];
}

}  // namespace rowmill::reference
