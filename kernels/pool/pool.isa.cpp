// SPDX-License-Identifier: Apache-2.0
#include "kernels/pool/pool_kernels.hpp"
#include "kernels/simd/formats.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

/// What a row of +0 is read from: as many columns as a group has.
template <class Value>
inline const Value kZeros[kSums * kLanes] = {};

/// Columns [c, c + kVectors * kLanes) of all bags: long rows are summed a group of columns after the other, with the
/// sums in registers.
template <class In, class Out, CacheLevel kInto, std::int64_t kVectors, class Id, class Lanes>
[[gnu::always_inline]] inline void pool_columns(const PoolArgs<Id>& a, std::int64_t c, Lanes lanes) {
  using Value = typename In::Value;
  const std::int64_t ahead = a.prefetch.ahead;
  const Id* const ids = a.ids;
  const Value* const table = static_cast<const Value*>(a.table) + c;
  const std::int64_t stride = a.table_stride;
  const std::int64_t end = a.begin[a.bags];
  const auto row = [=](std::int64_t i) __attribute__((always_inline)) { return table + ids[i] * stride; };

  for (std::int64_t b = 0; b < a.bags; ++b) {
    std::int64_t i = a.begin[b];
    const std::int64_t last = a.begin[b + 1];
    while (i < last && ids[i] == kDroppedId) ++i;
    Floats sum[kVectors];
    std::int64_t count = 0;
    const auto read = [&](auto take) __attribute__((always_inline)) {
      const Value* const now = ids[i] >= 0 ? row(i) : kZeros<Value>;
      // Between the loads, where a prefetch is almost free. To prefetch again what is read now costs as little.
      const Value* const later = i + ahead < end && ids[i + ahead] >= 0 ? row(i + ahead) : now;
      unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) {
        prefetch_column(later, v * kLanes, kInto);
        take(v, In::load(now + v * kLanes, lanes));
      });
      ++count;
    };
    if (i == last) {
      unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) { sum[v] = Floats(0.0F); });
    } else {
      read([&](std::int64_t v, Floats value) __attribute__((always_inline)) { sum[v] = value; });
      for (++i; i < last; ++i) {
        if (ids[i] == kDroppedId) continue;
        read([&](std::int64_t v, Floats value) __attribute__((always_inline)) { sum[v] += value; });
      }
    }
    if (a.mean && count > 0) {
      const Floats divisor(static_cast<float>(count));
      unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) { sum[v] = divide(sum[v], divisor); });
    }
    auto* const out = static_cast<typename Out::Value*>(a.out) + b * a.out_stride + c;
    unrolled<kVectors>([&](std::int64_t v)
                           __attribute__((always_inline)) { Out::store(out + v * kLanes, sum[v], lanes); });
  }
}

template <class In, class Out, class Id>
inline void pool(const PoolArgs<Id>& a) {
  with_level(a.prefetch.into, [&]<CacheLevel kInto>() {
    for_each_group(a.dim, [&]<std::int64_t kVectors>(std::int64_t c, auto lanes) {
      pool_columns<In, Out, kInto, kVectors>(a, c, lanes);
    });
  });
}

}  // namespace

void pool_f32_i32(const PoolArgs<std::int32_t>& a) { pool<F32Format, F32Format>(a); }
void pool_f32_i64(const PoolArgs<std::int64_t>& a) { pool<F32Format, F32Format>(a); }
void pool_bf16_i32(const PoolArgs<std::int32_t>& a) { pool<Bf16Format, Bf16Format>(a); }
void pool_bf16_i64(const PoolArgs<std::int64_t>& a) { pool<Bf16Format, Bf16Format>(a); }
void pool_bf16_to_f32_i32(const PoolArgs<std::int32_t>& a) { pool<Bf16Format, F32Format>(a); }
void pool_bf16_to_f32_i64(const PoolArgs<std::int64_t>& a) { pool<Bf16Format, F32Format>(a); }

void divide_rows_f32(const DivideRowsArgs& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    const float* in = a.in + r * a.in_stride;
    float* out = a.out + r * a.out_stride;
    if (a.divisors[r] == 0) {
      zero_row(out, a.dim);
      continue;
    }
    const Floats divisor(static_cast<float>(a.divisors[r]));
    for_each_vector(a.dim,
                    [=](std::int64_t c, auto lanes) { store(out + c, divide(load(in + c, lanes), divisor), lanes); });
  }
}

}  // namespace rowmill::ROWMILL_ISA
