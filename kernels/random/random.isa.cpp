// SPDX-License-Identifier: Apache-2.0
#include "kernels/random/philox.hpp"
#include "kernels/random/random_kernels.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

constexpr int kBlocks = 16;  // counters that run side by side; loops of this length become vectors
using Words = std::uint32_t[kBlocks];

/// philox4x32_10 of kBlocks counters that differ in their first word only: counter[0], counter[0] + 1, ...
inline void philox_blocks(const std::uint32_t (&counter)[4], const std::uint32_t (&key)[2], Words (&x)[4]) {
  for (int i = 0; i < kBlocks; ++i) {
    x[0][i] = counter[0] + static_cast<std::uint32_t>(i);
    x[1][i] = counter[1];
    x[2][i] = counter[2];
    x[3][i] = counter[3];
  }
  std::uint32_t k0 = key[0];
  std::uint32_t k1 = key[1];
  for (int round = 0; round < philox::kRounds; ++round) {
    for (int i = 0; i < kBlocks; ++i) {
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

}  // namespace

void fill_uniform_f32(const FillUniformArgs& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    float* row = a.data + r * a.stride;
    for (std::int64_t c = 0; c < a.dim; c += 4 * kBlocks) {
      Words x[4];
      const auto row_number = static_cast<std::uint64_t>(a.first_row + r);
      philox_blocks({static_cast<std::uint32_t>(c / 4), static_cast<std::uint32_t>(row_number),
                     static_cast<std::uint32_t>(row_number >> 32), a.step},
                    a.key, x);
      float values[kBlocks][4];
      for (int i = 0; i < kBlocks; ++i) {
        for (int w = 0; w < 4; ++w) {
          const float u = static_cast<float>(static_cast<std::int32_t>(x[w][i] >> 8)) * 0x1p-24F;
          const float value = a.low + a.width * u;
          values[i][w] = value < a.most ? value : a.most;
        }
      }
      const std::int64_t n = a.dim - c < 4 * kBlocks ? a.dim - c : 4 * kBlocks;
      __builtin_memcpy(row + c, values, static_cast<std::size_t>(n) * sizeof(float));
    }
  }
}

void philox_u32(const PhiloxArgs& a) {
  for (std::int64_t b = 0; b < a.blocks; b += kBlocks) {
    Words x[4];
    philox_blocks({a.counter[0] + static_cast<std::uint32_t>(b), a.counter[1], a.counter[2], a.counter[3]}, a.key, x);
    std::uint32_t* const out = a.out + 4 * b;
    for (int i = 0; i < kBlocks; ++i) {
      for (int w = 0; w < 4; ++w) out[4 * i + w] = x[w][i];
    }
  }
}

}  // namespace rowmill::ROWMILL_ISA
