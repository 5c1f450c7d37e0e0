// SPDX-License-Identifier: Apache-2.0
// Codes of quantised rows, as floats, on aarch64. For kernels/simd/quantized.hpp alone.
//
// The scale and bias follow the codes: 8 bytes in int8, 4 in the others. So tails can be read like full vectors. Their
// other lanes are unspecified.
#pragma once

#include "kernels/simd.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

inline Floats load_codes_8(const std::uint8_t* p) {
  std::uint32_t four = 0;
  __builtin_memcpy(&four, p, sizeof four);
  return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(four))))));
}
/// Lane k is `codes` shifted right k times by `bits`, and masked to as many.
inline Floats spread_codes(std::uint32_t codes, std::int32_t bits) {
  const std::int32_t shifts[] = {0, -bits, -2 * bits, -3 * bits};
  const uint32x4_t shifted = vshlq_u32(vdupq_n_u32(codes), vld1q_s32(shifts));
  return vcvtq_f32_u32(vandq_u32(shifted, vdupq_n_u32((1U << bits) - 1U)));
}
inline Floats load_codes_4(const std::uint8_t* p) { return spread_codes(p[0] | std::uint32_t{p[1]} << 8, 4); }
inline Floats load_codes_2(const std::uint8_t* p) { return spread_codes(p[0], 2); }

/// Converts codes to values by arithmetic. Multiplication and addition round separately.
template <int kBits>
struct CodeValues {
  Floats scale, bias;

  template <class Lanes>
  [[gnu::always_inline]] Floats load(const std::uint8_t* p, Lanes) const {
    if constexpr (kBits == 8) return load_codes_8(p) * scale + bias;
    if constexpr (kBits == 4) return load_codes_4(p) * scale + bias;
    if constexpr (kBits == 2) return load_codes_2(p) * scale + bias;
  }
};

struct ScaleAndBias {
  Floats scale, bias;
};

/// The two float16 at p, each in all lanes.
inline ScaleAndBias load_f16_pair(const std::uint8_t* p) {
  std::uint16_t halves[4] = {};
  __builtin_memcpy(halves, p, 4);
  const float32x4_t both = widen_f16(load_halves(halves));
  return {vdupq_laneq_f32(both, 0), vdupq_laneq_f32(both, 1)};
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
