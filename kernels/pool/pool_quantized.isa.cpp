// SPDX-License-Identifier: Apache-2.0
// Sums without weights of float16 and of quantised rows. As pool.isa.cpp, but a row's scale and bias are read before
// its columns, and its lines are prefetched at once. With AVX-512, float16 and rows of less than 128 columns have a
// loop for each type of ids and each level of prefetch, which gains 5 to 15 %. All other rows share one loop, which
// branches on both at each row. Instructions are what limits these loops: docs/design/performance.md. Rarer sums take
// pool_max.isa.cpp.
#include <type_traits>

#include "kernels/pool/pool_kernels.hpp"
#include "kernels/pool/store_bag.hpp"
#include "kernels/simd/quantized.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

template <class In>
concept HasSumRows = requires(const std::uint8_t* row, std::int64_t dim) {
  In::sum_row(row, dim);
};

/// Adds columns [c, c + n) of a row, for the few that are not usual: a function, because it is called in many loops.
template <class In>
[[gnu::noinline]] void add_row(const std::uint8_t* row, std::int64_t dim, std::int64_t c, std::int64_t n, float* sums) {
  const auto columns = In::row(row, dim).from(c);
  for_each_vector(
      n, [=](std::int64_t k, auto lanes) __attribute__((always_inline)) {
        store(sums + k, load(sums + k, lanes) + columns.load(k, lanes), lanes);
      });
}

struct F16Rows : F16Format {
  static constexpr int kBits = 16;
  [[gnu::always_inline]] static std::int64_t row_bytes(std::int64_t dim) { return dim * kBits / 8; }
};

/// Columns [c, c + kVectors * kLanes) of all bags.
template <class In, std::int64_t kVectors, class AllIds, class Level, class Lanes>
[[gnu::always_inline]] inline void sum_columns(const PoolArgs<std::int64_t>& args, AllIds ids, Level into,
                                               std::int64_t c, Lanes lanes) {
  const PoolArgs<std::int64_t> a = args;  // stores may alias anything in memory, but not a local copy
  const auto* const table = static_cast<const typename In::Value*>(a.table);
  const auto row = [=](std::int64_t i) __attribute__((always_inline)) { return table + ids[i] * a.table_stride; };
  const std::int64_t end = a.begin[a.bags] + a.later_ids;
  // Of the group in the row that is prefetched: its lines, one by one from its first byte on, and the line of its last.
  // The lines after the first may be those of a nearer row, as in pool.isa.cpp.
  constexpr std::int64_t kGroupBytes = kVectors * kLanes * In::kBits / 8;
  const std::int64_t offset = c * In::kBits / 8;
  const std::int64_t last_byte = c + kVectors * kLanes < a.dim ? offset + kGroupBytes - 1 : In::row_bytes(a.dim) - 1;
  const std::int64_t rest_ahead = a.prefetch.ahead - a.rest_nearer;
  for (std::int64_t b = 0; b < a.bags; ++b) {
    const std::int64_t first = a.begin[b];
    const std::int64_t last = a.begin[b + 1];
    Floats sum[kVectors];
    // To -0 whatever is added stays what it is.
    unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) { sum[v] = Floats(-0.0F); });
    for (std::int64_t i = first; i < last; ++i) {
      const auto* const now = row(i);
      // To prefetch again what is read now costs less than a branch.
      const auto row_ahead = [=](std::int64_t ahead) __attribute__((always_inline)) {
        return reinterpret_cast<const char*>(i + ahead < end ? row(i + ahead) : now);
      };
      const char* const later = row_ahead(rest_ahead);
      with_level(
          into, [=]<CacheLevel kInto>() __attribute__((always_inline)) {
            const char* const latest = kInto == CacheLevel::first ? later : row_ahead(a.prefetch.ahead);
            unrolled<(kGroupBytes + kCacheLine - 1) / kCacheLine>([=](std::int64_t n) __attribute__((always_inline)) {
              prefetch_line((n == 0 ? latest : later) + offset + n * kCacheLine, kInto);
            });
            prefetch_line(later + last_byte, kInto);
          });
      const auto add = [&](const auto& columns) __attribute__((always_inline)) {
        unrolled<kVectors>([&](std::int64_t v)
                               __attribute__((always_inline)) { sum[v] += columns.load(v * kLanes, lanes); });
      };
      if constexpr (!HasSumRows<In>) {
        add(In::row(now, a.dim).from(c));
      } else if (In::is_usual(now, a.dim)) [[likely]] {
        add(In::sum_row(now, a.dim).from(c));
      } else {
        float sums[kVectors * kLanes];
        unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) { store(sums + v * kLanes, sum[v]); });
        add_row<In>(now, a.dim, c, columns_of<kVectors>(lanes), sums);
        unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) { sum[v] = load(sums + v * kLanes); });
      }
    }
    if constexpr (HasSumRows<In>) {
      unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) { sum[v] = In::in_order(sum[v]); });
    }
    const float divisor = divisor_of(a, b, first == last);
    const std::int64_t at = b * a.out_stride + c;
    if (a.to == Format::f32 && divisor == 1) {
      float* const out = static_cast<float*>(a.out) + at;
      unrolled<kVectors>([&](std::int64_t v)
                             __attribute__((always_inline)) { store(out + v * kLanes, sum[v], lanes); });
      continue;
    }
    float sums[kVectors * kLanes];
    unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) { store(sums + v * kLanes, sum[v]); });
    store_bag(a.out, a.to, at, columns_of<kVectors>(lanes), sums, divisor);
  }
}

