// SPDX-License-Identifier: Apache-2.0
// Codes of quantised rows, and their values, with AVX-512. For kernels/simd/quantized.hpp alone.
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

/// Converts codes to values by arithmetic. Multiplication and addition round separately.
template <int kBits>
struct CodeValues {
  Floats scale, bias;

  [[gnu::always_inline]] Floats load(const std::uint8_t* p, FullVector) const {
    return of(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  [[gnu::always_inline]] Floats load(const std::uint8_t* p, Tail tail) const {
    return of(_mm512_castsi512_si128(_mm512_maskz_loadu_epi8((std::uint64_t{1} << tail.n) - 1, p)));
  }
  [[gnu::always_inline]] Floats of(__m128i codes) const {
    return Floats(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(codes))) * scale + bias;
  }
};

/// int8 in one operation less, for rows whose scale is_usual(). A byte shuffle turns the code q into the float 2^23 +
/// q. One fused multiply-subtract then gives (2^23 + q) * scale - 2^23 * scale, which is q * scale rounded once.
struct UsualInt8 {
  const std::uint8_t* codes;
  Floats scale, bias, base;

  [[gnu::always_inline]] UsualInt8(const std::uint8_t* row, Floats row_scale, Floats row_bias)
      : codes(row), scale(row_scale), bias(row_bias), base(times_2_23(scale)) {}
  [[gnu::always_inline]] Floats load(std::int64_t column, FullVector) const {
    return of(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes + column)));
  }
  [[gnu::always_inline]] Floats load(std::int64_t column, Tail tail) const {
    return of(_mm512_castsi512_si128(_mm512_maskz_loadu_epi8((std::uint64_t{1} << tail.n) - 1, codes + column)));
  }
  [[gnu::always_inline]] Floats of(__m128i bytes) const {
    const __m512i index = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i codes_of_lanes = _mm512_mask_shuffle_epi8(
        _mm512_castps_si512(_mm512_set1_ps(0x1p23F)), 0x1111'1111'1111'1111, _mm512_broadcast_i32x4(bytes), index);
    return Floats(_mm512_fmsub_ps(_mm512_castsi512_ps(codes_of_lanes), scale, base)) + bias;
  }
  [[gnu::always_inline]] UsualInt8 from(std::int64_t column) const {
    UsualInt8 rest = *this;
    rest.codes += column;
    return rest;
  }
  /// 2^23 * x. Not by `*`: the compiler would multiply before the broadcast, and broadcast three floats in place of
  /// two.
  [[gnu::always_inline]] static Floats times_2_23(Floats x) {
    return _mm512_mul_round_ps(x, _mm512_set1_ps(0x1p23F), _MM_FROUND_CUR_DIRECTION);
  }
  /// Judged by the upper byte of the scale: it is +0 or positive, and below 2^103, so that 2^23 * scale is finite. With
  /// a negative scale, a code of 0 would give +0 where the product is -0.
  [[gnu::always_inline]] static bool is_usual(std::uint8_t upper_byte) { return upper_byte < 0x73; }
};

/// A lookup table of the values of all 16 codes in one register, computed once a row. Codes are indices, whose upper
/// bits the permutation ignores, so that they need no mask.
template <>
struct CodeValues<4> {
  __m512 table;

  /// By one fused operation: the product of a code and a float16 is exact.
  [[gnu::always_inline]] CodeValues(Floats scale, Floats bias)
      : table(_mm512_fmadd_ps(_mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), scale, bias)) {}
  [[gnu::always_inline]] Floats load(const std::uint8_t* p, FullVector) const {
    return at(_mm512_mask_broadcastd_epi32(_mm512_broadcastd_epi32(load_32(p)), 0xFF00, load_32(p + 4)));
  }
  [[gnu::always_inline]] Floats load(const std::uint8_t* p, Tail tail) const {
    return tail.n > 8 ? load(p, FullVector{}) : at(_mm512_broadcastd_epi32(load_32(p)));
  }
  /// `codes` has the codes of lanes 0 to 7 in each of these lanes, and those of lanes 8 to 15 in each of the others.
  [[gnu::always_inline]] Floats at(__m512i codes) const {
    const __m512i shifts = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28);
    return _mm512_permutexvar_ps(_mm512_srlv_epi32(codes, shifts), table);
  }
};

/// int4 in one operation less, for sums: shifts 64 bits at once, so that lanes 2k and 2k + 1 have columns k and k + 8.
struct SummedInt4 {
  const std::uint8_t* codes;
  CodeValues<4> values;

  [[gnu::always_inline]] SummedInt4(const std::uint8_t* row, Floats scale, Floats bias)
      : codes(row), values(scale, bias) {}
  [[gnu::always_inline]] Floats load(std::int64_t column, FullVector) const {
    std::int64_t eight_bytes = 0;
    __builtin_memcpy(&eight_bytes, codes + column / 2, sizeof eight_bytes);
    return at(_mm512_set1_epi64(eight_bytes));
  }
  [[gnu::always_inline]] Floats load(std::int64_t column, Tail tail) const {
    if (tail.n > 8) return load(column, FullVector{});
    return at(_mm512_broadcastd_epi32(load_32(codes + column / 2)));
  }
  [[gnu::always_inline]] Floats at(__m512i bits) const {
    const __m512i shifts = _mm512_setr_epi64(0, 4, 8, 12, 16, 20, 24, 28);
    return _mm512_permutexvar_ps(_mm512_srlv_epi64(bits, shifts), values.table);
  }
  [[gnu::always_inline]] static Floats in_order(Floats v) {
    return _mm512_permutexvar_ps(_mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15), v);
  }
  [[gnu::always_inline]] SummedInt4 from(std::int64_t column) const {
    SummedInt4 rest = *this;
    rest.codes += column / 2;
    return rest;
  }
};

/// A lookup table of the values of the 4 codes, in each quarter of a register.
template <>
struct CodeValues<2> {
  __m512 table;

  [[gnu::always_inline]] CodeValues(Floats scale, Floats bias)
      : table(Floats(_mm512_setr_ps(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3)) * scale + bias) {}
  template <class Lanes>
  [[gnu::always_inline]] Floats load(const std::uint8_t* p, Lanes) const {
    const __m512i shifts = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    return _mm512_permutevar_ps(table, _mm512_srlv_epi32(_mm512_broadcastd_epi32(load_32(p)), shifts));
  }
};

struct ScaleAndBias {
  Floats scale, bias;
};

/// The two float16 at p, each in all lanes.
inline ScaleAndBias load_f16_pair(const std::uint8_t* p) {
  const __m512 pairs = _mm512_cvtph_ps(_mm256_broadcastd_epi32(load_32(p)));
  return {_mm512_moveldup_ps(pairs), _mm512_movehdup_ps(pairs)};
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
