// SPDX-License-Identifier: Apache-2.0
// Random numbers: include/rowmill/random.hpp.
#include "rowmill/random.hpp"

#include "kernels/random/philox.hpp"
#include "kernels/reference/reference.hpp"

namespace rowmill {

std::array<std::uint32_t, 4> philox4x32_10(std::array<std::uint32_t, 4> x, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < philox::kRounds; ++round) {
    const std::uint64_t p0 = std::uint64_t{philox::kMultiplier0} * x[0];
    const std::uint64_t p1 = std::uint64_t{philox::kMultiplier1} * x[2];
    x = {static_cast<std::uint32_t>(p1 >> 32) ^ x[1] ^ key[0], static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ x[3] ^ key[1], static_cast<std::uint32_t>(p0)};
    key[0] += philox::kWeyl0;
    key[1] += philox::kWeyl1;
  }
  return x;
}

}  // namespace rowmill

namespace rowmill::reference {

void fill_uniform_row(float* out, std::uint64_t row, std::int64_t dim, std::array<std::uint32_t, 2> key, float low,
                      float width, float most) {
  for (std::int64_t c = 0; c < dim; ++c) {
    const auto block = static_cast<std::uint32_t>(c / 4);
    const auto words =
        philox4x32_10({block, static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(row >> 32), 0}, key);
    const float u = static_cast<float>(words[static_cast<std::size_t>(c % 4)] >> 8) * 0x1p-24F;
    const float value = low + width * u;
    out[c] = value < most ? value : most;
  }
}

std::uint32_t random_bits(std::array<std::uint32_t, 2> key, std::uint64_t row, std::uint64_t column,
                          std::uint32_t step) {
  const auto block = static_cast<std::uint32_t>(16 * (column / 128) + column % 16);
  const auto words =
      philox4x32_10({block, static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(row >> 32), step}, key);
  const std::uint32_t word = words[static_cast<std::size_t>(column / 16 % 4)];
  return column / 64 % 2 == 0 ? word & 0xFFFFU : word >> 16;
}

}  // namespace rowmill::reference
