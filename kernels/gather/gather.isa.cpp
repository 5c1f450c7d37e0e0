// SPDX-License-Identifier: Apache-2.0
// Leaf kernels of gather: copies within one format, and conversions between formats.
#include "kernels/gather/gather_kernels.hpp"
#include "kernels/simd/formats.hpp"
#include "kernels/simd/quantized.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

// Within one format rows are copied as bytes.

constexpr std::int64_t kVectorBytes = kLanes * std::int64_t{sizeof(float)};

inline Floats load_bytes(const char* p) { return load(reinterpret_cast<const float*>(p)); }
inline void store_bytes(char* p, Floats v) { store(reinterpret_cast<float*>(p), v); }

/// Copies kPart <= n <= 2 * kPart bytes as two parts that may overlap: cheaper than a partial vector.
template <std::size_t kPart>
[[gnu::always_inline]] inline void copy_ends(char* out, const char* in, std::int64_t n) {
  const std::int64_t last = n - static_cast<std::int64_t>(kPart);
  char parts[2][kPart];
  __builtin_memcpy(parts[0], in, kPart);
  __builtin_memcpy(parts[1], in + last, kPart);
  __builtin_memcpy(out, parts[0], kPart);
  __builtin_memcpy(out + last, parts[1], kPart);
}

/// Copies a row of less than a vector. Elements have at least 2 bytes.
inline void copy_short_row(char* out, const char* in, std::int64_t bytes) {
  if (bytes >= 32) return copy_ends<32>(out, in, bytes);
  if (bytes >= 16) return copy_ends<16>(out, in, bytes);
  if (bytes >= 8) return copy_ends<8>(out, in, bytes);
  if (bytes >= 4) return copy_ends<4>(out, in, bytes);
  copy_ends<2>(out, in, bytes);
}

/// kVectors, here and below, is the number of full vectors in a row of fixed width, and 0 for any other width.
template <std::int64_t kVectors>
[[gnu::always_inline]] inline void copy_row(char* out, const char* in, std::int64_t bytes) {
  const auto copy = [=]<std::int64_t n>(std::int64_t b) __attribute__((always_inline)) {
    Floats vectors[n];
    unrolled<n>([&](std::int64_t v)
                    __attribute__((always_inline)) { vectors[v] = load_bytes(in + b + v * kVectorBytes); });
    unrolled<n>([&](std::int64_t v)
                    __attribute__((always_inline)) { store_bytes(out + b + v * kVectorBytes, vectors[v]); });
  };
  if constexpr (kVectors > 0) {
    copy.template operator()<kVectors>(0);
  } else {
    std::int64_t b = 0;
    for (; b + 4 * kVectorBytes <= bytes; b += 4 * kVectorBytes) copy.template operator()<4>(b);
    for (; b + kVectorBytes <= bytes; b += kVectorBytes) copy.template operator()<1>(b);
    if (b == bytes) return;
    if (bytes >= kVectorBytes) {
      // The last vector overlaps the one before it, inside the row.
      copy.template operator()<1>(bytes - kVectorBytes);
    } else {
      copy_short_row(out, in, bytes);
    }
  }
}

inline void stream_row(char* out, const char* in, std::int64_t bytes) {
  for (std::int64_t b = 0; b < bytes; b += kVectorBytes) {
    stream(reinterpret_cast<float*>(out + b), load_bytes(in + b));
  }
}

template <CacheLevel kInto, std::int64_t kVectors, class Id>
inline void copy_rows(const GatherArgs<Id>& args, std::int64_t element_bytes) {
  const GatherArgs<Id> a = args;  // vector stores may alias anything in memory, but not a local copy
  const auto* const table = static_cast<const char*>(a.table);
  // Without a sign, because a table of one row may have any stride: its bytes may wrap around, and are not used.
  const auto bytes_of = [=](std::int64_t stride) {
    return static_cast<std::uint64_t>(stride) * static_cast<std::uint64_t>(element_bytes);
  };
  const std::uint64_t table_stride = bytes_of(a.table_stride);
  const std::uint64_t out_stride = bytes_of(a.out_stride);
  const auto row = [=](Id id) __attribute__((always_inline)) {
    return table + static_cast<std::uint64_t>(id) * table_stride;
  };
  const std::int64_t bytes = kVectors > 0 ? kVectors * kVectorBytes : a.dim * element_bytes;
  const std::int64_t ahead = a.prefetch.ahead;
  const std::int64_t known = a.count + a.later_ids;
  for (std::int64_t i = 0; i < a.count; ++i) {
    if (i + ahead < known && a.ids[i + ahead] >= 0) prefetch<kInto>(row(a.ids[i + ahead]), bytes);
    char* const out = static_cast<char*>(a.out) + static_cast<std::uint64_t>(i) * out_stride;
    if (a.ids[i] < 0) {
      __builtin_memset(out, 0, static_cast<std::size_t>(bytes));
    } else if (a.streaming) {
      stream_row(out, row(a.ids[i]), bytes);
    } else {
      copy_row<kVectors>(out, row(a.ids[i]), bytes);
    }
  }
  if (a.streaming) stream_fence();
}

