// SPDX-License-Identifier: Apache-2.0
// What is rarer than the sum of rows: sums where ids may stand for a row of zeros, maxima, and which id gave each
// maximum. One loop for all, which asks at each id whether it is a row, and multiplies by 1 where there are no weights.
#include <bit>
#include <limits>

#include "kernels/ids/resolve.hpp"
#include "kernels/pool/pool_kernels.hpp"
#include "kernels/pool/store_bag.hpp"
#include "kernels/simd/formats.hpp"
#include "kernels/simd/quantized.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

/// The bits of an integer as a float in all lanes: it is only selected, stored and compared for equal bits.
[[gnu::always_inline]] inline Floats bits(std::int64_t i) {
  return Floats(std::bit_cast<float>(static_cast<std::int32_t>(i)));
}

template <std::int64_t kVectors>
struct Sum {
  static constexpr std::int64_t kMostVectors = kSums / 4;
  static constexpr std::int64_t kMostQuantized = kSums / 4;
  Floats sum[kVectors];

  /// To -0 whatever is added stays what it is.
  [[gnu::always_inline]] void begin(std::int64_t) {
    unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) { sum[v] = Floats(-0.0F); });
  }
  [[gnu::always_inline]] void take(std::int64_t v, Floats term, std::int64_t) { sum[v] += term; }
  [[gnu::always_inline]] Floats result(std::int64_t v) const { return sum[v]; }
};

template <std::int64_t kVectors>
struct Max {
  static constexpr std::int64_t kMostVectors = kSums / 2;
  static constexpr std::int64_t kMostQuantized = 1;
  Floats best[kVectors];

  [[gnu::always_inline]] void begin(std::int64_t) {
    unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) {
      best[v] = Floats(-std::numeric_limits<float>::infinity());
    });
  }
  /// A later term is taken if it is larger, or the first NaN: if it is not at most the best one, which is no NaN.
  [[gnu::always_inline]] static auto takes(Floats term, Floats best) { return ~(term <= best) & (best == best); }
  [[gnu::always_inline]] void take(std::int64_t v, Floats term, std::int64_t) {
    best[v] = xsimd::select(takes(term, best[v]), term, best[v]);
  }
  [[gnu::always_inline]] Floats result(std::int64_t v) const { return best[v]; }
};

/// As Max; the result is the position of the best term. The first one has won until a larger one comes: it may be
/// -infinity, than which nothing is smaller.
template <std::int64_t kVectors>
struct Winner {
  static constexpr std::int64_t kMostVectors = kSums / 4;
  Floats best[kVectors];
  Floats position[kVectors];

  [[gnu::always_inline]] void begin(std::int64_t first_position) {
    unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) {
      best[v] = Floats(-std::numeric_limits<float>::infinity());
      position[v] = bits(first_position);
    });
  }
  [[gnu::always_inline]] void take(std::int64_t v, Floats term, std::int64_t at) {
    const auto taken = Max<kVectors>::takes(term, best[v]);
    best[v] = xsimd::select(taken, term, best[v]);
    position[v] = xsimd::select(taken, bits(at), position[v]);
  }
  [[gnu::always_inline]] Floats result(std::int64_t v) const { return position[v]; }
};

