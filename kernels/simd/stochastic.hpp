// SPDX-License-Identifier: Apache-2.0
// Vectors of integers, and stochastic rounding to 16 bits. Written with the compilers' vector extensions, so that one
// code serves all instruction sets. Included by *.isa.cpp files only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/simd.hpp"
#include "kernels/simd/vectors_of_halves.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

using Words [[gnu::vector_size(4 * kLanes)]] = std::uint32_t;
using SignedWords [[gnu::vector_size(4 * kLanes)]] = std::int32_t;
using PlainFloats [[gnu::vector_size(4 * kLanes)]] = float;
using PackedHalves [[gnu::vector_size(2 * kLanes)]] = std::uint16_t;

inline Words words_of(Floats v) { return __builtin_bit_cast(Words, static_cast<Floats::register_type>(v)); }
inline Floats floats_of(Words w) { return Floats(__builtin_bit_cast(Floats::register_type, w)); }
inline SignedWords as_signed(Words w) { return __builtin_bit_cast(SignedWords, w); }

/// Loads 16-bit values, zero-extended; 0 in the lanes that a tail leaves out.
inline Words load_16_bits(const std::uint16_t* p, FullVector) {
  PackedHalves halves;
  __builtin_memcpy(&halves, p, sizeof halves);
  return __builtin_convertvector(halves, Words);
}
inline Words load_16_bits(const std::uint16_t* p, Tail tail) {
  const Halves partial = load_halves_partial(p, tail.n);
  PackedHalves halves;
  __builtin_memcpy(&halves, &partial, sizeof halves);
  return __builtin_convertvector(halves, Words);
}

/// Stores the lower half of each lane.
inline void store_16_bits(std::uint16_t* p, Words w, FullVector) {
  const PackedHalves halves = __builtin_convertvector(w, PackedHalves);
  __builtin_memcpy(p, &halves, sizeof halves);
}
inline void store_16_bits(std::uint16_t* p, Words w, Tail tail) {
  const PackedHalves halves = __builtin_convertvector(w, PackedHalves);
  Halves partial = {};
  __builtin_memcpy(&partial, &halves, sizeof halves);
  store_halves_partial(p, partial, tail.n);
}

/// a in the lanes where the condition holds, b in the others.
inline Words where(SignedWords condition, Words a, Words b) {
  const Words mask = __builtin_bit_cast(Words, condition);
  return (a & mask) | (b & ~mask);
}

/// v rounded stochastically to bf16, in the upper halves: adds the 16 bits of `random` to those that are cut off. A
/// finite value stays finite. The lower halves are unspecified.
inline Words round_to_bf16(Floats v, Words random) {
#if defined(__AVX512BW__)
  return __builtin_bit_cast(Words, round_to_upper(v, __builtin_bit_cast(__m512i, random)));
#else
  constexpr Words kNone = {};
  const Words bits = words_of(v);
  const Words magnitude = bits & 0x7FFFFFFFU;
  const Words sum = magnitude + random;
  const Words finite = where(as_signed(sum) > 0x7F7FFFFF, kNone + 0x7F7FFFFFU, sum);
  const Words special = where(as_signed(magnitude) > 0x7F800000, magnitude | 0x00400000U, magnitude);
  return (bits & 0x80000000U) | where(as_signed(magnitude) >= 0x7F800000, special, finite);
#endif
}

/// Stores the upper halves of n adjacent vectors, or of one that may be a tail.
template <std::int64_t n, class Lanes>
[[gnu::always_inline]] inline void store_upper_halves(std::uint16_t* p, const Words (&v)[n], Lanes lanes) {
#if defined(__AVX512BW__)
  if constexpr (n == 2) {
    return store_two_upper(p, __builtin_bit_cast(__m512i, v[0]), __builtin_bit_cast(__m512i, v[1]));
  }
#endif
  unrolled<n>([&](std::int64_t i) __attribute__((always_inline)) { store_16_bits(p + i * kLanes, v[i] >> 16, lanes); });
}

/// Loads floats whose upper and lower halves lie apart: StorageOptions::split.
template <std::int64_t n, class Lanes>
[[gnu::always_inline]] inline void load_split(const std::uint16_t* upper, const std::uint16_t* low, Floats (&v)[n],
                                              Lanes lanes) {
  load_vectors<Bf16Format>(upper, v, lanes);
  unrolled<n>([&](std::int64_t i) __attribute__((always_inline)) {
    v[i] = floats_of(words_of(v[i]) | load_16_bits(low + i * kLanes, lanes));
  });
}
template <std::int64_t n, class Lanes>
[[gnu::always_inline]] inline void store_split(std::uint16_t* upper, std::uint16_t* low, const Floats (&v)[n],
                                               Lanes lanes) {
  Words bits[n];
  unrolled<n>([&](std::int64_t i) __attribute__((always_inline)) { bits[i] = words_of(v[i]); });
  store_upper_halves(upper, bits, lanes);
  unrolled<n>([&](std::int64_t i) __attribute__((always_inline)) { bits[i] = bits[i] << 16; });
  store_upper_halves(low, bits, lanes);
}

/// The last steps of rounding to f16, in the lower halves: chooses between `large`, the rounded magnitude of a normal
/// half, and `units`, that of a denormal one in units of 2^-24; limits it to infinity, and adds NaNs and the sign.
inline Words finish_f16(Words bits, Words large, Words units) {
  constexpr std::int32_t kSmallest = (127 - 14) << 23;  // 2^-14, the smallest normal half
  constexpr Words kNone = {};
  const Words magnitude = bits & 0x7FFFFFFFU;
  const Words half = where(as_signed(magnitude) >= kSmallest, large, units);
  const Words finite = where(as_signed(half) > 0x7C00, kNone + 0x7C00U, half);
  const Words rounded = where(as_signed(magnitude) > 0x7F800000, 0x7E00U | (magnitude >> 13 & 0x3FFU), finite);
  return (bits >> 16 & 0x8000U) | rounded;
}

/// v rounded to the nearest f16, in the lower halves; infinity if that is beyond 65504.
inline Words round_to_f16(Floats v) {
  constexpr std::uint32_t kBias = (127U - 15U) << 23;
  const Words bits = words_of(v);
  const Words magnitude = bits & 0x7FFFFFFFU;
  const Words large = (magnitude + 0xFFFU + (magnitude >> 13 & 1U) - kBias) >> 13;
  // The last place of numbers from 0.5 to 1 is 2^-24.
  const PlainFloats sum = __builtin_bit_cast(PlainFloats, magnitude) + 0.5F;
  return finish_f16(bits, large, __builtin_bit_cast(Words, sum) - 0x3F000000U);
}

/// The same, rounded stochastically: adds the upper 13 of the 16 bits of `random` to the bits that are cut off.
inline Words round_to_f16(Floats v, Words random) {
  constexpr std::int32_t kSmallest = (127 - 14) << 23;
  constexpr std::uint32_t kBias = (127U - 15U) << 23;
  constexpr Words kNone = {};
  const Words bits = words_of(v);
  const Words magnitude = bits & 0x7FFFFFFFU;
  const Words added = random >> 3;
  const Words small = where(as_signed(magnitude) >= kSmallest, kNone, magnitude);
  const PlainFloats scaled = __builtin_bit_cast(PlainFloats, small) * 0x1p24F;
  const PlainFloats chance = __builtin_convertvector(as_signed(added), PlainFloats) * 0x1p-13F;
  const Words units = __builtin_bit_cast(Words, __builtin_convertvector(scaled + chance, SignedWords));
  return finish_f16(bits, (magnitude + added - kBias) >> 13, units);
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
