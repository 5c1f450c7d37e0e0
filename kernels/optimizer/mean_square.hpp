// SPDX-License-Identifier: Apache-2.0
// The two places a row's gradient may be when its update begins, and the mean square of either. Included by *.isa.cpp
// files only.
#pragma once

#include "kernels/simd.hpp"
#include "kernels/simd/lane_sums.hpp"
#include "kernels/simd/vectors_of_halves.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

/// A gradient row in memory, times a factor. each_vector calls body(column, g, lanes) for each vector g of it, and
/// each_group body(column, g, lanes) for each group g of vectors: Floats[n].
struct GradientInMemory {
  const float* data;
  std::int64_t dim;
  Floats factor;

  template <class Body>
  [[gnu::always_inline]] void each_vector(Body body) const {
    for_each_vector(
        dim, [&](std::int64_t c, auto lanes)
                 __attribute__((always_inline)) { body(c, factor * load(data + c, lanes), lanes); });
  }
  template <class Body>
  [[gnu::always_inline]] void each_group(Body body) const {
    each_vector([&](std::int64_t c, Floats g, auto lanes) __attribute__((always_inline)) {
      const Floats group[1] = {g};
      body(c, group, lanes);
    });
  }
};

/// A gradient row of kVectors full vectors, in the order in which load_vectors<Of> has the columns. each_vector has
/// them in their own order.
template <std::int64_t kVectors, class Of>
struct GradientInRegisters {
  static constexpr std::int64_t dim = kVectors * kLanes;
  const Floats (&sum)[kVectors];

  template <class Body>
  [[gnu::always_inline]] void each_vector(Body body) const {
    Floats ordered[kVectors];
    unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) { ordered[v] = sum[v]; });
    put_in_order<Of>(ordered);
    unrolled<kVectors>([&](std::int64_t v)
                           __attribute__((always_inline)) { body(v * kLanes, ordered[v], FullVector{}); });
  }
  template <class Body>
  [[gnu::always_inline]] void each_group(Body body) const {
    constexpr std::int64_t n = kVectors > 1 ? 2 : 1;
    unrolled<kVectors / n>([&](std::int64_t i) __attribute__((always_inline)) {
      Floats group[n];
      unrolled<n>([&](std::int64_t v) __attribute__((always_inline)) { group[v] = sum[n * i + v]; });
      body(n * i * kLanes, group, FullVector{});
    });
  }
};

template <class Gradient>
[[gnu::always_inline]] inline float mean_square(const Gradient& gradient) {
  LaneSums squares;
  gradient.each_vector([&](std::int64_t c, Floats g, auto)
                           __attribute__((always_inline)) { squares.add(c / kLanes, g * g); });
  return squares.total() / static_cast<float>(gradient.dim);
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
