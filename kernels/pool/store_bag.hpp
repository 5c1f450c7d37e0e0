// SPDX-License-Identifier: Apache-2.0
// The end of a bag. Included by *.isa.cpp files only.
#pragma once

#include "kernels/pool/pool_kernels.hpp"
#include "kernels/simd/formats.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

/// How many columns a group of vectors has.
template <std::int64_t kVectors>
[[gnu::always_inline]] inline std::int64_t columns_of(FullVector) {
  return kVectors * kLanes;
}
template <std::int64_t kVectors>
[[gnu::always_inline]] inline std::int64_t columns_of(Tail tail) {
  return tail.n;
}

/// Stores columns [c, c + n) of bag b: results over its divisor, or +0 if it has no terms. As float32 or, if `narrow`,
/// as bf16. A function, because the loops over groups of vectors are many, and it is called once for a bag.
[[gnu::noinline]] inline void store_bag(const PoolArgs<std::int64_t>& args, bool narrow, std::int64_t b, std::int64_t c,
                                        std::int64_t n, const float* results, bool empty) {
  const PoolArgs<std::int64_t> a = args;
  const float divisor = a.divisors == nullptr ? 1 : a.divisors[b];
  const bool zero = empty || divisor == 0;
  const std::int64_t at = b * a.out_stride + c;
  for_each_vector(
      n, [=](std::int64_t k, auto lanes) __attribute__((always_inline)) {
        Floats x = load(results + k, lanes);
        if (divisor != 1) x = divide(x, Floats(divisor));
        if (zero) x = Floats(0.0F);
        if (narrow) {
          Bf16Format::store(static_cast<Bf16Format::Value*>(a.out) + at + k, x, lanes);
        } else {
          store(static_cast<float*>(a.out) + at + k, x, lanes);
        }
      });
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
