// SPDX-License-Identifier: Apache-2.0
// Philox of many counters side by side. Included by *.isa.cpp files only.
#pragma once

#include <cstdint>

#include "kernels/random/philox.hpp"
#include "kernels/simd.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

constexpr int kPhiloxBlocks = 16;  // counters that run side by side; loops of this length become vectors
using PhiloxWords = std::uint32_t[kPhiloxBlocks];

#if defined(__AVX2__)
/// 32-bit words in the lower halves of lanes of 64 bits; the upper halves hold anything.
using WideWords [[gnu::vector_size(4 * kLanes)]] = std::uint64_t;
using NarrowWords [[gnu::vector_size(2 * kLanes)]] = std::uint32_t;

/// The products of 64 bits of the words and a multiplier.
inline WideWords multiply_words(WideWords x, std::uint32_t multiplier) {
  const WideWords by = WideWords{} + multiplier;
#if defined(__AVX512BW__)
  return __builtin_bit_cast(WideWords,
                            _mm512_mul_epu32(__builtin_bit_cast(__m512i, x), __builtin_bit_cast(__m512i, by)));
#else
  return __builtin_bit_cast(WideWords,
                            _mm256_mul_epu32(__builtin_bit_cast(__m256i, x), __builtin_bit_cast(__m256i, by)));
#endif
}

/// philox4x32_10 of kPhiloxBlocks counters that differ in their first word only: counter[0], counter[0] + 1, ...
inline void philox_blocks(const std::uint32_t (&counter)[4], const std::uint32_t (&key)[2], PhiloxWords (&out)[4]) {
  constexpr int kWide = static_cast<int>(kLanes) / 2;
  constexpr int kTogether = 2;  // vectors: more do not fit into the registers, and one waits for its multiplications
  for (int first = 0; first < kPhiloxBlocks; first += kTogether * kWide) {
    WideWords x[4][kTogether];
    unrolled<kTogether>([&](std::int64_t v) {
      WideWords number = {};
      for (int i = 0; i < kWide; ++i) number[i] = static_cast<std::uint64_t>(first + static_cast<int>(v) * kWide + i);
      x[0][v] = number + counter[0];
      for (int w = 1; w < 4; ++w) x[w][v] = WideWords{} + counter[w];
    });
    std::uint32_t k0 = key[0];
    std::uint32_t k1 = key[1];
    for (int round = 0; round < philox::kRounds; ++round) {
      unrolled<kTogether>([&](std::int64_t v) {
        const WideWords p0 = multiply_words(x[0][v], philox::kMultiplier0);
        const WideWords p1 = multiply_words(x[2][v], philox::kMultiplier1);
        x[0][v] = (p1 >> 32) ^ x[1][v] ^ (WideWords{} + k0);
        x[1][v] = p1;
        x[2][v] = (p0 >> 32) ^ x[3][v] ^ (WideWords{} + k1);
        x[3][v] = p0;
      });
      k0 += philox::kWeyl0;
      k1 += philox::kWeyl1;
    }
    unrolled<kTogether>([&](std::int64_t v) {
      for (int w = 0; w < 4; ++w) {
        const NarrowWords words = __builtin_convertvector(x[w][v], NarrowWords);
        __builtin_memcpy(out[w] + first + v * kWide, &words, sizeof words);
      }
    });
  }
}
#else
/// philox4x32_10 of kPhiloxBlocks counters that differ in their first word only: counter[0], counter[0] + 1, ...
inline void philox_blocks(const std::uint32_t (&counter)[4], const std::uint32_t (&key)[2], PhiloxWords (&x)[4]) {
  for (int i = 0; i < kPhiloxBlocks; ++i) {
    x[0][i] = counter[0] + static_cast<std::uint32_t>(i);
    x[1][i] = counter[1];
    x[2][i] = counter[2];
    x[3][i] = counter[3];
  }
  std::uint32_t k0 = key[0];
  std::uint32_t k1 = key[1];
  for (int round = 0; round < philox::kRounds; ++round) {
    for (int i = 0; i < kPhiloxBlocks; ++i) {
      const std::uint64_t p0 = std::uint64_t{philox::kMultiplier0} * x[0][i];
      const std::uint64_t p1 = std::uint64_t{philox::kMultiplier1} * x[2][i];
      x[0][i] = static_cast<std::uint32_t>(p1 >> 32) ^ x[1][i] ^ k0;
      x[1][i] = static_cast<std::uint32_t>(p1);
      x[2][i] = static_cast<std::uint32_t>(p0 >> 32) ^ x[3][i] ^ k1;
      x[3][i] = static_cast<std::uint32_t>(p0);
    }
    k0 += philox::kWeyl0;
    k1 += philox::kWeyl1;
  }
}
#endif

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
