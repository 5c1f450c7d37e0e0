// SPDX-License-Identifier: Apache-2.0
// Leaf kernels that look at ids: ids out of range, and ids to be dropped.
#include "kernels/ids/ids_kernels.hpp"
#include "kernels/simd.hpp"
#include "kernels/simd/compact.hpp"

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

template <class Id>
inline void keep_ids(const KeepIdsArgs<Id>& args) {
  const KeepIdsArgs<Id> a = args;
  // No id equals a value that Id can't hold.
  const bool drops = static_cast<std::int64_t>(static_cast<Id>(a.dropped)) == a.dropped;
  const auto dropped = static_cast<Id>(a.dropped);
  std::int64_t kept = 0;
  for (std::int64_t b = 0; b < a.bags; ++b) {
    std::int64_t i = a.begin[b];
    const std::int64_t last = a.begin[b + 1];
    a.kept_begin[b] = kept;
    const auto weights_at = [&](std::int64_t at) { return a.weights == nullptr ? nullptr : a.weights + at; };
    for (; drops && i + kCompact<Id> <= last; i += kCompact<Id>) {
      kept += compact(a.ids + i, weights_at(i), dropped, a.rows + kept, a.kept_weights + kept);
    }
    for (; i < last; ++i) {
      a.rows[kept] = a.ids[i];
      if (a.weights != nullptr) a.kept_weights[kept] = a.weights[i];
      kept += drops && a.ids[i] == dropped ? 0 : 1;
    }
  }
  a.kept_begin[a.bags] = kept;
}

}  // namespace

std::int64_t find_bad_id_i32(const FindBadIdArgs<std::int32_t>& args) { return find_bad_id(args); }
std::int64_t find_bad_id_i64(const FindBadIdArgs<std::int64_t>& args) { return find_bad_id(args); }

void keep_ids_i32(const KeepIdsArgs<std::int32_t>& args) { keep_ids(args); }
void keep_ids_i64(const KeepIdsArgs<std::int64_t>& args) { keep_ids(args); }

}  // namespace rowmill::ROWMILL_ISA
