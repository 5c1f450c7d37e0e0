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

/// The two keys of each round. In memory, from where a vector of them is one load; from the registers of integers it
/// takes a unit that the rounds need.
struct PhiloxKeys {
  std::uint64_t of_round[philox::kRounds][2];

  explicit PhiloxKeys(const std::uint32_t (&key)[2]) {
    std::uint32_t first = key[0];
    std::uint32_t second = key[1];
    for (auto& keys : of_round) {
      keys[0] = first;
      keys[1] = second;
      first += philox::kWeyl0;
      second += philox::kWeyl1;
    }
  }
};

#if defined(__AVX2__)
/// 32-bit words in the lower halves of lanes of 64 bits; the upper halves hold anything.
using WideWords [[gnu::vector_size(4 * kLanes)]] = std::uint64_t;

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

/// (product >> 32) ^ x ^ key. The upper words come down by a shuffle: shifts run where multiplications do.
inline WideWords next_words(WideWords product, WideWords x, WideWords key) {
#if defined(__AVX512BW__)
  const __m512i upper = _mm512_shuffle_epi32(__builtin_bit_cast(__m512i, product), _MM_PERM_DDBB);
  return __builtin_bit_cast(WideWords, _mm512_ternarylogic_epi64(upper, __builtin_bit_cast(__m512i, x),
                                                                 __builtin_bit_cast(__m512i, key), 0x96));
#else
  const __m256i upper = _mm256_shuffle_epi32(__builtin_bit_cast(__m256i, product), 0xF5);
  return __builtin_bit_cast(WideWords, upper) ^ x ^ key;
#endif
}

/// philox4x32_10 of kPhiloxBlocks counters that differ in their first word only: counter[0], counter[0] + 1, ...
inline void philox_blocks(const std::uint32_t (&counter)[4], const PhiloxKeys& keys, PhiloxWords (&out)[4]) {
  constexpr int kWide = static_cast<int>(kLanes) / 2;
  constexpr int kTogether = 2;  // vectors: more do not fit into the registers, and one waits for its multiplications
  for (int first = 0; first < kPhiloxBlocks; first += kTogether * kWide) {
    WideWords x[4][kTogether];
    unrolled<kTogether>([&](std::int64_t v) {
      WideWords number = {};
      for (int i = 0; i < kWide; ++i) {
        number[i] = static_cast<std::uint64_t>(first + kTogether * i + static_cast<int>(v));
      }
      x[0][v] = number + counter[0];
      for (int w = 1; w < 4; ++w) x[w][v] = WideWords{} + counter[w];
    });
    for (const auto& key : keys.of_round) {
      unrolled<kTogether>([&](std::int64_t v) {
        const WideWords p0 = multiply_words(x[0][v], philox::kMultiplier0);
        const WideWords p1 = multiply_words(x[2][v], philox::kMultiplier1);
        x[0][v] = next_words(p1, x[1][v], WideWords{} + key[0]);
        x[1][v] = p1;
        x[2][v] = next_words(p0, x[3][v], WideWords{} + key[1]);
        x[3][v] = p0;
      });
    }
    unrolled<4>([&](std::int64_t w) {  // the words of both vectors in turn are those of consecutive counters
      const WideWords words = (x[w][0] & 0xFFFFFFFFU) | x[w][1] << 32;
      __builtin_memcpy(out[w] + first, &words, sizeof words);
    });
  }
}
#else
/// philox4x32_10 of kPhiloxBlocks counters that differ in their first word only: counter[0], counter[0] + 1, ...
inline void philox_blocks(const std::uint32_t (&counter)[4], const PhiloxKeys& keys, PhiloxWords (&x)[4]) {
  for (int i = 0; i < kPhiloxBlocks; ++i) {
    x[0][i] = counter[0] + static_cast<std::uint32_t>(i);
    x[1][i] = counter[1];
    x[2][i] = counter[2];
    x[3][i] = counter[3];
  }
  for (const auto& key : keys.of_round) {
    const auto k0 = static_cast<std::uint32_t>(key[0]);
    const auto k1 = static_cast<std::uint32_t>(key[1]);
    for (int i = 0; i < kPhiloxBlocks; ++i) {
      const std::uint64_t p0 = std::uint64_t{philox::kMultiplier0} * x[0][i];
      const std::uint64_t p1 = std::uint64_t{philox::kMultiplier1} * x[2][i];
      x[0][i] = static_cast<std::uint32_t>(p1 >> 32) ^ x[1][i] ^ k0;
      x[1][i] = static_cast<std::uint32_t>(p1);
      x[2][i] = static_cast<std::uint32_t>(p0 >> 32) ^ x[3][i] ^ k1;
      x[3][i] = static_cast<std::uint32_t>(p0);
    }
  }
}
#endif

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
