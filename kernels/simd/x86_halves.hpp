// SPDX-License-Identifier: Apache-2.0
// The 16-bit formats of floats on x86-64. For kernels/simd.hpp alone.
#pragma once

#include <cstdint>

#include "kernels/simd/x86.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

// bf16, the upper half of a float, is widened by a shift. It is narrowed by integer arithmetic, because the processors'
// own conversions flush denormals: to the nearest, ties to even, NaNs made quiet. Those of float16 (F16C) keep
// denormals in every mode.

#if defined(__AVX512BW__)
using Halves = __m256i;

inline Halves load_halves(const std::uint16_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
inline Halves load_halves_partial(const std::uint16_t* p, std::int64_t n) {
  return _mm512_castsi512_si256(_mm512_maskz_loadu_epi16(static_cast<__mmask32>((1U << n) - 1U), p));
}
inline void store_halves(std::uint16_t* p, Halves halves) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), halves);
}
inline void store_halves_partial(std::uint16_t* p, Halves halves, std::int64_t n) {
  _mm512_mask_storeu_epi16(p, static_cast<__mmask32>((1U << n) - 1U), _mm512_castsi256_si512(halves));
}

inline Floats widen_bf16(Halves halves) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}
/// Deinterleaves two vectors of bf16: those at even places and those at odd ones. Each takes one operation; in order
/// they would take two.
inline void load_bf16_pairs(const std::uint16_t* p, Floats& even, Floats& odd) {
  const __m512i pairs = _mm512_loadu_si512(p);
  even = _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
  odd = _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(static_cast<int>(0xFFFF0000U))));
}
/// Interleaves two vectors of even and odd places: they become the first and the second one in order.
inline void order_pairs(Floats& even, Floats& odd) {
  const __m512i first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
  const __m512 low = _mm512_permutex2var_ps(even, first, odd);
  odd = _mm512_permutex2var_ps(even, second, odd);
  even = low;
}
/// v rounded to bf16 in the upper halves. The lower halves are unspecified; so too in the other instruction sets.
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
inline Halves narrow_bf16(Floats v) { return _mm512_cvtepi32_epi16(_mm512_srli_epi32(round_bf16_bits(v), 16)); }

inline Floats widen_f16(Halves halves) { return _mm512_cvtph_ps(halves); }
inline Halves narrow_f16(Floats v) { return _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
#else
using Halves = __m128i;  // SSE2 uses the lower half

/// The first n < 8 halves at p, and zeros.
inline Halves load_halves_partial(const std::uint16_t* p, std::int64_t n) {
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
inline void store_halves_partial(std::uint16_t* p, Halves halves, std::int64_t n) {
  if (n >= 4) {
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), halves);
    halves = _mm_unpackhi_epi64(halves, halves);
    p += 4;
  }
  auto rest = static_cast<std::uint64_t>(_mm_cvtsi128_si64(halves));
  if ((n & 2) != 0) {
    const auto pair = static_cast<std::uint32_t>(rest);
    __builtin_memcpy(p, &pair, sizeof pair);
    rest >>= 32;
    p += 2;
  }
  if ((n & 1) != 0) *p = static_cast<std::uint16_t>(rest);
}

#if defined(__AVX2__)
inline Halves load_halves(const std::uint16_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
inline void store_halves(std::uint16_t* p, Halves halves) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), halves); }

inline Floats widen_bf16(Halves halves) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
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
inline Halves narrow_bf16(Floats v) {
  const __m256i halves = _mm256_srai_epi32(round_bf16_bits(v), 16);  // sign-extended, so that packs does not saturate
  return _mm_packs_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
}

inline Floats widen_f16(Halves halves) { return _mm256_cvtph_ps(halves); }
inline Halves narrow_f16(Floats v) { return _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
#else
inline Halves load_halves(const std::uint16_t* p) { return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)); }
inline void store_halves(std::uint16_t* p, Halves halves) { _mm_storel_epi64(reinterpret_cast<__m128i*>(p), halves); }

/// `yes` where the lanes of `mask` are ones, `no` where they are zeros.
inline __m128i choose(__m128i mask, __m128i yes, __m128i no) {
  return _mm_or_si128(_mm_and_si128(mask, yes), _mm_andnot_si128(mask, no));
}

