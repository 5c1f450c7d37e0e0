// SPDX-License-Identifier: Apache-2.0
// Row-wise quantised rows: what docs/numerics.md says of them, and the leaf kernels of the `scalar` instruction set.
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/kernel_list.hpp"
#include "kernels/reference/reference.hpp"

namespace rowmill::reference {
namespace {

int bits_of(Format format) { return format == Format::int8 ? 8 : format == Format::int4 ? 4 : 2; }

}  // namespace

float dequantize(Format format, const std::uint8_t* row, std::int64_t dim, std::int64_t c) {
  const int bits = bits_of(format);
  const std::int64_t per_byte = 8 / bits;
  const int code = row[c / per_byte] >> (c % per_byte * bits) & ((1 << bits) - 1);
  const std::uint8_t* const end_of_codes = row + (dim + per_byte - 1) / per_byte;
  float scale = 0;
  float bias = 0;
  if (format == Format::int8) {
    std::memcpy(&scale, end_of_codes, sizeof scale);
    std::memcpy(&bias, end_of_codes + sizeof scale, sizeof bias);
  } else {
    F16 halves[2];
    std::memcpy(halves, end_of_codes, sizeof halves);
    scale = static_cast<float>(halves[0]);
    bias = static_cast<float>(halves[1]);
  }
  return static_cast<float>(code) * scale + bias;
}

void quantize_row(Format format, const float* in, std::int64_t dim, std::uint8_t* row) {
  const int bits = bits_of(format);
  const std::int64_t per_byte = 8 / bits;
  const auto most = static_cast<float>((1 << bits) - 1);
  float low = in[0];
  float high = in[0];
  for (std::int64_t c = 1; c < dim; ++c) {
    if (in[c] < low) low = in[c];
    if (in[c] > high) high = in[c];
  }
  if (low == 0) low = 0;  // not -0
  std::uint8_t* const end_of_codes = row + (dim + per_byte - 1) / per_byte;
  float bias = low;
  float inverse = 0;
  if (format == Format::int8) {
    const float scale = (high - low) / most;
    inverse = most / ((high - low) + 1e-8F);
    std::memcpy(end_of_codes, &scale, sizeof scale);
    std::memcpy(end_of_codes + sizeof scale, &bias, sizeof bias);
  } else {
    bias = static_cast<float>(F16(low));
    float scale = static_cast<float>(F16((high - bias) / most));
    if (scale == 0) scale = 1;
    inverse = 1 / scale;
    const F16 halves[2] = {F16(scale), F16(bias)};
    std::memcpy(end_of_codes, halves, sizeof halves);
  }
  for (std::int64_t c = 0; c < dim; ++c) {
    float code = std::nearbyint((in[c] - bias) * inverse);
    code = code < 0 ? 0 : code > most ? most : code;
    const std::int64_t place = c % per_byte * bits;
    if (place == 0) row[c / per_byte] = 0;
    row[c / per_byte] = static_cast<std::uint8_t>(row[c / per_byte] | static_cast<int>(code) << place);
  }
}

}  // namespace rowmill::reference

namespace rowmill::scalar {
namespace {

void quantize(Format to, const QuantizeArgs& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    reference::quantize_row(to, a.in + r * a.in_stride, a.dim, a.out + r * a.out_stride);
  }
}

}  // namespace

void quantize_f32_to_int8(const QuantizeArgs& a) { quantize(Format::int8, a); }
void quantize_f32_to_int4(const QuantizeArgs& a) { quantize(Format::int4, a); }
void quantize_f32_to_int2(const QuantizeArgs& a) { quantize(Format::int2, a); }

void row_ranges_f32(const RowRangesArgs& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    const float* const in = a.in + r * a.in_stride;
    float low = in[0];
    float high = in[0];
    for (std::int64_t c = 0; c < a.dim; ++c) {
      if (in[c] < low) low = in[c];
      if (in[c] > high) high = in[c];
      if (!std::isfinite(in[c])) {
        low = high = std::numeric_limits<float>::quiet_NaN();
        break;
      }
    }
    a.low[r] = low;
    a.high[r] = high;
  }
}

}  // namespace rowmill::scalar
