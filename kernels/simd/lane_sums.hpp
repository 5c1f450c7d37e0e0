// SPDX-License-Identifier: Apache-2.0
// Sums across the columns of a row. Included by *.isa.cpp files only.
#pragma once

#include "kernels/simd.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

/// Lane k of 16 sums columns k, k+16, ... in order; then the lanes are summed as a balanced tree. A lane without a
/// column adds +0. That changes no bit, because the sums start from +0 and so are never -0.
class LaneSums {
 public:
  LaneSums() {
    for (Floats& sum : sums_) sum = Floats(0.0F);
  }
  /// Adds the terms of vector v of a row. Vectors come in order.
  [[gnu::always_inline]] void add(std::int64_t v, Floats terms) { sums_[v % kVectors] += terms; }
  [[gnu::always_inline]] float total() {
    for (std::int64_t width = kVectors / 2; width > 0; width /= 2) {
      for (std::int64_t i = 0; i < width; ++i) sums_[i] += sums_[i + width];
    }
    return tree_sum(sums_[0]);
  }

 private:
  static constexpr std::int64_t kVectors = 16 / kLanes;
  Floats sums_[kVectors];
};

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
