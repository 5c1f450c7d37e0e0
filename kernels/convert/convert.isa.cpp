// SPDX-License-Identifier: Apache-2.0
// Leaf kernels that quantise rows.
#include "kernels/convert/convert_kernels.hpp"
#include "kernels/convert/row_scale.hpp"
#include "kernels/simd/quantized.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

struct Range {
  float low, high;
  bool finite;
};

inline Range range_of(const float* in, std::int64_t dim) {
  Range range{in[0], in[0], true};
  Floats low(in[0]);
  Floats high(in[0]);
  Floats zero(0.0F);  // the sum of x - x: 0, or NaN if an x is infinite or NaN
  std::int64_t c = 0;
  for (; c + kLanes <= dim; c += kLanes) {
    const Floats x = load(in + c);
    low = xsimd::min(low, x);
    high = xsimd::max(high, x);
    zero += x - x;
  }
  const auto take = [&](float smallest, float largest, float difference) __attribute__((always_inline)) {
    if (smallest < range.low) range.low = smallest;
    if (largest > range.high) range.high = largest;
    if (difference != 0) range.finite = false;
  };
  float lanes[3][kLanes];
  store(lanes[0], low);
  store(lanes[1], high);
  store(lanes[2], zero);
  for (std::int64_t k = 0; k < kLanes; ++k) take(lanes[0][k], lanes[1][k], lanes[2][k]);
  for (; c < dim; ++c) take(in[c], in[c], in[c] - in[c]);
  return range;
}

/// Packs the codes of n <= kLanes columns, floats between 0 and the largest code, into bytes.
template <int kBits>
[[gnu::always_inline]] inline void store_codes(std::uint8_t* out, Floats codes, std::int64_t n) {
  // The last place of floats from 2^23 to 2^24 is 1. So 2^23 + code rounds the code to the nearest integer, ties to
  // even, and the last bits of the sum are that integer.
  float sums[kLanes];
  store(sums, codes + Floats(0x1p23F));
  constexpr std::int64_t kPerByte = 8 / kBits;
  for (std::int64_t c = 0; c < n; c += kPerByte) {
    std::uint32_t byte = 0;
    for (std::int64_t k = 0; k < kPerByte && c + k < n; ++k)
      byte |= (__builtin_bit_cast(std::uint32_t, sums[c + k]) & 0xFFU) << k * kBits;
    out[c / kPerByte] = static_cast<std::uint8_t>(byte);
  }
}

template <class Format>
inline void quantize(const QuantizeArgs& args) {
  const QuantizeArgs a = args;
  constexpr int kBits = Format::kBits;
  for (std::int64_t r = 0; r < a.rows; ++r) {
    const float* const in = a.in + r * a.in_stride;
    std::uint8_t* const out = a.out + r * a.out_stride;
    const Range range = range_of(in, a.dim);
    const RowScale scale = row_scale<kBits>(range.low, range.high);
    const Floats bias(scale.bias);
    const Floats inverse(scale.inverse);
    for_each_vector(
        a.dim, [=](std::int64_t c, auto lanes) __attribute__((always_inline)) {
          Floats codes = (load(in + c, lanes) - bias) * inverse;
          codes = xsimd::min(xsimd::max(codes, Floats(0.0F)), Floats(static_cast<float>((1 << kBits) - 1)));
          std::int64_t n = kLanes;
          if constexpr (std::is_same_v<decltype(lanes), Tail>) n = lanes.n;
          store_codes<kBits>(out + c * kBits / 8, codes, n);
        });
    typename Format::Parameter scale_and_bias[2];
    if constexpr (kBits == 8) {
      scale_and_bias[0] = scale.scale;
      scale_and_bias[1] = scale.bias;
    } else {
      scale_and_bias[0] = F16(scale.scale).bits;
      scale_and_bias[1] = F16(scale.bias).bits;
    }
    __builtin_memcpy(out + Format::code_bytes(a.dim), scale_and_bias, sizeof scale_and_bias);
  }
}

}  // namespace

void quantize_f32_to_int8(const QuantizeArgs& a) { quantize<QuantizedFormat<8>>(a); }
void quantize_f32_to_int4(const QuantizeArgs& a) { quantize<QuantizedFormat<4>>(a); }
void quantize_f32_to_int2(const QuantizeArgs& a) { quantize<QuantizedFormat<2>>(a); }

void row_ranges_f32(const RowRangesArgs& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    const Range range = range_of(a.in + r * a.in_stride, a.dim);
    a.low[r] = range.finite ? range.low : __builtin_nanf("");
    a.high[r] = range.finite ? range.high : __builtin_nanf("");
  }
}

}  // namespace rowmill::ROWMILL_ISA
