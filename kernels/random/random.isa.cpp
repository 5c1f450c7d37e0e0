// SPDX-License-Identifier: Apache-2.0
#include "kernels/random/philox.hpp"
#include "kernels/random/random_kernels.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

constexpr int kBlocks = 16;  // counters that run side by side; loops of this length become vectors
using Words = std::uint32_t[kBlocks];

/// philox4x32_10 of kBlocks counters that differ in their first word only: first, first + 1, ...
inline void philox_blocks(const FillUniformArgs& a, std::uint32_t first, std::uint64_t row, Words (&x)[4]) {
  for (int i = 0; i < kBlocks; ++i) {
    x[0][i] = first + static_cast<std::uint32_t>(i);
    x[1][i] = static_cast<std::uint32_t>(row);
    x[2][i] = static_cast<std::uint32_t>(row >> 32);
    x[3][i] = a.step;
  }
  std::uint32_t k0 = a.key[0];
  std::uint32_t k1 = a.key[1];
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
      philox_blocks(a, static_cast<std::uint32_t>(c / 4), static_cast<std::uint64_t>(a.first_row + r), x);
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

}  // namespace rowmill::ROWMILL_ISA