/// The ids and the level of `args` are not used. kMaxVectors are summed at a time.
template <class In, std::int64_t kMaxVectors, class AllIds, class Level>
[[gnu::noinline]] void sum(const PoolArgs<std::int64_t>& args, AllIds ids, Level into) {
  for_each_group<kMaxVectors>(
      args.dim, [&]<std::int64_t kVectors>(std::int64_t c, auto lanes)
                    __attribute__((always_inline)) { sum_columns<In, kVectors>(args, ids, into, c, lanes); });
}

template <class In, class Id>
inline void sum(const PoolArgs<Id>& a) {
  const PoolArgs<std::int64_t> args{a.table, a.table_stride, nullptr, a.weights,  a.begin, a.bags,      a.divisors,
                                    a.out,   a.out_stride,   a.dim,   a.prefetch, a.to,    a.later_ids, a.rest_nearer};
#if defined(__AVX512BW__)
  constexpr bool kAllWidths = std::is_same_v<In, F16Rows>;
  constexpr std::int64_t kMaxVectors = kAllWidths ? kSums : 4;
  if (kAllWidths || a.dim < 2 * kMaxVectors * kLanes) {
    return with_level(a.prefetch.into, [&]<CacheLevel kInto>() {
      sum<In, kMaxVectors>(args, a.ids, std::integral_constant<CacheLevel, kInto>{});
    });
  }
#endif
  sum<In, kSums>(args, AnyIds(a.ids), a.prefetch.into);
}

}  // namespace

void pool_f16_i32(const PoolArgs<std::int32_t>& a) { sum<F16Rows>(a); }
void pool_f16_i64(const PoolArgs<std::int64_t>& a) { sum<F16Rows>(a); }
void pool_int8_i32(const PoolArgs<std::int32_t>& a) { sum<QuantizedFormat<8>>(a); }
void pool_int8_i64(const PoolArgs<std::int64_t>& a) { sum<QuantizedFormat<8>>(a); }
void pool_int4_i32(const PoolArgs<std::int32_t>& a) { sum<QuantizedFormat<4>>(a); }
void pool_int4_i64(const PoolArgs<std::int64_t>& a) { sum<QuantizedFormat<4>>(a); }
void pool_int2_i32(const PoolArgs<std::int32_t>& a) { sum<QuantizedFormat<2>>(a); }
void pool_int2_i64(const PoolArgs<std::int64_t>& a) { sum<QuantizedFormat<2>>(a); }

}  // namespace rowmill::ROWMILL_ISA
