// SPDX-License-Identifier: Apache-2.0
// float16, in which rows of int4 and int2 keep their scale and bias: IEEE 754 binary16. Integer arithmetic, which no
// instruction set and no mode changes. Nothing here is a function of its own in any object.
#pragma once

#include <bit>
#include <cstdint>

namespace rowmill {

/// Exact, denormals too. A NaN stays one.
[[gnu::always_inline]] static inline float widen_f16(std::uint16_t half) {
  constexpr std::uint32_t kExponents = 0x1FU << 23;
  constexpr std::uint32_t kBias = (127U - 15U) << 23;
  const std::uint32_t sign = (half & 0x8000U) << 16;
  std::uint32_t bits = (half & 0x7FFFU) << 13;
  if ((bits & kExponents) == kExponents) {
    bits += 2 * kBias;  // infinity and NaN
  } else if ((bits & kExponents) != 0) {
    bits += kBias;
  } else {
    // A multiple of 2^-24: 2^-14 and that much is a float, from which 2^-14 is taken exactly.
    constexpr std::uint32_t kSmallest = (127U - 14U) << 23;
    bits = std::bit_cast<std::uint32_t>(std::bit_cast<float>(kSmallest + bits) - std::bit_cast<float>(kSmallest));
  }
  return std::bit_cast<float>(sign | bits);
}

/// Rounds to the nearest, a tie to the one whose last bit is 0; what rounds beyond 65504 is infinity.
[[gnu::always_inline]] static inline std::uint16_t narrow_f16(float x) {
  const auto wide = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t sign = wide >> 16 & 0x8000U;
  const std::uint32_t magnitude = wide & 0x7FFFFFFFU;
  std::uint32_t half = 0;
  if (magnitude > 0x7F800000U) {
    half = 0x7E00U;                       // NaN
  } else if (magnitude >= 0x477FF000U) {  // 65520, half way to 65536
    half = 0x7C00U;
  } else if (magnitude >= 0x38800000U) {  // 2^-14, the smallest that is not denormal
    half = (magnitude - ((127U - 15U) << 23) + 0xFFFU + (magnitude >> 13 & 1U)) >> 13;
  } else if (magnitude > 0x33000000U) {                    // 2^-25, half of the smallest denormal, which rounds to 0
    const std::uint32_t shift = 126U - (magnitude >> 23);  // from units of the last place to units of 2^-24
    const std::uint32_t significand = (magnitude & 0x7FFFFFU) | 0x800000U;
    const std::uint32_t below_half = (1U << (shift - 1U)) - 1U;
    half = (significand + below_half + (significand >> shift & 1U)) >> shift;
  }
  return static_cast<std::uint16_t>(sign | half);
}

}  // namespace rowmill
