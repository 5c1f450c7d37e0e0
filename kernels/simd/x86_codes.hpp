// SPDX-License-Identifier: Apache-2.0
// Codes of quantised rows, as floats, on x86-64. For kernels/simd/quantized.hpp alone.
//
// The scale and bias follow the codes: 8 bytes in int8, 4 in the others. So most tails can be read like full vectors.
// Their other lanes are unspecified.
#pragma once

#include "kernels/simd.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

inline __m128i load_32(const std::uint8_t* p) {
  std::int32_t word = 0;
  __builtin_memcpy(&word, p, sizeof word);
  return _mm_cvtsi32_si128(word);
}

#if defined(__AVX2__)
inline Floats load_codes_8(const std::uint8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
inline Floats load_codes_4(const std::uint8_t* p) {
  const __m256i shifts = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28);
  const __m256i codes = _mm256_srlv_epi32(_mm256_broadcastd_epi32(load_32(p)), shifts);
  return _mm256_cvtepi32_ps(_mm256_and_si256(codes, _mm256_set1_epi32(15)));
}
inline Floats load_codes_2(const std::uint8_t* p) {
  const __m256i shifts = _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14);
  const __m256i codes = _mm256_srlv_epi32(_mm256_set1_epi32(p[0] | p[1] << 8), shifts);
  return _mm256_cvtepi32_ps(_mm256_and_si256(codes, _mm256_set1_epi32(3)));
}
#else
inline Floats load_codes_8(const std::uint8_t* p) {
  const __m128i zero = _mm_setzero_si128();
  return _mm_cvtepi32_ps(_mm_unpacklo_epi16(_mm_unpacklo_epi8(load_32(p), zero), zero));
}
// SSE2 can't shift lanes by different counts. So codes are masked in place, and scaled by a power of 2, which is exact.
inline Floats load_codes_4(const std::uint8_t* p) {
  const __m128i codes = _mm_and_si128(_mm_set1_epi32(p[0] | p[1] << 8), _mm_setr_epi32(0xF, 0xF0, 0xF00, 0xF000));
  return _mm_mul_ps(_mm_cvtepi32_ps(codes), _mm_setr_ps(1, 0x1p-4F, 0x1p-8F, 0x1p-12F));
}
inline Floats load_codes_2(const std::uint8_t* p) {
  const __m128i codes = _mm_and_si128(_mm_set1_epi32(p[0]), _mm_setr_epi32(3, 3 << 2, 3 << 4, 3 << 6));
  return _mm_mul_ps(_mm_cvtepi32_ps(codes), _mm_setr_ps(1, 0x1p-2F, 0x1p-4F, 0x1p-6F));
}
#endif

/// Converts codes to values by arithmetic. Multiplication and addition round separately.
template <int kBits>
struct CodeValues {
  Floats scale, bias;

  template <class Lanes>
  [[gnu::always_inline]] Floats load(const std::uint8_t* p, Lanes) const {
    if constexpr (kBits == 8) return load_codes_8(p) * scale + bias;
    if constexpr (kBits == 4) return load_codes_4(p) * scale + bias;
    if constexpr (kBits == 2) return load_codes_2(p) * scale + bias;
  }
};

struct ScaleAndBias {
  Floats scale, bias;
};

/// The two float16 at p, each in all lanes.
inline ScaleAndBias load_f16_pair(const std::uint8_t* p) {
#if defined(__AVX2__)
  const __m128 both = _mm_cvtph_ps(load_32(p));
  return {_mm256_broadcastss_ps(both), _mm256_broadcastss_ps(_mm_shuffle_ps(both, both, 1))};
#else
  const __m128 both = widen_f16(load_32(p));
  return {_mm_shuffle_ps(both, both, 0), _mm_shuffle_ps(both, both, 0x55)};
#endif
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
