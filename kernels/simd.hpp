// SPDX-License-Identifier: Apache-2.0
// What leaf kernels need of a vector unit, on xsimd: loads, stores, partial rows, streaming, prefetch. Included only by
// *.isa.cpp files, which are compiled once per instruction set; everything here has internal linkage, so that no object
// can borrow another's code.
//
// What differs between architectures is in kernels/simd/, and each of those headers gives:
//   Arch, Floats            xsimd's name of the instruction set, and its vector of floats
//   load_partial(p, n)      the first n < kLanes floats at p; the other lanes are zero. Reads nothing past them
//   store_partial(p, v, n)  stores the first n < kLanes lanes at p and writes nothing past them
//   divide(a, b)            a / b and the square root of v, exactly rounded: xsimd's own of neon64 are approximations
//   square_root(v)
//   tree_sum(v)             the sum of the lanes as a balanced tree: lane k + lane k + kLanes / 2, and so on
//   stream(p, v)            a store that goes past the caches, where there is one; p is aligned to the vector
//   stream_fence()          after streaming, before others may read it
//   prefetch_line<into>(p)  asks for a line. Not by __builtin_prefetch: GCC takes a function that only prefetches for
//                           one without effect, and drops calls that it has not inlined yet
#pragma once

#include <cstdint>
#include <utility>

#if defined(__x86_64__)
#include "kernels/simd/x86.hpp"
#elif defined(__aarch64__)
#include "kernels/simd/neon.hpp"
#else
#error "no vector unit: build kernels/reference instead"
#endif

