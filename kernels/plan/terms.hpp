// SPDX-License-Identifier: Apache-2.0
// The terms of sums of contributions that are scaled or, for max, won. Included by *.isa.cpp files only.
#pragma once

#include <type_traits>

#include "kernels/plan/segments.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

/// Calls take(v, term) for vectors v of contribution k, from column c on: its coefficient times its gradient row; for
/// max where it won, and +0 elsewhere. `rows` are the gradients of the segments: Gradients, or AnyGradients.
template <bool kMax, std::int64_t kVectors, class Rows, class Lanes, class Take>
[[gnu::always_inline]] inline void each_term(const Segments& segments, const Rows& rows, const Winners& winners,
                                             std::int64_t k, std::int64_t c, Lanes lanes, Take take) {
  const std::int64_t* const p = segments.positions + k;
  const auto row = rows.row(*p);
  const float* later = nullptr;
  if constexpr (std::is_same_v<Rows, Gradients>) later = segments.later_gradient(p, row) + c;
  const Floats coefficient(segments.coefficient(k));
  unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) {
    const std::int64_t column = c + v * kLanes;
    if constexpr (std::is_same_v<Rows, Gradients>) prefetch_column(later, v * kLanes, CacheLevel::first);
    const Floats term = coefficient * load_column(row, column, lanes);
    if constexpr (kMax) {
      take(v, winners.where_won(k, *p, column, lanes, term));
    } else {
      take(v, term);
    }
  });
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
