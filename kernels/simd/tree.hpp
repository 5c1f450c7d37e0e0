// SPDX-License-Identifier: Apache-2.0
// tree_sum of several vectors at once: the sum of the lanes of each is a lane of one vector. Included by *.isa.cpp
// files only.
#pragma once

#include "kernels/simd.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

/// One step of the trees. x and y hold several sums of kSize lanes each, one after another. Adds the upper half of each
/// sum to its lower half. The result holds these halves: in each part of kPart lanes first those of x, then those of y.
template <int kSize, int kPart>
[[gnu::always_inline]] inline Floats halve(Floats x, Floats y) {
  return [&]<int... i>(std::integer_sequence<int, i...>) __attribute__((always_inline)) {
    constexpr auto from = [](int lane) {
      constexpr int kHalf = kSize / 2;
      const int part = lane / kPart * kPart;
      const int in_part = lane % kPart;
      const bool of_y = in_part >= kPart / 2;
      const int half = in_part % (kPart / 2);
      return (of_y ? static_cast<int>(kLanes) : 0) + part + half / kHalf * kSize + half % kHalf;
    };
    using Native = Floats::register_type;
    const Native a = x;
    const Native b = y;
    return Floats(Native(__builtin_shufflevector(a, b, from(i)...))) +
           Floats(Native(__builtin_shufflevector(a, b, (from(i) + kSize / 2)...)));
  }
  (std::make_integer_sequence<int, static_cast<int>(kLanes)>{});
}

/// Lane i is the sum of the lanes of v[i], for i < kLanes.
[[gnu::always_inline]] inline Floats tree_sums(const Floats* v) {
  const auto four = [v](std::int64_t i) __attribute__((always_inline)) {  // down to four lanes each
    if constexpr (kLanes == 16) {
      return halve<8, 16>(halve<16, 16>(v[i], v[i + 4]), halve<16, 16>(v[i + 8], v[i + 12]));
    } else if constexpr (kLanes == 8) {
      return halve<8, 8>(v[i], v[i + 4]);
    } else {
      return v[i];
    }
  };
  return halve<2, 4>(halve<4, 4>(four(0), four(1)), halve<4, 4>(four(2), four(3)));
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
