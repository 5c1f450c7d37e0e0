// SPDX-License-Identifier: Apache-2.0
#include "kernels/ids/ids_kernels.hpp"
#include "kernels/simd.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

template <class Id>
inline std::int64_t find_bad_id(const FindBadIdArgs<Id>& a) {
  using Vector = Batch<Id>;
  constexpr auto kWidth = static_cast<std::int64_t>(Vector::size);
  constexpr std::int64_t kUnroll = 4;
  const Vector lowest(a.lowest);
  const Vector highest(a.highest);
  std::int64_t i = 0;
  // Whole blocks at vector speed; the first block with a bad id is left to the loop below, which finds its position.
  for (; i + kUnroll * kWidth <= a.count; i += kUnroll * kWidth) {
    Vector smallest = Vector::load_unaligned(a.ids + i);
    Vector largest = smallest;
    for (std::int64_t u = 1; u < kUnroll; ++u) {
      const Vector v = Vector::load_unaligned(a.ids + i + u * kWidth);
      smallest = xsimd::select(v < smallest, v, smallest);
      largest = xsimd::select(v > largest, v, largest);
    }
    if (xsimd::any((smallest < lowest) | (largest > highest))) break;
  }
  for (; i < a.count; ++i) {
    if (a.ids[i] < a.lowest || a.ids[i] > a.highest) return i;
  }
  return a.count;
}

}  // namespace

std::int64_t find_bad_id_i32(const FindBadIdArgs<std::int32_t>& args) { return find_bad_id(args); }
std::int64_t find_bad_id_i64(const FindBadIdArgs<std::int64_t>& args) { return find_bad_id(args); }

}  // namespace rowmill::ROWMILL_ISA