namespace rowmill::ROWMILL_ISA {
namespace {

template <class T>
using Batch = xsimd::batch<T, Arch>;

inline constexpr std::int64_t kLanes = static_cast<std::int64_t>(Floats::size);

inline Floats load(const float* p) { return Floats::load_unaligned(p); }
inline void store(float* p, Floats v) { v.store_unaligned(p); }

inline constexpr std::int64_t kCacheLine = 64;

/// Calls f.operator()<level>(): what asks for rows is compiled once for each level, so that its loops hold no branch.
template <class F>
[[gnu::always_inline]] inline void with_level(CacheLevel level, F f) {
  if (level == CacheLevel::first) {
    f.template operator()<CacheLevel::first>();
  } else {
    f.template operator()<CacheLevel::second>();
  }
}

/// Asks for the first `bytes` at p, to be read soon. Written out four lines at a time: fewer instructions and branches
/// for each row.
template <CacheLevel kInto>
[[gnu::always_inline]] inline void prefetch(const void* p, std::int64_t bytes) {
  const char* const begin = static_cast<const char*>(p);
  std::int64_t b = 0;
  for (; b + 4 * kCacheLine <= bytes; b += 4 * kCacheLine) {
    prefetch_line<kInto>(begin + b);
    prefetch_line<kInto>(begin + b + kCacheLine);
    prefetch_line<kInto>(begin + b + 2 * kCacheLine);
    prefetch_line<kInto>(begin + b + 3 * kCacheLine);
  }
  for (; b < bytes; b += kCacheLine) prefetch_line<kInto>(begin + b);
}

/// Asks for the line in which column c of a row lies, where c begins a vector: once for each line.
template <CacheLevel kInto>
[[gnu::always_inline]] inline void prefetch_column(const float* row, std::int64_t c) {
  constexpr std::int64_t kLineFloats = kCacheLine / std::int64_t{sizeof(float)};
  if (kLanes == kLineFloats || c % kLineFloats == 0) prefetch_line<kInto>(reinterpret_cast<const char*>(row + c));
}

/// How many rows ahead to ask for, `most` where they are short: enough to cover a miss. Measured: docs/choices.md.
constexpr std::int64_t prefetch_distance(std::int64_t row_bytes, std::int64_t most) {
  constexpr std::int64_t kUsualBytes = 8192;
  constexpr std::int64_t kMostBytes = 32768;  // of the first-level cache
  constexpr std::int64_t kFewest = 8;
  std::int64_t rows = kUsualBytes / row_bytes;
  rows = rows < kFewest ? kFewest : rows > most ? most : rows;
  const std::int64_t fitting = kMostBytes / row_bytes;
  return fitting < 1 ? 1 : rows > fitting ? fitting : rows;
}

/// For reading rows, for updating them and what belongs to them, and for summing the many gradients of one row, which
/// mostly lie close together.
constexpr std::int64_t read_distance(std::int64_t row_bytes) { return prefetch_distance(row_bytes, 32); }
constexpr std::int64_t update_distance(std::int64_t row_bytes, CacheLevel into) {
  return prefetch_distance(row_bytes, into == CacheLevel::first ? 16 : 32);
}
constexpr std::int64_t sum_distance(std::int64_t row_bytes) { return prefetch_distance(row_bytes, 16); }

/// Updates ask for rows of this many bytes or more between the loads of others, for shorter ones before them; but see
/// for_each_row in kernels/optimizer/rows.hpp.
inline constexpr std::int64_t kLongRowBytes = 1024;
inline constexpr std::int64_t kLongRowColumns = kLongRowBytes / std::int64_t{sizeof(float)};

/// What bodies load and store with: a whole vector, or the first n < kLanes floats. Types, and inlined always: a
/// pointer to a function would be called once for each vector wherever GCC finds a loop too long to inline it.
struct Whole {
  [[gnu::always_inline]] Floats operator()(const float* p) const { return load(p); }
  [[gnu::always_inline]] void operator()(float* p, Floats v) const { store(p, v); }
};
struct Part {
  std::int64_t n;
  [[gnu::always_inline]] Floats operator()(const float* p) const { return load_partial(p, n); }
  [[gnu::always_inline]] void operator()(float* p, Floats v) const { store_partial(p, v, n); }
};

/// Calls body(column, load, store) for each vector of a row of `dim` columns; the last may be partial.
template <class Body>
[[gnu::always_inline]] inline void for_each_vector(std::int64_t dim, Body body) {
  std::int64_t c = 0;
  for (; c + kLanes <= dim; c += kLanes) body(c, Whole{}, Whole{});
  if (const std::int64_t n = dim - c; n > 0) body(c, Part{n}, Part{n});
}

inline void zero_row(float* out, std::int64_t dim) {
  for_each_vector(dim, [out](std::int64_t c, auto, auto store_to) { store_to(out + c, Floats(0.0F)); });
}

/// Calls f(0) .. f(n - 1), written out: an array that f indexes can then live in registers, which at -O2 it does in no
/// loop.
template <std::int64_t n, class F>
[[gnu::always_inline]] inline void unrolled(F f) {
  [&]<std::int64_t... i>(std::integer_sequence<std::int64_t, i...>) __attribute__((always_inline)) { (f(i), ...); }
  (std::make_integer_sequence<std::int64_t, n>{});
}

/// How many vectors of sums are held in registers at once: half of the registers there are.
#if defined(__AVX512BW__)
inline constexpr std::int64_t kSums = 16;
#else
inline constexpr std::int64_t kSums = 8;
#endif

/// Calls body.operator()<n>(column, load, store) for groups of n vectors that cover a row of `dim` columns: as wide as
/// the registers allow, then half as wide and so on, then a partial vector.
template <std::int64_t n = kSums, class Body>
[[gnu::always_inline]] inline void for_each_group(std::int64_t dim, Body body, std::int64_t c = 0) {
  for (; c + n * kLanes <= dim; c += n * kLanes) body.template operator()<n>(c, Whole{}, Whole{});
  if constexpr (n > 1) {
    for_each_group<n / 2>(dim, body, c);
  } else if (c < dim) {
    body.template operator()<1>(c, Part{dim - c}, Part{dim - c});
  }
}

/// Calls f.operator()<n>() for rows of `dim` columns: n is how many whole vectors a row is, if that is a usual width of
/// at most kMost columns, 16, 32, 64, 128 or 256, that fits into registers; else 0. A loop over narrow rows whose width
/// is known when it is compiled is up to twice as fast: docs/choices.md, Rows of a usual width.
template <std::int64_t kMost, std::int64_t kColumns = 16, class F>
inline void with_width(std::int64_t dim, F f) {
  if constexpr (kColumns <= kMost && kColumns <= kSums * kLanes) {
    if (dim == kColumns) return f.template operator()<kColumns / kLanes>();
    with_width<kMost, 2 * kColumns>(dim, f);
  } else {
    f.template operator()<0>();
  }
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
