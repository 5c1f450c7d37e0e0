// SPDX-License-Identifier: Apache-2.0
// Loops over the vectors of a row. For kernels/simd.hpp alone.
#pragma once

#include <cstdint>
#include <utility>

namespace rowmill::ROWMILL_ISA {
namespace {

template <class T>
using Batch = xsimd::batch<T, Arch>;

inline Floats load(const float* p) { return Floats::load_unaligned(p); }
inline void store(float* p, Floats v) { v.store_unaligned(p); }

/// Which lanes of a vector a row fills: all of them, or, at its end, the first n < kLanes. These are types, so that
/// loads and stores are chosen when a loop is compiled.
struct FullVector {};
struct Tail {
  std::int64_t n;
};

[[gnu::always_inline]] inline Floats load(const float* p, FullVector) { return load(p); }
[[gnu::always_inline]] inline Floats load(const float* p, Tail tail) { return load_partial(p, tail.n); }
[[gnu::always_inline]] inline void store(float* p, Floats v, FullVector) { store(p, v); }
[[gnu::always_inline]] inline void store(float* p, Floats v, Tail tail) { store_partial(p, v, tail.n); }

/// Calls body(column, lanes) for each vector of a row of `dim` columns; the last may be a tail.
template <class Body>
[[gnu::always_inline]] inline void for_each_vector(std::int64_t dim, Body body) {
  std::int64_t c = 0;
  for (; c + kLanes <= dim; c += kLanes) body(c, FullVector{});
  if (const std::int64_t n = dim - c; n > 0) body(c, Tail{n});
}

inline void zero_row(float* out, std::int64_t dim) {
  for_each_vector(dim, [out](std::int64_t c, auto lanes) { store(out + c, Floats(0.0F), lanes); });
}

/// Calls f(0) .. f(n - 1), unrolled. At -O2 this is the only way to keep an array that f indexes in registers.
template <std::int64_t n, class F>
[[gnu::always_inline]] inline void unrolled(F f) {
  [&]<std::int64_t... i>(std::integer_sequence<std::int64_t, i...>) __attribute__((always_inline)) { (f(i), ...); }
  (std::make_integer_sequence<std::int64_t, n>{});
}

/// How many vectors of sums are held in registers at once: half of all registers.
#if defined(__AVX512BW__)
inline constexpr std::int64_t kSums = 16;
#else
inline constexpr std::int64_t kSums = 8;
#endif

/// Calls body.operator()<n>(column, lanes) for groups of n vectors that cover a row of `dim` columns: as wide as the
/// registers allow, then half as wide and so on, then a tail.
template <std::int64_t n = kSums, class Body>
[[gnu::always_inline]] inline void for_each_group(std::int64_t dim, Body body, std::int64_t c = 0) {
  for (; c + n * kLanes <= dim; c += n * kLanes) body.template operator()<n>(c, FullVector{});
  if constexpr (n > 1) {
    for_each_group<n / 2>(dim, body, c);
  } else if (c < dim) {
    body.template operator()<1>(c, Tail{dim - c});
  }
}

/// Calls f.operator()<n>(), where n is the number of full vectors in a row of `dim` columns, if that is a fixed width:
/// 16, 32, 64, ... up to kMaxColumns, as far as kSums registers hold such a row. Otherwise n is 0. A loop over narrow
/// rows is up to twice as fast if their width is known at compile time: docs/design/performance.md.
template <std::int64_t kMaxColumns, std::int64_t kColumns = 16, class F>
inline void with_width(std::int64_t dim, F f) {
  if constexpr (kColumns <= kMaxColumns && kColumns <= kSums * kLanes) {
    if (dim == kColumns) return f.template operator()<kColumns / kLanes>();
    with_width<kMaxColumns, 2 * kColumns>(dim, f);
  } else {
    f.template operator()<0>();
  }
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