/// Columns [c, c + kVectors * kLanes) of all bags. finish(b, n, results, none) gets what Reduce makes of n columns of a
/// bag, and whether no position counts.
template <template <std::int64_t> class Reduce, std::int64_t kVectors, class In, class Args, class Lanes, class Finish>
[[gnu::always_inline]] inline void reduce_columns(const Args& a, In in, std::int64_t c, Lanes lanes, Finish finish) {
  using Value = typename In::Value;
  const PrefetchArgs prefetch_args = a.prefetch;
  const std::int64_t* const ids = a.ids;
  const float* const weights = a.weights;
  const Value* const table = static_cast<const Value*>(a.table);
  const std::int64_t stride = a.table_stride;
  const std::int64_t dim = a.dim;
  const std::int64_t end = a.begin[a.bags];

  for (std::int64_t b = 0; b < a.bags; ++b) {
    const std::int64_t first = a.begin[b];
    const std::int64_t last = a.begin[b + 1];
    std::int64_t i = first;
    while (i < last && ids[i] == kDropped) ++i;
    const bool none = i == last;
    Reduce<kVectors> reduce;
    reduce.begin(none || ids[i] < 0 ? -1 : i - first);
    for (; i < last; ++i) {
      if (const std::int64_t later = i + prefetch_args.ahead; later < end && ids[later] >= 0) {
        in.prefetch_columns(table + ids[later] * stride, dim, c, kVectors * kLanes, prefetch_args.into);
      }
      if (ids[i] == kDropped) continue;
      const std::int64_t position = ids[i] < 0 ? -1 : i - first;
      const auto row = ids[i] < 0 ? in.zeros() : in.row(table + ids[i] * stride, dim).from(c);
      const Floats weight(weights == nullptr ? 1.0F : weights[i]);
      unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) {
        reduce.take(v, weight * row.load(v * kLanes, lanes), position);
      });
    }
    float results[kVectors * kLanes];
    unrolled<kVectors>([&](std::int64_t v)
                           __attribute__((always_inline)) { store(results + v * kLanes, reduce.result(v)); });
    finish(b, columns_of<kVectors>(lanes), results, none);
  }
}

/// How many vectors are reduced at a time: fewer of quantised rows, whose columns take more instructions.
template <class Reduce, class In>
inline constexpr std::int64_t kGroup =
    std::is_same_v<typename In::Value, std::uint8_t> ? Reduce::kMostQuantized : Reduce::kMostVectors;

template <template <std::int64_t> class Reduce, class In>
[[gnu::noinline]] void pool(const PoolArgs<std::int64_t>& args, In in) {
  const PoolArgs<std::int64_t> a = args;
  for_each_group<kGroup<Reduce<1>, In>>(
      a.dim, [&]<std::int64_t kVectors>(std::int64_t c, auto lanes) __attribute__((always_inline)) {
        reduce_columns<Reduce, kVectors>(
            a, in, c,
            lanes, [&](std::int64_t b, std::int64_t n, const float* results, bool none) __attribute__((always_inline)) {
              store_bag(a.out, a.to, b * a.out_stride + c, n, results, divisor_of(a, b, none));
            });
      });
}

template <class In>
[[gnu::noinline]] void find_winners(const FindWinnersArgs& a, In in) {
  auto* const out = reinterpret_cast<float*>(a.winners);
  const std::int64_t dim = a.dim;
  for_each_group<Winner<1>::kMostVectors>(
      dim, [&]<std::int64_t kVectors>(std::int64_t c, auto lanes) __attribute__((always_inline)) {
        reduce_columns<Winner, kVectors>(
            a, in, c,
            lanes, [=](std::int64_t b, std::int64_t n, const float* results, bool none) __attribute__((always_inline)) {
              for_each_vector(
                  n, [=](std::int64_t k, auto part) __attribute__((always_inline)) {
                    store(out + b * dim + c + k, none ? bits(-1) : load(results + k, part), part);
                  });
            });
      });
}

/// Lane k of 16 adds columns k, k + 16, ... of the products; then a balanced tree.
template <class In>
[[gnu::always_inline]] inline float dot(In in, const float* g, const std::int32_t* winners, std::int64_t position,
                                        const typename In::Value* row, std::int64_t step, std::int64_t dim) {
  constexpr std::int64_t kParts = 16 / kLanes;
  Floats sums[kParts];
  unrolled<kParts>([&](std::int64_t p) __attribute__((always_inline)) { sums[p] = Floats(0.0F); });
  const auto add = [&](std::int64_t p, std::int64_t c, auto lanes) __attribute__((always_inline)) {
    Floats product = load(g + c, lanes) * in.load(row + c * step, lanes);
    if (winners != nullptr) {
      // Of two positions that differ, not all bits do but the sign: so -0 does not come up.
      const Floats differs = load(reinterpret_cast<const float*>(winners) + c, lanes) ^ bits(position);
      product = xsimd::select(differs == Floats(0.0F), product, Floats(0.0F));
    }
    sums[p] += product;
  };
  std::int64_t c = 0;
  for (; c + 16 <= dim; c += 16) {
    unrolled<kParts>([&](std::int64_t p) __attribute__((always_inline)) { add(p, c + p * kLanes, FullVector{}); });
  }
  unrolled<kParts>([&](std::int64_t p) __attribute__((always_inline)) {
    const std::int64_t rest = dim - c - p * kLanes;
    if (rest >= kLanes) {
      add(p, c + p * kLanes, FullVector{});
    } else if (rest > 0) {
      add(p, c + p * kLanes, Tail{rest});
    }
  });
  for (std::int64_t width = kParts / 2; width > 0; width /= 2) {
    for (std::int64_t p = 0; p < width; ++p) sums[p] += sums[p + width];
  }
  return tree_sum(sums[0]);
}

