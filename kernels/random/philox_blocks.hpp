// SPDX-License-Identifier: Apache-2.0
// Philox of many counters at once. Included by *.isa.cpp files only.
#pragma once

#include <cstdint>

#include "kernels/random/philox.hpp"
#include "kernels/simd.hpp"

namespace rowmill::ROWMILL_ISA {

/// The two keys of each round, in memory: a broadcast from there is a load, and one from an integer register takes a
/// unit that the rounds need.
struct PhiloxKeys {
  std::uint64_t of_round[philox::kRounds][2];
};

namespace {

constexpr int kPhiloxBlocks = 16;  // counters of a row at once; compilers vectorise loops of this length
using PhiloxWords = std::uint32_t[kPhiloxBlocks];

inline PhiloxKeys philox_keys(const std::uint32_t (&key)[2]) {
  PhiloxKeys keys;
  std::uint32_t first = key[0];
  std::uint32_t second = key[1];
  for (auto& round : keys.of_round) {
    round[0] = first;
    round[1] = second;
    first += philox::kWeyl0;
    second += philox::kWeyl1;
  }
  return keys;
}

#if defined(__AVX2__)
/// 32-bit words in the lower halves of 64-bit lanes. The upper halves are unspecified.
using WideWords [[gnu::vector_size(4 * kLanes)]] = std::uint64_t;

/// The 64-bit products of the words and a multiplier.
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

/// (product >> 32) ^ x ^ key. By a shuffle in place of the shift, which runs on the unit of the multiplications.
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

/// Interleaves the words of x and y.
inline WideWords interleave_words(WideWords x, WideWords y) {
#if defined(__AVX512BW__)
  return __builtin_bit_cast(WideWords, _mm512_mask_shuffle_epi32(__builtin_bit_cast(__m512i, x), 0xAAAA,
                                                                 __builtin_bit_cast(__m512i, y), _MM_PERM_CCAA));
#else
  return (x & 0xFFFFFFFFU) | y << 32;
#endif
}

/// out[r] = philox4x32_10 of the counters {block + i, low and high word of rows[r], step}, for i < kPhiloxBlocks.
/// Several rows at once, because each round waits for the one before. Half of the first two rounds depends on the block
/// alone, and is computed once for all rows; what depends on the row alone is a scalar.
template <int kRows>
[[gnu::always_inline]] inline void philox_rows(std::uint32_t block, const std::uint64_t (&rows)[kRows],
                                               std::uint32_t step, const PhiloxKeys& keys,
                                               PhiloxWords (&out)[kRows][4]) {
  constexpr int kWide = static_cast<int>(kLanes) / 2;
  constexpr int kTogether = 2;  // vectors of a row, which interleave to the words of consecutive counters
  for (int first = 0; first < kPhiloxBlocks; first += kTogether * kWide) {
    WideWords x[kRows][kTogether][4];
    unrolled<kTogether>([&](std::int64_t v) __attribute__((always_inline)) {
      WideWords number = {};
      for (int i = 0; i < kWide; ++i) {
        number[i] = static_cast<std::uint64_t>(first + kTogether * i + static_cast<int>(v));
      }
      const WideWords p0 = multiply_words(number + block, philox::kMultiplier0);
      const WideWords x2 = next_words(p0, WideWords{} + step, WideWords{} + keys.of_round[0][1]);
      const WideWords p1 = multiply_words(x2, philox::kMultiplier1);
      unrolled<kRows>([&](std::int64_t r) __attribute__((always_inline)) {
        const std::uint64_t q1 = philox::kMultiplier1 * (rows[r] >> 32);
        const std::uint64_t x0 = (q1 >> 32 ^ rows[r] ^ keys.of_round[0][0]) & 0xFFFFFFFFU;
        const std::uint64_t q0 = philox::kMultiplier0 * x0;
        x[r][v][0] = next_words(p1, WideWords{} + q1, WideWords{} + keys.of_round[1][0]);
        x[r][v][1] = p1;
        x[r][v][2] = p0 ^ (q0 >> 32 ^ keys.of_round[1][1]);
        x[r][v][3] = WideWords{} + q0;
      });
    });
    const auto round = [&](const std::uint64_t(&key)[2]) __attribute__((always_inline)) {
      unrolled<kRows * kTogether>([&](std::int64_t i) __attribute__((always_inline)) {
        WideWords(&at)[4] = x[i / kTogether][i % kTogether];
        const WideWords p0 = multiply_words(at[0], philox::kMultiplier0);
        const WideWords p1 = multiply_words(at[2], philox::kMultiplier1);
        at[0] = next_words(p1, at[1], WideWords{} + key[0]);
        at[1] = p1;
        at[2] = next_words(p0, at[3], WideWords{} + key[1]);
        at[3] = p0;
      });
    };
    for (int k = 2; k < philox::kRounds; k += 2) {  // two at a time, so that products stay in their registers
      round(keys.of_round[k]);
      round(keys.of_round[k + 1]);
    }
    unrolled<kRows>([&](std::int64_t r) __attribute__((always_inline)) {
      unrolled<4>([&](std::int64_t w) __attribute__((always_inline)) {
        const WideWords words = interleave_words(x[r][0][w], x[r][1][w]);
        __builtin_memcpy(out[r][w] + first, &words, sizeof words);
      });
    });
  }
}
#else
/// The same, in plain loops.
template <int kRows>
inline void philox_rows(std::uint32_t block, const std::uint64_t (&rows)[kRows], std::uint32_t step,
                        const PhiloxKeys& keys, PhiloxWords (&out)[kRows][4]) {
  for (int r = 0; r < kRows; ++r) {
    PhiloxWords(&x)[4] = out[r];
    for (int i = 0; i < kPhiloxBlocks; ++i) {
      x[0][i] = block + static_cast<std::uint32_t>(i);
      x[1][i] = static_cast<std::uint32_t>(rows[r]);
      x[2][i] = static_cast<std::uint32_t>(rows[r] >> 32);
      x[3][i] = step;
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
}
#endif

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
