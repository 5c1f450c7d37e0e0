// SPDX-License-Identifier: Apache-2.0
// What leaf kernels need of a vector unit, on xsimd: loads, stores, partial rows, streaming, prefetch. Included only by
// *.isa.cpp files, which are compiled once per instruction set; everything here has internal linkage, so that no object
// can borrow another's code.
#pragma once

#include <cstdint>
#include <xsimd/xsimd.hpp>

namespace rowmill::ROWMILL_ISA {
namespace {

#if defined(__AVX512BW__)
using Arch = xsimd::avx512bw;
#elif defined(__AVX2__)
using Arch = xsimd::avx2;
#elif defined(__SSE2__)
using Arch = xsimd::sse2;
#else
#error "no vector unit: build kernels/reference instead"
#endif

template <class T>
using Batch = xsimd::batch<T, Arch>;
using Floats = Batch<float>;

inline constexpr std::int64_t kLanes = static_cast<std::int64_t>(Floats::size);

inline Floats load(const float* p) { return Floats::load_unaligned(p); }
inline void store(float* p, Floats v) { v.store_unaligned(p); }

inline __m128 load_partial_128(const float* p, std::int64_t n) {
  const auto two = [](const float* q) {
    return _mm_castsi128_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(q)));
  };
  switch (n) {
    case 1:
      return _mm_load_ss(p);
    case 2:
      return two(p);
    case 3:
      return _mm_movelh_ps(two(p), _mm_load_ss(p + 2));
    case 4:
      return _mm_loadu_ps(p);
    default:
      return _mm_setzero_ps();
  }
}

inline void store_partial_128(float* p, __m128 v, std::int64_t n) {
  const auto two = [](float* q, __m128 x) { _mm_storel_epi64(reinterpret_cast<__m128i*>(q), _mm_castps_si128(x)); };
  switch (n) {
    case 1:
      return _mm_store_ss(p, v);
    case 2:
      return two(p, v);
    case 3:
      two(p, v);
      return _mm_store_ss(p + 2, _mm_movehl_ps(v, v));
    case 4:
      return _mm_storeu_ps(p, v);
    default:
      return;
  }
}

/// The first n < kLanes floats at p; the other lanes are zero. Reads nothing past them.
inline Floats load_partial(const float* p, std::int64_t n) {
#if defined(__AVX512BW__)
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << n) - 1U), p);
#elif defined(__AVX2__)
  // Not maskload / maskstore: their stores are microcoded on AMD.
  const __m128 low = load_partial_128(p, n < 4 ? n : 4);
  const __m128 high = n > 4 ? load_partial_128(p + 4, n - 4) : _mm_setzero_ps();
  return _mm256_insertf128_ps(_mm256_castps128_ps256(low), high, 1);
#else
  return load_partial_128(p, n);
#endif
}

/// Stores the first n < kLanes lanes at p and writes nothing past them.
inline void store_partial(float* p, Floats v, std::int64_t n) {
#if defined(__AVX512BW__)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1U << n) - 1U), v);
#elif defined(__AVX2__)
  store_partial_128(p, _mm256_castps256_ps128(v), n < 4 ? n : 4);
  if (n > 4) store_partial_128(p + 4, _mm256_extractf128_ps(v, 1), n - 4);
#else
  store_partial_128(p, v, n);
#endif
}

/// A store that goes past the caches; p is aligned to the vector. Needs stream_fence() before others may read it.
inline void stream(float* p, Floats v) {
#if defined(__AVX512BW__)
  _mm512_stream_ps(p, v);
#elif defined(__AVX2__)
  _mm256_stream_ps(p, v);
#else
  _mm_stream_ps(p, v);
#endif
}
inline void stream_fence() { _mm_sfence(); }

inline constexpr std::int64_t kCacheLine = 64;

/// Asks for the first `bytes` at p, to be read soon.
inline void prefetch(const void* p, std::int64_t bytes) {
  for (std::int64_t b = 0; b < bytes; b += kCacheLine) __builtin_prefetch(static_cast<const char*>(p) + b, 0, 2);
}

/// How many rows ahead to ask for: enough bytes in flight to cover a miss, at least one row.
inline std::int64_t prefetch_distance(std::int64_t row_bytes) {
  constexpr std::int64_t kBytesAhead = 8192;
  const std::int64_t rows = kBytesAhead / row_bytes;
  return rows < 1 ? 1 : rows > 32 ? 32 : rows;
}

/// Calls body(column, load, store) for each vector of a row of `dim` columns; the last may be partial.
template <class Body>
inline void for_each_vector(std::int64_t dim, Body body) {
  std::int64_t c = 0;
  for (; c + kLanes <= dim; c += kLanes) body(c, load, store);
  if (const std::int64_t n = dim - c; n > 0) {
    body(
        c, [n](const float* p) { return load_partial(p, n); }, [n](float* p, Floats v) { store_partial(p, v, n); });
  }
}

inline void zero_row(float* out, std::int64_t dim) {
  for_each_vector(dim, [out](std::int64_t c, auto, auto store_to) { store_to(out + c, Floats(0.0F)); });
}

/// How many vectors of sums are held in registers at once: half of the registers there are.
#if defined(__AVX512BW__)
inline constexpr std::int64_t kSums = 16;
#else
inline constexpr std::int64_t kSums = 8;
#endif

/// Calls body.operator()<n>(column, load, store) for groups of n vectors that cover a row of `dim` columns: as wide as
/// the registers allow, then single ones, then a partial one.
template <class Body>
inline void for_each_group(std::int64_t dim, Body body) {
  std::int64_t c = 0;
  for (; c + kSums * kLanes <= dim; c += kSums * kLanes) body.template operator()<kSums>(c, load, store);
  for (; c + 4 * kLanes <= dim; c += 4 * kLanes) body.template operator()<4>(c, load, store);
  for (; c + kLanes <= dim; c += kLanes) body.template operator()<1>(c, load, store);
  if (const std::int64_t n = dim - c; n > 0) {
    body.template operator()<1>(
        c, [n](const float* p) { return load_partial(p, n); }, [n](float* p, Floats v) { store_partial(p, v, n); });
  }
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