template <class In>
[[gnu::noinline]] void pool_dots(const PoolDotsArgs& args, In in) {
  using Value = typename In::Value;
  const PoolDotsArgs a = args;
  const auto* const table = static_cast<const Value*>(a.table);
  const std::int64_t end = a.begin[a.bags];
  for (std::int64_t b = 0; b < a.bags; ++b) {
    for (std::int64_t i = a.begin[b]; i < a.begin[b + 1]; ++i) {
      if (const std::int64_t later = i + a.prefetch.ahead; later < end && a.ids[later] >= 0) {
        prefetch(table + a.ids[later] * a.table_stride, a.dim * std::int64_t{sizeof(Value)}, a.prefetch.into);
      }
      if (a.ids[i] == kDropped) {
        a.out[i] = 0;
        continue;
      }
      const bool zero = a.ids[i] < 0;
      a.out[i] = dot(in, a.gradient + b * a.gradient_stride, a.winners == nullptr ? nullptr : a.winners + b * a.dim,
                     i - a.begin[b], zero ? kZeros<Value> : table + a.ids[i] * a.table_stride, zero ? 0 : 1, a.dim);
    }
  }
}

}  // namespace

void pool_with_zeros_f32(const PoolArgs<std::int64_t>& a) { pool<Sum>(a, F32Format()); }
void pool_with_zeros_bf16(const PoolArgs<std::int64_t>& a) { pool<Sum>(a, kAnyBf16); }
void pool_with_zeros_f16(const PoolArgs<std::int64_t>& a) { pool<Sum>(a, kAnyF16); }
void pool_with_zeros_int8(const PoolArgs<std::int64_t>& a) { pool<Sum>(a, QuantizedFormat<8>()); }
void pool_with_zeros_int4(const PoolArgs<std::int64_t>& a) { pool<Sum>(a, QuantizedFormat<4>()); }
void pool_with_zeros_int2(const PoolArgs<std::int64_t>& a) { pool<Sum>(a, QuantizedFormat<2>()); }
void pool_max_f32(const PoolArgs<std::int64_t>& a) { pool<Max>(a, F32Format()); }
void pool_max_bf16(const PoolArgs<std::int64_t>& a) { pool<Max>(a, kAnyBf16); }
void pool_max_f16(const PoolArgs<std::int64_t>& a) { pool<Max>(a, kAnyF16); }
void pool_max_int8(const PoolArgs<std::int64_t>& a) { pool<Max>(a, QuantizedFormat<8>()); }
void pool_max_int4(const PoolArgs<std::int64_t>& a) { pool<Max>(a, QuantizedFormat<4>()); }
void pool_max_int2(const PoolArgs<std::int64_t>& a) { pool<Max>(a, QuantizedFormat<2>()); }
void find_winners_f32(const FindWinnersArgs& a) { find_winners(a, F32Format()); }
void find_winners_bf16(const FindWinnersArgs& a) { find_winners(a, kAnyBf16); }
void find_winners_f16(const FindWinnersArgs& a) { find_winners(a, kAnyF16); }
void pool_dots_f32(const PoolDotsArgs& a) { pool_dots(a, F32Format()); }
void pool_dots_bf16(const PoolDotsArgs& a) { pool_dots(a, kAnyBf16); }
void pool_dots_f16(const PoolDotsArgs& a) { pool_dots(a, kAnyF16); }

}  // namespace rowmill::ROWMILL_ISA
