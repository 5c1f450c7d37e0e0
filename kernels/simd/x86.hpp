// SPDX-License-Identifier: Apache-2.0
// The vector units of x86-64, for kernels/simd.hpp alone.
#pragma once

#include <cstdint>
#include <xsimd/xsimd.hpp>

#include "kernels/core/prefetch.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

#if defined(__AVX512BW__)
using Arch = xsimd::avx512bw;
#elif defined(__AVX2__)
using Arch = xsimd::avx2;
#else
using Arch = xsimd::sse2;
#endif
using Floats = xsimd::batch<float, Arch>;
inline constexpr std::int64_t kLanes = static_cast<std::int64_t>(Floats::size);

#if !defined(__AVX2__)
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
#endif

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

inline Floats load_partial(const float* p, std::int64_t n) {
#if defined(__AVX512BW__)
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << n) - 1U), p);
#elif defined(__AVX2__)
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lanes));
#else
  return load_partial_128(p, n);
#endif
}

inline void store_partial(float* p, Floats v, std::int64_t n) {
#if defined(__AVX512BW__)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1U << n) - 1U), v);
#elif defined(__AVX2__)
  // Not maskstore: it is microcoded on AMD.
  store_partial_128(p, _mm256_castps256_ps128(v), n < 4 ? n : 4);
  if (n > 4) store_partial_128(p + 4, _mm256_extractf128_ps(v, 1), n - 4);
#else
  store_partial_128(p, v, n);
#endif
}

inline Floats where_equal(Floats v, Floats bits, std::int32_t x) {
#if defined(__AVX512BW__)
  return _mm512_maskz_mov_ps(_mm512_cmpeq_epi32_mask(_mm512_castps_si512(bits), _mm512_set1_epi32(x)), v);
#elif defined(__AVX2__)
  const __m256i equal = _mm256_cmpeq_epi32(_mm256_castps_si256(bits), _mm256_set1_epi32(x));
  return _mm256_and_ps(v, _mm256_castsi256_ps(equal));
#else
  return _mm_and_ps(v, _mm_castsi128_ps(_mm_cmpeq_epi32(_mm_castps_si128(bits), _mm_set1_epi32(x))));
#endif
}

inline Floats divide(Floats a, Floats b) { return a / b; }
inline Floats square_root(Floats v) { return xsimd::sqrt(v); }

inline float tree_sum_128(__m128 v) {
  v = _mm_add_ps(v, _mm_movehl_ps(v, v));
  return _mm_cvtss_f32(_mm_add_ss(v, _mm_shuffle_ps(v, v, 1)));
}

inline float tree_sum(Floats v) {
#if defined(__AVX512BW__)
  const __m256 high = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(v), 1));
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(v), high);
  return tree_sum_128(_mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1)));
#elif defined(__AVX2__)
  return tree_sum_128(_mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)));
#else
  return tree_sum_128(v);
#endif
}

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

[[gnu::always_inline]] inline void prefetch_line(const char* p, CacheLevel into) {
  if (into == CacheLevel::first) {
    __asm__ volatile("prefetcht0 %0" : : "m"(*p));
  } else {
    __asm__ volatile("prefetcht1 %0" : : "m"(*p));
  }
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