inline Floats widen_bf16(Halves halves) { return _mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), halves)); }
inline __m128i round_bf16_bits(Floats v) {
  const __m128i bits = _mm_castps_si128(v);
  const __m128i odd = _mm_and_si128(_mm_srli_epi32(bits, 16), _mm_set1_epi32(1));
  const __m128i rounded = _mm_add_epi32(bits, _mm_add_epi32(odd, _mm_set1_epi32(0x7FFF)));
  const __m128i quiet = _mm_or_si128(bits, _mm_set1_epi32(0x00400000));
  return choose(_mm_castps_si128(_mm_cmpunord_ps(v, v)), quiet, rounded);
}
inline Floats round_bf16(Floats v) {
  return _mm_castsi128_ps(_mm_and_si128(round_bf16_bits(v), _mm_set1_epi32(static_cast<int>(0xFFFF0000U))));
}
inline Halves narrow_bf16(Floats v) {
  const __m128i halves = _mm_srai_epi32(round_bf16_bits(v), 16);  // sign-extended, so that packs does not saturate
  return _mm_packs_epi32(halves, halves);
}

// float16 as in F16 (rowmill/format.hpp).
inline Floats widen_f16(Halves halves) {
  const __m128i wide = _mm_unpacklo_epi16(halves, _mm_setzero_si128());
  const __m128i bits = _mm_slli_epi32(_mm_and_si128(wide, _mm_set1_epi32(0x7FFF)), 13);
  const __m128i sign = _mm_slli_epi32(_mm_and_si128(wide, _mm_set1_epi32(0x8000)), 16);
  const __m128i bias = _mm_set1_epi32((127 - 15) << 23);
  const __m128i special = _mm_cmpgt_epi32(bits, _mm_set1_epi32((0x7C00 << 13) - 1));
  const __m128i normal = _mm_add_epi32(_mm_add_epi32(bits, bias), _mm_and_si128(special, bias));
  const __m128i smallest = _mm_set1_epi32((127 - 14) << 23);
  const __m128 denormal = _mm_sub_ps(_mm_castsi128_ps(_mm_add_epi32(bits, smallest)), _mm_castsi128_ps(smallest));
  const __m128i is_denormal = _mm_cmplt_epi32(bits, _mm_set1_epi32(0x400 << 13));
  return _mm_castsi128_ps(_mm_or_si128(choose(is_denormal, _mm_castps_si128(denormal), normal), sign));
}
inline Halves narrow_f16(Floats v) {
  const __m128i wide = _mm_castps_si128(v);
  const __m128i magnitude = _mm_and_si128(wide, _mm_set1_epi32(0x7FFFFFFF));
  const __m128i odd = _mm_and_si128(_mm_srli_epi32(magnitude, 13), _mm_set1_epi32(1));
  const __m128i rebiased = _mm_add_epi32(magnitude, _mm_set1_epi32(0xFFF - ((127 - 15) << 23)));
  const __m128i normal = _mm_srli_epi32(_mm_add_epi32(rebiased, odd), 13);  // what rounds to 65536 is infinity
  // The last place of floats from 0.5 to 1 is 2^-24, as that of denormal halves: so the sum rounds to those.
  const __m128i one_half = _mm_set1_epi32(126 << 23);
  const __m128 sum = _mm_add_ps(_mm_castsi128_ps(magnitude), _mm_castsi128_ps(one_half));
  const __m128i denormal = _mm_sub_epi32(_mm_castps_si128(sum), one_half);
  const __m128i is_denormal = _mm_cmplt_epi32(magnitude, _mm_set1_epi32((127 - 14) << 23));
  const __m128i nan = _mm_and_si128(_mm_castps_si128(_mm_cmpunord_ps(v, v)), _mm_set1_epi32(0x200));
  const __m128i special = _mm_or_si128(nan, _mm_set1_epi32(0x7C00));
  const __m128i is_special = _mm_cmpgt_epi32(magnitude, _mm_set1_epi32(((127 + 16) << 23) - 1));
  const __m128i half = choose(is_special, special, choose(is_denormal, denormal, normal));
  const __m128i sign = _mm_slli_epi32(_mm_srai_epi32(wide, 31), 15);  // sign-extended, so that packs does not saturate
  const __m128i halves = _mm_or_si128(half, sign);
  return _mm_packs_epi32(halves, halves);
}
#endif
#endif

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