template <class Id>
inline void copy(const GatherArgs<Id>& a, std::int64_t element_bytes) {
  constexpr std::int64_t kMaxColumns = 32;  // of floats; wider rows gain nothing
  constexpr std::int64_t kFloat = sizeof(float);
  const std::int64_t bytes = a.dim * element_bytes;
  with_level(a.prefetch.into, [&]<CacheLevel kInto>() {
    with_width<kMaxColumns>(bytes % kFloat == 0 ? bytes / kFloat : 0,
                            [&]<std::int64_t kVectors>() { copy_rows<kInto, kVectors>(a, element_bytes); });
  });
}

/// Gathers from the format In into a.to. Formats are many, so a branch on a.to at each row replaces a loop for each.
/// Only outputs of floats may be streamed. Reads `ids` in place of args.ids.
template <class In, class Ids>
[[gnu::noinline]] void convert_rows(const GatherArgs<std::int64_t>& args, Ids ids) {
  const GatherArgs<std::int64_t> a = args;  // as in copy_rows
  const auto* const table = static_cast<const typename In::Value*>(a.table);
  const std::int64_t ahead = a.prefetch.ahead;
  const std::int64_t known = a.count + a.later_ids;
  for (std::int64_t i = 0; i < a.count; ++i) {
    if (i + ahead < known && ids[i + ahead] >= 0) {
      In::prefetch_columns(table + ids[i + ahead] * a.table_stride, a.dim, 0, a.dim, a.prefetch.into);
    }
    const std::int64_t at = i * a.out_stride;
    if (ids[i] < 0) {
      const std::int64_t size = element_size(a.to);
      __builtin_memset(static_cast<char*>(a.out) + at * size, 0, static_cast<std::size_t>(a.dim * size));
      continue;
    }
    const auto row = In::row(table + ids[i] * a.table_stride, a.dim);
    if (a.streaming) {
      auto* const out = static_cast<float*>(a.out) + at;
      for (std::int64_t c = 0; c < a.dim; c += kLanes) stream(out + c, row.load(c, FullVector{}));
      continue;
    }
    // Captured by reference: a row object with scale and bias is large, and its copy in memory would cause a stall.
    with_format(
        a.to, [&]<class Out>() __attribute__((always_inline)) {
          auto* const out = element<Out>(a.out, at);
          for_each_vector(
              a.dim, [&](std::int64_t c, auto lanes)
                         __attribute__((always_inline)) { Out::store(out + c, row.load(c, lanes), lanes); });
        });
  }
  if (a.streaming) stream_fence();
}

template <class In, class Ids, class Id>
inline void convert(const GatherArgs<Id>& a) {
  convert_rows<In>({a.table, a.table_stride, nullptr, a.count, a.out, a.out_stride, a.dim, a.prefetch, a.streaming,
                    a.to, a.later_ids},
                   Ids(a.ids));
}

}  // namespace

void gather_f32_i32(const GatherArgs<std::int32_t>& a) { copy(a, 4); }
void gather_f32_i64(const GatherArgs<std::int64_t>& a) { copy(a, 4); }
void gather_16bit_i32(const GatherArgs<std::int32_t>& a) { copy(a, 2); }
void gather_16bit_i64(const GatherArgs<std::int64_t>& a) { copy(a, 2); }
void gather_f32_to_any_i32(const GatherArgs<std::int32_t>& a) { convert<F32Format, AnyIds>(a); }
void gather_f32_to_any_i64(const GatherArgs<std::int64_t>& a) { convert<F32Format, AnyIds>(a); }
void gather_bf16_to_any_i32(const GatherArgs<std::int32_t>& a) { convert<Bf16Format, const std::int32_t*>(a); }
void gather_bf16_to_any_i64(const GatherArgs<std::int64_t>& a) { convert<Bf16Format, const std::int64_t*>(a); }
void gather_f16_to_any_i32(const GatherArgs<std::int32_t>& a) { convert<F16Format, AnyIds>(a); }
void gather_f16_to_any_i64(const GatherArgs<std::int64_t>& a) { convert<F16Format, AnyIds>(a); }
void gather_int8_to_any_i32(const GatherArgs<std::int32_t>& a) { convert<QuantizedFormat<8>, AnyIds>(a); }
void gather_int8_to_any_i64(const GatherArgs<std::int64_t>& a) { convert<QuantizedFormat<8>, AnyIds>(a); }
void gather_int4_to_any_i32(const GatherArgs<std::int32_t>& a) { convert<QuantizedFormat<4>, AnyIds>(a); }
void gather_int4_to_any_i64(const GatherArgs<std::int64_t>& a) { convert<QuantizedFormat<4>, AnyIds>(a); }
void gather_int2_to_any_i32(const GatherArgs<std::int32_t>& a) { convert<QuantizedFormat<2>, AnyIds>(a); }
void gather_int2_to_any_i64(const GatherArgs<std::int64_t>& a) { convert<QuantizedFormat<2>, AnyIds>(a); }

}  // namespace rowmill::ROWMILL_ISA
