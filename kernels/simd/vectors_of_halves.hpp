// SPDX-License-Identifier: Apache-2.0
// Loads and stores of several vectors of a row at a time. With AVX-512, two adjacent vectors of bf16 take fewer
// instructions together than one by one: a permutation widens each, and one store takes both. That is worth a third of
// an update's time. Included by *.isa.cpp files only.
#pragma once

#include <type_traits>

#include "kernels/simd/formats.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

#if defined(__AVX512BW__)
inline constexpr __mmask32 kUpperHalves = 0xAAAAAAAA;

inline void load_two_bf16(const std::uint16_t* p, Floats& first, Floats& second) {
  const __m512i halves = _mm512_loadu_si512(p);
  const __m512i to_upper = _mm512_set_epi32(0xF0000, 0xE0000, 0xD0000, 0xC0000, 0xB0000, 0xA0000, 0x90000, 0x80000,
                                            0x70000, 0x60000, 0x50000, 0x40000, 0x30000, 0x20000, 0x10000, 0);
  const __m512i rest = _mm512_or_si512(to_upper, _mm512_set1_epi32(0x100000));
  first = _mm512_castsi512_ps(_mm512_maskz_permutexvar_epi16(kUpperHalves, to_upper, halves));
  second = _mm512_castsi512_ps(_mm512_maskz_permutexvar_epi16(kUpperHalves, rest, halves));
}

/// Stores the upper halves of both.
inline void store_two_upper(std::uint16_t* p, __m512i first, __m512i second) {
  const __m512i mixed = _mm512_mask_mov_epi16(_mm512_srli_epi32(first, 16), kUpperHalves, second);
  const __m512i in_order = _mm512_set_epi32(0x1F001D, 0x1B0019, 0x170015, 0x130011, 0xF000D, 0xB0009, 0x70005, 0x30001,
                                            0x1E001C, 0x1A0018, 0x160014, 0x120010, 0xE000C, 0xA0008, 0x60004, 0x20000);
  _mm512_storeu_si512(p, _mm512_permutexvar_epi16(in_order, mixed));
}

/// v rounded to the nearest bf16, in the upper halves, as by round_bf16_bits(). The lower halves are unspecified.
inline __m512i round_to_upper(Floats v) {
  const __m512i bits = _mm512_castps_si512(v);
  const __mmask16 odd = _mm512_test_epi32_mask(bits, _mm512_set1_epi32(0x10000));
  const __m512i down = _mm512_add_epi32(bits, _mm512_set1_epi32(0x7FFF));
  const __m512i rounded = _mm512_mask_add_epi32(down, odd, bits, _mm512_set1_epi32(0x8000));
  // A digit of the table says what becomes of a class of numbers. Classes 0 and 1, NaNs, are made quiet; the others
  // stay.
  return _mm512_castps_si512(_mm512_fixupimm_ps(_mm512_castsi512_ps(rounded), v, _mm512_set1_epi32(0x22), 0));
}

/// The same, rounded stochastically: adds the 16 bits of `random` to those that are cut off. A finite value stays
/// finite.
inline __m512i round_to_upper(Floats v, __m512i random) {
  constexpr int kNotFinite = 0x99;
  const __m512i sum = _mm512_add_epi32(_mm512_castps_si512(v), random);
  const __mmask16 beyond = _mm512_fpclass_ps_mask(_mm512_castsi512_ps(sum), kNotFinite);
  const __m512i finite = _mm512_mask_ternarylogic_epi32(sum, beyond, _mm512_set1_epi32(static_cast<int>(0x80000000U)),
                                                        _mm512_set1_epi32(0x7F7FFFFF), 0xEA);  // (sum & sign) | largest
  // Infinities, classes 4 and 5 of the table, are taken from v, and NaNs are made quiet.
  return _mm512_castps_si512(_mm512_fixupimm_ps(_mm512_castsi512_ps(finite), v, _mm512_set1_epi32(0x00110022), 0));
}
#endif

/// bf16 for loops that do not depend on the order of columns. With AVX-512, load_vectors deinterleaves two adjacent
/// vectors: the first has the even columns and the second the odd ones. Widening then needs no permutation, and the
/// store takes one operation less.
struct Bf16PairsFormat : Bf16Format {};

/// Loads n adjacent vectors, or one that may be a tail.
template <class Of, std::int64_t n, class Lanes>
[[gnu::always_inline]] inline void load_vectors(const typename Of::Value* p, Floats (&v)[n], Lanes lanes) {
#if defined(__AVX512BW__)
  if constexpr (n == 2 && std::is_same_v<Of, Bf16Format>) return load_two_bf16(p, v[0], v[1]);
  if constexpr (n == 2 && std::is_same_v<Of, Bf16PairsFormat>) return load_bf16_pairs(p, v[0], v[1]);
#endif
  unrolled<n>([&](std::int64_t i) __attribute__((always_inline)) { v[i] = Of::load(p + i * kLanes, lanes); });
}
template <class Of, std::int64_t n, class Lanes>
[[gnu::always_inline]] inline void store_vectors(typename Of::Value* p, const Floats (&v)[n], Lanes lanes) {
#if defined(__AVX512BW__)
  if constexpr (n == 2 && std::is_same_v<Of, Bf16Format>) {
    return store_two_upper(p, round_to_upper(v[0]), round_to_upper(v[1]));
  }
  if constexpr (n == 2 && std::is_same_v<Of, Bf16PairsFormat>) {
    const __m512i even = _mm512_srli_epi32(round_to_upper(v[0]), 16);
    return _mm512_storeu_si512(p, _mm512_mask_mov_epi16(even, kUpperHalves, round_to_upper(v[1])));
  }
#endif
  unrolled<n>([&](std::int64_t i) __attribute__((always_inline)) { Of::store(p + i * kLanes, v[i], lanes); });
}

/// Loads full vectors of floats, with the columns in the order that load_vectors<Of> gives them, two vectors at a time.
template <class Of, std::int64_t n>
[[gnu::always_inline]] inline void load_floats_as(const float* p, Floats (&v)[n]) {
  unrolled<n>([&](std::int64_t i) __attribute__((always_inline)) { v[i] = load(p + i * kLanes); });
#if defined(__AVX512BW__)
  if constexpr (n > 1 && std::is_same_v<Of, Bf16PairsFormat>) {
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    unrolled<n / 2>([&](std::int64_t i) __attribute__((always_inline)) {
      const Floats first = v[2 * i];
      v[2 * i] = _mm512_permutex2var_ps(first, even, v[2 * i + 1]);
      v[2 * i + 1] = _mm512_permutex2var_ps(first, odd, v[2 * i + 1]);
    });
  }
#endif
}

/// Puts full vectors that load_vectors<Of> loaded two at a time into the order of their columns.
template <class Of, std::int64_t n>
[[gnu::always_inline]] inline void put_in_order([[maybe_unused]] Floats (&v)[n]) {
#if defined(__AVX512BW__)
  if constexpr (n > 1 && std::is_same_v<Of, Bf16PairsFormat>) {
    unrolled<n / 2>([&](std::int64_t i) __attribute__((always_inline)) { order_pairs(v[2 * i], v[2 * i + 1]); });
  }
#endif
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
