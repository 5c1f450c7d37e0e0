// SPDX-License-Identifier: Apache-2.0
// A row's elements as floats, in every format that has float arithmetic.
#include "kernels/reference/reference.hpp"
#include "rowmill/format.hpp"

namespace rowmill::reference {

float load(Format format, const void* row, std::int64_t dim, std::int64_t c) {
  switch (format) {
    case Format::f32:
      return static_cast<const float*>(row)[c];
    case Format::bf16:
      return static_cast<float>(static_cast<const Bf16*>(row)[c]);
    case Format::f16:
      return static_cast<float>(static_cast<const F16*>(row)[c]);
    default:
      return dequantize(format, static_cast<const std::uint8_t*>(row), dim, c);
  }
}

void store(Format format, void* row, std::int64_t c, float x) {
  if (format == Format::f32) static_cast<float*>(row)[c] = x;
  if (format == Format::bf16) static_cast<Bf16*>(row)[c] = Bf16(x);
  if (format == Format::f16) static_cast<F16*>(row)[c] = F16(x);
}

}  // namespace rowmill::reference
