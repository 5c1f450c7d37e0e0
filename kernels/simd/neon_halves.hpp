// SPDX-License-Identifier: Apache-2.0
// The 16-bit formats of floats on aarch64. For kernels/simd.hpp alone.
#pragma once

#include <cstdint>

#include "kernels/simd/neon.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

using Halves = uint16x4_t;

inline Halves load_halves(const std::uint16_t* p) { return vld1_u16(p); }
inline Halves load_halves_partial(const std::uint16_t* p, std::int64_t n) {
  uint16x4_t halves = vdup_n_u16(0);
  if (n > 0) halves = vld1_lane_u16(p, halves, 0);
  if (n > 1) halves = vld1_lane_u16(p + 1, halves, 1);
  if (n > 2) halves = vld1_lane_u16(p + 2, halves, 2);
  return halves;
}
inline void store_halves(std::uint16_t* p, Halves halves) { vst1_u16(p, halves); }
inline void store_halves_partial(std::uint16_t* p, Halves halves, std::int64_t n) {
  if (n > 0) vst1_lane_u16(p, halves, 0);
  if (n > 1) vst1_lane_u16(p + 1, halves, 1);
  if (n > 2) vst1_lane_u16(p + 2, halves, 2);
}

// bf16, the upper half of a float, is widened by a shift. It is narrowed by integer arithmetic: to the nearest, ties to
// even, NaNs made quiet.

inline Floats widen_bf16(Halves halves) { return vreinterpretq_f32_u32(vshll_n_u16(halves, 16)); }
/// v rounded to bf16 in the upper halves. The lower halves are unspecified.
inline uint32x4_t round_bf16_bits(Floats v) {
  const uint32x4_t bits = vreinterpretq_u32_f32(v);
  const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  const uint32x4_t rounded = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7FFF)));
  return vbslq_u32(vceqq_f32(v, v), rounded, vorrq_u32(bits, vdupq_n_u32(0x00400000)));
}
inline Floats round_bf16(Floats v) {
  return vreinterpretq_f32_u32(vandq_u32(round_bf16_bits(v), vdupq_n_u32(0xFFFF0000U)));
}
inline Halves narrow_bf16(Floats v) { return vshrn_n_u32(round_bf16_bits(v), 16); }

// float16 has instructions, which keep denormals whatever FPCR.FZ16 says.
inline Floats widen_f16(Halves halves) { return vcvt_f32_f16(vreinterpret_f16_u16(halves)); }
inline Halves narrow_f16(Floats v) { return vreinterpret_u16_f16(vcvt_f16_f32(v)); }

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
