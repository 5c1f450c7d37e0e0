// SPDX-License-Identifier: Apache-2.0
// The vector unit of aarch64, for kernels/simd.hpp alone.
#pragma once

#include <cstdint>
#include <xsimd/xsimd.hpp>

#include "kernels/core/prefetch.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

using Arch = xsimd::neon64;
using Floats = xsimd::batch<float, Arch>;
inline constexpr std::int64_t kLanes = static_cast<std::int64_t>(Floats::size);

inline Floats load_partial(const float* p, std::int64_t n) {
  const float32x2_t zero = vdup_n_f32(0.0F);
  switch (n) {
    case 1:
      return vcombine_f32(vld1_lane_f32(p, zero, 0), zero);
    case 2:
      return vcombine_f32(vld1_f32(p), zero);
    case 3:
      return vcombine_f32(vld1_f32(p), vld1_lane_f32(p + 2, zero, 0));
    default:
      return vcombine_f32(zero, zero);
  }
}

inline void store_partial(float* p, Floats v, std::int64_t n) {
  switch (n) {
    case 1:
      return vst1q_lane_f32(p, v, 0);
    case 2:
      return vst1_f32(p, vget_low_f32(v));
    case 3:
      vst1_f32(p, vget_low_f32(v));
      return vst1q_lane_f32(p + 2, v, 2);
    default:
      return;
  }
}

inline Floats where_equal(Floats v, Floats bits, std::int32_t x) {
  const uint32x4_t equal = vceqq_s32(vreinterpretq_s32_f32(bits), vdupq_n_s32(x));
  return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v), equal));
}

inline Floats divide(Floats a, Floats b) { return vdivq_f32(a, b); }
inline Floats square_root(Floats v) { return vsqrtq_f32(v); }

inline float tree_sum(Floats v) {
  const float32x2_t two = vadd_f32(vget_low_f32(v), vget_high_f32(v));
  return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}

// aarch64's non-temporal store is a hint without an intrinsic. So these are ordinary stores, which need no fence.
inline void stream(float* p, Floats v) { v.store_unaligned(p); }
inline void stream_fence() {}

[[gnu::always_inline]] inline void prefetch_line(const char* p, CacheLevel into) {
  if (into == CacheLevel::first) {
    __asm__ volatile("prfm pldl1keep, %0" : : "Q"(*p));
  } else {
    __asm__ volatile("prfm pldl2keep, %0" : : "Q"(*p));
  }
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
