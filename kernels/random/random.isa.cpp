// SPDX-License-Identifier: Apache-2.0
// Leaf kernels of random numbers.
#include "kernels/random/philox_blocks.hpp"
#include "kernels/random/random_kernels.hpp"

namespace rowmill::ROWMILL_ISA {

void fill_uniform_f32(const FillUniformArgs& a) {
  const PhiloxKeys keys = philox_keys(a.key);
  for (std::int64_t r = 0; r < a.rows; ++r) {
    float* row = a.data + r * a.stride;
    for (std::int64_t c = 0; c < a.dim; c += 4 * kPhiloxBlocks) {
      PhiloxWords words[1][4];
      philox_rows<1>(static_cast<std::uint32_t>(c / 4), {static_cast<std::uint64_t>(a.first_row + r)}, 0, keys, words);
      const auto& x = words[0];
      float values[kPhiloxBlocks][4];
      for (int i = 0; i < kPhiloxBlocks; ++i) {
        for (int w = 0; w < 4; ++w) {
          const float u = static_cast<float>(static_cast<std::int32_t>(x[w][i] >> 8)) * 0x1p-24F;
          const float value = a.low + a.width * u;
          values[i][w] = value < a.most ? value : a.most;
        }
      }
      const std::int64_t n = a.dim - c < 4 * kPhiloxBlocks ? a.dim - c : 4 * kPhiloxBlocks;
      __builtin_memcpy(row + c, values, static_cast<std::size_t>(n) * sizeof(float));
    }
  }
}

void philox_u32(const PhiloxArgs& a) {
  const PhiloxKeys keys = philox_keys(a.key);
  for (std::int64_t b = 0; b < a.blocks; b += kPhiloxBlocks) {
    PhiloxWords words[1][4];
    philox_rows<1>(a.counter[0] + static_cast<std::uint32_t>(b), {a.counter[1] | std::uint64_t{a.counter[2]} << 32},
                   a.counter[3], keys, words);
    const auto& x = words[0];
    std::uint32_t* const out = a.out + 4 * b;
    for (int i = 0; i < kPhiloxBlocks; ++i) {
      for (int w = 0; w < 4; ++w) out[4 * i + w] = x[w][i];
    }
  }
}

}  // namespace rowmill::ROWMILL_ISA
