// SPDX-License-Identifier: Apache-2.0
#include <type_traits>

#include "kernels/pool/pool_kernels.hpp"
#include "kernels/pool/store_bag.hpp"
#include "kernels/simd/formats.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

/// Stores sum / divisor, or +0.
template <class Id, std::int64_t kVectors, class Lanes>
[[gnu::always_inline]] inline void finish(const PoolArgs<Id>& a, std::int64_t b, std::int64_t c, bool empty,
                                          Floats (&sum)[kVectors], Lanes lanes) {
  const float divisor = divisor_of(a, b, empty);
  const std::int64_t at = b * a.out_stride + c;
  if (a.to != Format::f32) {
    float sums[kVectors * kLanes];
    unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) { store(sums + v * kLanes, sum[v]); });
    return store_bag(a.out, a.to, at, columns_of<kVectors>(lanes), sums, divisor);
  }
  if (divisor == 0) {
    unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) { sum[v] = Floats(0.0F); });
  } else if (divisor != 1) {
    const Floats by(divisor);
    unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) { sum[v] = divide(sum[v], by); });
  }
  float* const out = static_cast<float*>(a.out) + at;
  unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) { store(out + v * kLanes, sum[v], lanes); });
}

/// Whether sums of kVectors vectors are those of even and of odd columns, by turns, until the bag's end: bf16 then
/// takes two thirds of the operations.
template <class In, std::int64_t kVectors>
inline constexpr bool kInPairs =
#if defined(__AVX512BW__)
    std::is_same_v<In, Bf16Format>&& kVectors % 2 == 0;
#else
    false;
#endif

/// All lines of rows of at most this size are prefetched from the same row.
constexpr std::int64_t kShortRowBytes = 128;

/// Columns [c, c + kVectors * kLanes) of all bags: long rows are summed a group of columns after the other, with the
/// sums in registers. `table` points to column c of the first row.
template <class In, CacheLevel kInto, bool kWeighted, std::int64_t kVectors, class Id, class Lanes>
[[gnu::noinline]] void pool_columns(const PoolArgs<Id>& a, const typename In::Value* table, std::int64_t c,
                                    Lanes lanes) {
  using Value = typename In::Value;
  const std::int64_t ahead = a.prefetch.ahead;
  const std::int64_t rest_ahead = ahead - a.rest_nearer;
  const Id* const ids = a.ids;
  const float* const weights = a.weights;
  const std::int64_t stride = a.table_stride;
  const std::int64_t end = a.begin[a.bags] + a.later_ids;
  const auto row = [=](std::int64_t i) __attribute__((always_inline)) { return table + ids[i] * stride; };

  for (std::int64_t b = 0; b < a.bags; ++b) {
    const std::int64_t first = a.begin[b];
    const std::int64_t last = a.begin[b + 1];
    Floats sum[kVectors];
    // -0 and a term make that term, whatever it is: so a sum starts from its first one.
    unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) { sum[v] = Floats(-0.0F); });
    for (std::int64_t i = first; i < last; ++i) {
      const Value* const now = row(i);
      // Between the loads, where a prefetch is almost free. To prefetch again what is read now costs as little.
      const Value* const later = i + rest_ahead < end ? row(i + rest_ahead) : now;
      // A second address is not worth its cost where rows are short, or come from a table in the caches.
      constexpr bool kSameAddress =
          kInto == CacheLevel::first || kVectors * kLanes * std::int64_t{sizeof(Value)} <= kShortRowBytes;
      const Value* const latest = kSameAddress ? later : i + ahead < end ? row(i + ahead) : now;
      const Floats weight(kWeighted ? weights[i] : 1.0F);
      const auto add = [&](std::int64_t v, Floats x) __attribute__((always_inline)) {
        sum[v] += kWeighted ? weight * x : x;
      };
      if constexpr (kInPairs<In, kVectors>) {
        unrolled<kVectors / 2>([&](std::int64_t v) __attribute__((always_inline)) {
          prefetch_column(v == 0 ? latest : later, 2 * v * kLanes, kInto);
          Floats even;
          Floats odd;
          load_bf16_pairs(now + 2 * v * kLanes, even, odd);
          add(2 * v, even);
          add(2 * v + 1, odd);
        });
      } else {
        unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) {
          prefetch_column(v == 0 ? latest : later, v * kLanes, kInto);
          add(v, In::load(now + v * kLanes, lanes));
        });
      }
    }
    if constexpr (kInPairs<In, kVectors>) {
      unrolled<kVectors / 2>([&](std::int64_t v)
                                 __attribute__((always_inline)) { order_pairs(sum[2 * v], sum[2 * v + 1]); });
    }
    finish(a, b, c, first == last, sum, lanes);
  }
}

template <class In, class Id>
[[gnu::noinline]] void pool(const PoolArgs<Id>& a) {
  with_level(a.prefetch.into, [&]<CacheLevel kInto>() {
    for_each_group(a.dim, [&]<std::int64_t kVectors>(std::int64_t c, auto lanes) {
      const auto* const table = static_cast<const typename In::Value*>(a.table) + c;
      if (a.weights == nullptr) {
        pool_columns<In, kInto, false, kVectors>(a, table, c, lanes);
      } else {
        pool_columns<In, kInto, true, kVectors>(a, table, c, lanes);
      }
    });
  });
}

}  // namespace

void pool_f32_i32(const PoolArgs<std::int32_t>& a) { pool<F32Format>(a); }
void pool_f32_i64(const PoolArgs<std::int64_t>& a) { pool<F32Format>(a); }
void pool_bf16_i32(const PoolArgs<std::int32_t>& a) { pool<Bf16Format>(a); }
void pool_bf16_i64(const PoolArgs<std::int64_t>& a) { pool<Bf16Format>(a); }

}  // namespace rowmill::ROWMILL_ISA
