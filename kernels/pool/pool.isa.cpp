// SPDX-License-Identifier: Apache-2.0
#include "kernels/kernel_list.hpp"
#include "kernels/simd.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

/// One call of pool_f32.
template <class Id>
struct Pool {
  const PoolArgs<Id>& a;
  std::int64_t end = a.begin[a.bags];  // of all ids

  [[nodiscard]] const float* row(std::int64_t i) const { return a.table + a.ids[i] * a.table_stride; }

  /// Columns [c, c + kVectors * kLanes) of the bag whose ids are first .. last-1, `count` of which are not negative;
  /// the first is not. Long rows are summed a group of columns after the other, so only that group is asked for.
  template <std::int64_t kVectors, class Load, class Store>
  void columns(std::int64_t c, std::int64_t first, std::int64_t last, std::int64_t count, float* out, Load load_from,
               Store store_to) const {
    const std::int64_t width = a.dim - c < kVectors * kLanes ? a.dim - c : kVectors * kLanes;
    const std::int64_t bytes = width * static_cast<std::int64_t>(sizeof(float));
    const std::int64_t ahead = 2 * read_distance(bytes);
    const auto ask = [&](std::int64_t i) {
      if (a.prefetch && i + ahead < end && a.ids[i + ahead] >= 0) prefetch(row(i + ahead) + c, bytes);
    };
    Floats sum[kVectors];
    const float* const start = row(first) + c;
    unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) { sum[v] = load_from(start + v * kLanes); });
    ask(first);
    for (std::int64_t i = first + 1; i < last; ++i) {
      ask(i);
      if (a.ids[i] < 0) continue;
      const float* next = row(i) + c;
      unrolled<kVectors>([&](std::int64_t v)
                             __attribute__((always_inline)) { sum[v] += load_from(next + v * kLanes); });
    }
    const Floats divisor(static_cast<float>(count));
    unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) {
      store_to(out + c + v * kLanes, a.mean ? divide(sum[v], divisor) : sum[v]);
    });
  }

  void bag(std::int64_t b) const {
    std::int64_t first = a.begin[b];
    const std::int64_t last = a.begin[b + 1];
    float* out = a.out + b * a.out_stride;
    while (first < last && a.ids[first] < 0) ++first;
    if (first == last) return zero_row(out, a.dim);
    std::int64_t count = 0;  // only a mean needs it
    for (std::int64_t i = first; a.mean && i < last; ++i) count += a.ids[i] >= 0 ? 1 : 0;
    for_each_group(a.dim, [&]<std::int64_t kVectors>(std::int64_t c, auto load_from, auto store_to) {
      columns<kVectors>(c, first, last, count, out, load_from, store_to);
    });
  }
};

template <class Id>
inline void pool(const PoolArgs<Id>& a) {
  const Pool<Id> pool{a};
  for (std::int64_t b = 0; b < a.bags; ++b) pool.bag(b);
}

}  // namespace

void pool_f32_i32(const PoolArgs<std::int32_t>& args) { pool(args); }
void pool_f32_i64(const PoolArgs<std::int64_t>& args) { pool(args); }

void divide_rows_f32(const DivideRowsArgs& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    const float* in = a.in + r * a.in_stride;
    float* out = a.out + r * a.out_stride;
    if (a.divisors[r] == 0) {
      zero_row(out, a.dim);
      continue;
    }
    const Floats divisor(static_cast<float>(a.divisors[r]));
    for_each_vector(a.dim, [=](std::int64_t c, auto load_from, auto store_to) {
      store_to(out + c, divide(load_from(in + c), divisor));
    });
  }
}

}  // namespace rowmill::ROWMILL_ISA
