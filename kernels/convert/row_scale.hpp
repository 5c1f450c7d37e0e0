// SPDX-License-Identifier: Apache-2.0
// The scale and bias of a quantised row: docs/numerics.md. Always inlined, because leaf kernels use it.
#pragma once

#include "rowmill/format.hpp"

namespace rowmill {

/// scale and bias as the row will store them, widened to float; a code is (x - bias) * inverse, rounded.
struct RowScale {
  float scale, bias, inverse;
};

/// For a row whose smallest and largest values are low and high. A scale or bias that its format can't hold is
/// infinite.
template <int kBits>
[[gnu::always_inline]] static inline RowScale row_scale(float low, float high) {
  constexpr auto kMost = static_cast<float>((1 << kBits) - 1);
  low += 0.0F;  // the smallest of +0 and -0 is +0, in whatever order they come
  if constexpr (kBits == 8) {
    const float range = high - low;
    return {range / kMost, low, kMost / (range + 1e-8F)};
  } else {
    const float bias = static_cast<float>(F16(low));
    const float scale = static_cast<float>(F16((high - bias) / kMost));
    if (scale == 0) return {1, bias, 1};
    return {scale, bias, 1 / scale};
  }
}

}  // namespace rowmill
