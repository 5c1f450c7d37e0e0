// SPDX-License-Identifier: Apache-2.0
// Row-wise quantised formats, with the interface of formats.hpp. Their rows are bytes (rowmill/format.hpp), and are
// only read. Included by *.isa.cpp files only.
#pragma once

#include "kernels/simd/formats.hpp"
#if defined(__AVX512BW__)
#include "kernels/simd/avx512_codes.hpp"
#elif defined(__x86_64__)
#include "kernels/simd/x86_codes.hpp"
#else
#include "kernels/simd/neon_codes.hpp"
#endif

namespace rowmill::ROWMILL_ISA {
namespace {

/// Ids of either width, chosen by a branch that is predicted: formats are many, so both widths share one loop. It has
/// one pointer, for which a loop has a register.
struct AnyIds {
  const void* ids;
  bool wide;

  [[gnu::always_inline]] explicit AnyIds(const std::int32_t* narrow) : ids(narrow), wide(false) {}
  [[gnu::always_inline]] explicit AnyIds(const std::int64_t* of_64_bits) : ids(of_64_bits), wide(true) {}
  [[gnu::always_inline]] std::int64_t operator[](std::int64_t i) const {
    return wide ? static_cast<const std::int64_t*>(ids)[i] : static_cast<const std::int32_t*>(ids)[i];
  }
};

/// The float at p in all lanes, in a single load. (Two floats that are loaded together would each need a shuffle.)
[[gnu::always_inline]] inline Floats broadcast(const std::uint8_t* p) {
  float x = 0;
  __builtin_memcpy(&x, p, sizeof x);
  return Floats(x);
}

/// The codes of a row of +0, as wide as a group of sums, and 8 bytes more, which tails may read.
inline const std::uint8_t kZeroCodes[kSums * kLanes + 8] = {};

/// A row of codes of kBits. `values` converts them, and holds what that needs in registers.
template <int kBits>
struct QuantizedRow {
  const std::uint8_t* codes;
  CodeValues<kBits> values;

  [[gnu::always_inline]] QuantizedRow from(std::int64_t column) const { return {codes + column * kBits / 8, values}; }
  /// The lanes past the row's end are unspecified.
  template <class Lanes>
  [[gnu::always_inline]] Floats load(std::int64_t column, Lanes lanes) const {
    return values.load(codes + column * kBits / 8, lanes);
  }
};

template <int kBitsOf>
struct QuantizedFormat {
  static constexpr int kBits = kBitsOf;
  using Value = std::uint8_t;
  using Parameter = std::conditional_t<kBits == 8, float, std::uint16_t>;  // of scale and bias in a row

  /// The bytes of the codes of `dim` columns, and of a row.
  [[gnu::always_inline]] static std::int64_t code_bytes(std::int64_t dim) { return (dim * kBits + 7) / 8; }
  [[gnu::always_inline]] static std::int64_t row_bytes(std::int64_t dim) {
    return code_bytes(dim) + 2 * std::int64_t{sizeof(Parameter)};
  }

  /// Rows seldom begin at a cache line, so the last byte, of the bias, may lie in one line more.
  [[gnu::always_inline]] static void prefetch_columns(const Value* p, std::int64_t dim, std::int64_t c, std::int64_t n,
                                                      CacheLevel into) {
    const auto* const begin = reinterpret_cast<const char*>(p);
    const std::int64_t last = row_bytes(dim) - 1;
    const std::int64_t end = c + n < dim ? (c + n) * kBits / 8 : last;
    for (std::int64_t b = c * kBits / 8; b < end; b += kCacheLine) prefetch_line(begin + b, into);
    prefetch_line(begin + last, into);
  }

  [[gnu::always_inline]] static QuantizedRow<kBits> zeros() { return {kZeroCodes, {Floats(0.0F), Floats(0.0F)}}; }
  [[gnu::always_inline]] static QuantizedRow<kBits> row(const Value* p, std::int64_t dim) {
    if constexpr (kBits == 8) {
      return {p, {broadcast(p + dim), broadcast(p + dim + sizeof(float))}};
    } else {
      const ScaleAndBias both = load_f16_pair(p + code_bytes(dim));
      return {p, {both.scale, both.bias}};
    }
  }

#if defined(__AVX512BW__)
  /// For sums of rows: a faster way to load values, if the row's scale allows it (is_usual). The lanes of the sum have
  /// an order of their own, which in_order turns into that of the columns.
  [[gnu::always_inline]] static bool is_usual(const Value* p, std::int64_t dim) requires(kBits > 2) {
    return kBits == 4 || UsualInt8::is_usual(p[dim + 3]);
  }
  [[gnu::always_inline]] static auto sum_row(const Value* p, std::int64_t dim) requires(kBits > 2) {
    if constexpr (kBits == 8) {
      return UsualInt8{p, broadcast(p + dim), broadcast(p + dim + sizeof(float))};
    } else {
      const ScaleAndBias both = load_f16_pair(p + code_bytes(dim));
      return SummedInt4{p, both.scale, both.bias};
    }
  }
  [[gnu::always_inline]] static Floats in_order(Floats sum) requires(kBits > 2) {
    if constexpr (kBits == 4) return SummedInt4::in_order(sum);
    return sum;
  }
#endif
};

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
