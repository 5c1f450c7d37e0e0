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

// bf16, the upper half of a float. It widens by a shift. It narrows by integer arithmetic, to the nearest, a tie to the
// even one, NaNs made quiet: the processors' own conversions flush denormals.

#if defined(__AVX512BW__)
inline Floats widen_bf16(__m256i halves) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}
inline Floats load_bf16(const std::uint16_t* p) {
  return widen_bf16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline Floats load_bf16_partial(const std::uint16_t* p, std::int64_t n) {
  return widen_bf16(_mm512_castsi512_si256(_mm512_maskz_loadu_epi16(static_cast<__mmask32>((1U << n) - 1U), p)));
}
/// Rounded in the upper halves; the lower ones hold anything.
inline __m512i round_bf16_bits(Floats v) {
  const __m512i bits = _mm512_castps_si512(v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
  const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
  return _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x00400000));
}
inline Floats round_bf16(Floats v) {
  return _mm512_castsi512_ps(_mm512_and_si512(round_bf16_bits(v), _mm512_set1_epi32(static_cast<int>(0xFFFF0000U))));
}
inline __m256i narrow_bf16(Floats v) { return _mm512_cvtepi32_epi16(_mm512_srli_epi32(round_bf16_bits(v), 16)); }
inline void store_bf16(std::uint16_t* p, Floats v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrow_bf16(v));
}
inline void store_bf16_partial(std::uint16_t* p, Floats v, std::int64_t n) {
  _mm512_mask_storeu_epi16(p, static_cast<__mmask32>((1U << n) - 1U), _mm512_castsi256_si512(narrow_bf16(v)));
}
#else
/// The first n < 8 halves at p, and zeros.
inline __m128i load_partial_halves(const std::uint16_t* p, std::int64_t n) {
  const std::uint16_t* const last = n >= 4 ? p + 4 : p;
  std::uint32_t pair = 0;
  std::uint64_t rest = 0;  // the last n % 4
  if ((n & 2) != 0) {
    __builtin_memcpy(&pair, last, sizeof pair);
    rest = pair;
  }
  if ((n & 1) != 0) rest |= std::uint64_t{last[n & 2]} << (n & 2) * 16;
  const __m128i high = _mm_cvtsi64_si128(static_cast<long long>(rest));
  return n >= 4 ? _mm_unpacklo_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)), high) : high;
}
inline void store_partial_halves(std::uint16_t* p, __m128i v, std::int64_t n) {
  if (n >= 4) {
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), v);
    v = _mm_unpackhi_epi64(v, v);
    p += 4;
  }
  auto rest = static_cast<std::uint64_t>(_mm_cvtsi128_si64(v));
  if ((n & 2) != 0) {
    const auto pair = static_cast<std::uint32_t>(rest);
    __builtin_memcpy(p, &pair, sizeof pair);
    rest >>= 32;
    p += 2;
  }
  if ((n & 1) != 0) *p = static_cast<std::uint16_t>(rest);
}

#if defined(__AVX2__)
inline Floats widen_bf16(__m128i halves) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}
inline Floats load_bf16(const std::uint16_t* p) {
  return widen_bf16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline __m256i round_bf16_bits(Floats v) {
  const __m256i bits = _mm256_castps_si256(v);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF)));
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x00400000));
  return _mm256_blendv_epi8(rounded, quiet, _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q)));
}
inline Floats round_bf16(Floats v) {
  return _mm256_castsi256_ps(_mm256_and_si256(round_bf16_bits(v), _mm256_set1_epi32(static_cast<int>(0xFFFF0000U))));
}
inline __m128i narrow_bf16(Floats v) {
  const __m256i halves = _mm256_srai_epi32(round_bf16_bits(v), 16);  // with its sign, a half saturates nowhere
  return _mm_packs_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
}
inline void store_bf16(std::uint16_t* p, Floats v) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), narrow_bf16(v)); }
#else
inline Floats widen_bf16(__m128i halves) { return _mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), halves)); }
inline Floats load_bf16(const std::uint16_t* p) {
  return widen_bf16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
inline __m128i round_bf16_bits(Floats v) {
  const __m128i bits = _mm_castps_si128(v);
  const __m128i odd = _mm_and_si128(_mm_srli_epi32(bits, 16), _mm_set1_epi32(1));
  const __m128i rounded = _mm_add_epi32(bits, _mm_add_epi32(odd, _mm_set1_epi32(0x7FFF)));
  const __m128i quiet = _mm_or_si128(bits, _mm_set1_epi32(0x00400000));
  const __m128i nan = _mm_castps_si128(_mm_cmpunord_ps(v, v));
  return _mm_or_si128(_mm_and_si128(nan, quiet), _mm_andnot_si128(nan, rounded));
}
inline Floats round_bf16(Floats v) {
  return _mm_castsi128_ps(_mm_and_si128(round_bf16_bits(v), _mm_set1_epi32(static_cast<int>(0xFFFF0000U))));
}
inline __m128i narrow_bf16(Floats v) {
  const __m128i halves = _mm_srai_epi32(round_bf16_bits(v), 16);  // with its sign, a half saturates nowhere
  return _mm_packs_epi32(halves, halves);
}
inline void store_bf16(std::uint16_t* p, Floats v) { _mm_storel_epi64(reinterpret_cast<__m128i*>(p), narrow_bf16(v)); }
#endif
inline Floats load_bf16_partial(const std::uint16_t* p, std::int64_t n) {
  return widen_bf16(load_partial_halves(p, n));
}
inline void store_bf16_partial(std::uint16_t* p, Floats v, std::int64_t n) {
  store_partial_halves(p, narrow_bf16(v), n);
}
#endif

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
  } else if (into == CacheLevel::second) {
    __asm__ volatile("prefetcht1 %0" : : "m"(*p));
  }
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
