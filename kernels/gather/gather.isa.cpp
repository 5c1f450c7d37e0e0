// SPDX-License-Identifier: Apache-2.0
#include "kernels/kernel_list.hpp"
#include "kernels/simd.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

inline void copy_row(float* out, const float* in, std::int64_t dim) {
  std::int64_t c = 0;
  for (; c + 4 * kLanes <= dim; c += 4 * kLanes) {
    const Floats v0 = load(in + c);
    const Floats v1 = load(in + c + kLanes);
    const Floats v2 = load(in + c + 2 * kLanes);
    const Floats v3 = load(in + c + 3 * kLanes);
    store(out + c, v0);
    store(out + c + kLanes, v1);
    store(out + c + 2 * kLanes, v2);
    store(out + c + 3 * kLanes, v3);
  }
  for (; c + kLanes <= dim; c += kLanes) store(out + c, load(in + c));
  if (c == dim) return;
  if (dim >= kLanes) {
    // The last vector overlaps the one before it, inside the row: cheaper than a partial one.
    store(out + dim - kLanes, load(in + dim - kLanes));
  } else {
    store_partial(out, load_partial(in, dim), dim);
  }
}

inline void stream_row(float* out, const float* in, std::int64_t dim) {
  for (std::int64_t c = 0; c < dim; c += kLanes) stream(out + c, load(in + c));
}

template <CacheLevel kInto, class Id>
inline void gather(const GatherArgs<Id>& args) {
  const GatherArgs<Id> a = args;  // vector stores may alias anything in memory, but not a local copy
  const std::int64_t row_bytes = a.dim * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t ahead = read_distance(row_bytes);
  for (std::int64_t i = 0; i < a.count; ++i) {
    if (i + ahead < a.count && a.ids[i + ahead] >= 0) {
      prefetch<kInto>(a.table + a.ids[i + ahead] * a.table_stride, row_bytes);
    }
    float* out = a.out + i * a.out_stride;
    if (a.ids[i] < 0) {
      zero_row(out, a.dim);
    } else if (a.streaming) {
      stream_row(out, a.table + a.ids[i] * a.table_stride, a.dim);
    } else {
      copy_row(out, a.table + a.ids[i] * a.table_stride, a.dim);
    }
  }
  if (a.streaming) stream_fence();
}

}  // namespace

void gather_f32_i32(const GatherArgs<std::int32_t>& a) {
  with_level(a.ask_into, [&]<CacheLevel kInto>() { gather<kInto>(a); });
}
void gather_f32_i64(const GatherArgs<std::int64_t>& a) {
  with_level(a.ask_into, [&]<CacheLevel kInto>() { gather<kInto>(a); });
}

}  // namespace rowmill::ROWMILL_ISA
