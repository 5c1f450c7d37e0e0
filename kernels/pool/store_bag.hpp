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

/// Stores n columns of a bag, from element `at` of an output on: results over the divisor, or +0 if that is 0, as it is
/// of a bag without terms. A function, because the loops over groups of vectors are many, and it is called once a bag.
[[gnu::noinline]] inline void store_bag(void* out, Format to, std::int64_t at, std::int64_t n, const float* results,
                                        float divisor) {
  with_format(
      to, [=]<class Out>() __attribute__((always_inline)) {
        auto* const first = element<Out>(out, at);
        for_each_vector(
            n, [=](std::int64_t k, auto lanes) __attribute__((always_inline)) {
              Floats x = load(results + k, lanes);
              if (divisor != 1) x = divisor == 0 ? Floats(0.0F) : divide(x, Floats(divisor));
              Out::store(first + k, x, lanes);
            });
      });
}

/// What the sum of bag b is divided by; 0 if it is to be +0.
template <class Id>
[[gnu::always_inline]] inline float divisor_of(const PoolArgs<Id>& a, std::int64_t b, bool empty) {
  return empty ? 0 : a.divisors == nullptr ? 1 : a.divisors[b];
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
