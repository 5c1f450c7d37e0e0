// SPDX-License-Identifier: Apache-2.0
#include "kernels/kernel_list.hpp"
#include "kernels/simd.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

/// kVectors, here and below: how many whole vectors a row is, if the loop is for that width, else 0.
template <std::int64_t kVectors>
[[gnu::always_inline]] inline void copy_row(float* out, const float* in, std::int64_t dim) {
  const auto copy = [=]<std::int64_t n>(std::int64_t c) __attribute__((always_inline)) {
    Floats vectors[n];
    unrolled<n>([&](std::int64_t v) __attribute__((always_inline)) { vectors[v] = load(in + c + v * kLanes); });
    unrolled<n>([&](std::int64_t v) __attribute__((always_inline)) { store(out + c + v * kLanes, vectors[v]); });
  };
  if constexpr (kVectors > 0) {
    copy.template operator()<kVectors>(0);
  } else {
    std::int64_t c = 0;
    for (; c + 4 * kLanes <= dim; c += 4 * kLanes) copy.template operator()<4>(c);
    for (; c + kLanes <= dim; c += kLanes) copy.template operator()<1>(c);
    if (c == dim) return;
    if (dim >= kLanes) {
      // The last vector overlaps the one before it, inside the row: cheaper than a partial one.
      copy.template operator()<1>(dim - kLanes);
    } else {
      store_partial(out, load_partial(in, dim), dim);
    }
  }
}

inline void stream_row(float* out, const float* in, std::int64_t dim) {
  for (std::int64_t c = 0; c < dim; c += kLanes) stream(out + c, load(in + c));
}

template <CacheLevel kInto, std::int64_t kVectors, class Id>
inline void gather_rows(const GatherArgs<Id>& args) {
  const GatherArgs<Id> a = args;  // vector stores may alias anything in memory, but not a local copy
  const std::int64_t dim = kVectors > 0 ? kVectors * kLanes : a.dim;
  const std::int64_t row_bytes = dim * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t ahead = read_distance(row_bytes);
  for (std::int64_t i = 0; i < a.count; ++i) {
    if (i + ahead < a.count && a.ids[i + ahead] >= 0) {
      prefetch<kInto>(a.table + a.ids[i + ahead] * a.table_stride, row_bytes);
    }
    float* out = a.out + i * a.out_stride;
    if (a.ids[i] < 0) {
      zero_row(out, dim);
    } else if (a.streaming) {
      stream_row(out, a.table + a.ids[i] * a.table_stride, dim);
    } else {
      copy_row<kVectors>(out, a.table + a.ids[i] * a.table_stride, dim);
    }
  }
  if (a.streaming) stream_fence();
}

template <class Id>
inline void gather(const GatherArgs<Id>& a) {
  constexpr std::int64_t kMaxColumns = 32;  // wider rows gain nothing
  with_level(a.ask_into, [&]<CacheLevel kInto>() {
    with_width<kMaxColumns>(a.dim, [&]<std::int64_t kVectors>() { gather_rows<kInto, kVectors>(a); });
  });
}

}  // namespace

void gather_f32_i32(const GatherArgs<std::int32_t>& a) { gather(a); }
void gather_f32_i64(const GatherArgs<std::int64_t>& a) { gather(a); }

}  // namespace rowmill::ROWMILL_ISA
