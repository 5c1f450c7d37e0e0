// SPDX-License-Identifier: Apache-2.0
// Storage formats of a table's values: load gives float32 lanes, and store rounds once. So a kernel's arithmetic is the
// same for every format, and conversion costs no pass of its own. Included by *.isa.cpp files only.
//
// A format is a type with
//   Value                                   the unit of strides: one column, or a byte of a quantised row
//   row(p, dim)                             the row at p, as an object with load(column, lanes) and from(column), which
//                                           is the rest of the row
//   zeros()                                 such a row of +0, as wide as a group of sums
//   prefetch_columns(p, dim, c, n, level)   prefetches columns c .. c+n-1 of the row at p
//
// Formats that are not quantised (quantized.hpp) also have
//   load(p, lanes)                          the vector of floats at p; lanes is FullVector or Tail
//   store(p, v, lanes)
//   round(v)                                what load would give after store
#pragma once

#include "kernels/simd.hpp"
#include "rowmill/format.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

/// A row of a format that is not quantised.
template <class Of>
struct PlainRow {
  const typename Of::Value* p;

  template <class Lanes>
  [[gnu::always_inline]] Floats load(std::int64_t column, Lanes lanes) const {
    return Of::load(p + column, lanes);
  }
  [[gnu::always_inline]] PlainRow from(std::int64_t column) const { return {p + column}; }
};

/// The elements of a row of +0.
template <class Value>
inline const Value kZeros[kSums * kLanes] = {};

struct F32Format {
  using Value = float;

  [[gnu::always_inline]] static PlainRow<F32Format> row(const Value* p, std::int64_t) { return {p}; }
  [[gnu::always_inline]] static PlainRow<F32Format> zeros() { return {kZeros<Value>}; }
  [[gnu::always_inline]] static void prefetch_columns(const Value* p, std::int64_t, std::int64_t c, std::int64_t n,
                                                      CacheLevel into) {
    prefetch(p + c, n * std::int64_t{sizeof(Value)}, into);
  }

  template <class Lanes>
  [[gnu::always_inline]] static Floats load(const float* p, Lanes lanes) {
    return ROWMILL_ISA::load(p, lanes);
  }
  template <class Lanes>
  [[gnu::always_inline]] static void store(float* p, Floats v, Lanes lanes) {
    ROWMILL_ISA::store(p, v, lanes);
  }
  [[gnu::always_inline]] static Floats round(Floats v) { return v; }
};

/// A format of 16 bits. Conversion has widen(halves), narrow(floats) and round(floats).
template <class Conversion>
struct HalfFormat {
  using Value = std::uint16_t;

  [[gnu::always_inline]] static PlainRow<HalfFormat> row(const Value* p, std::int64_t) { return {p}; }
  [[gnu::always_inline]] static PlainRow<HalfFormat> zeros() { return {kZeros<Value>}; }
  [[gnu::always_inline]] static void prefetch_columns(const Value* p, std::int64_t, std::int64_t c, std::int64_t n,
                                                      CacheLevel into) {
    prefetch(p + c, n * std::int64_t{sizeof(Value)}, into);
  }

  [[gnu::always_inline]] static Floats load(const Value* p, FullVector) { return Conversion::widen(load_halves(p)); }
  [[gnu::always_inline]] static Floats load(const Value* p, Tail tail) {
    return Conversion::widen(load_halves_partial(p, tail.n));
  }
  [[gnu::always_inline]] static void store(Value* p, Floats v, FullVector) { store_halves(p, Conversion::narrow(v)); }
  [[gnu::always_inline]] static void store(Value* p, Floats v, Tail tail) {
    store_halves_partial(p, Conversion::narrow(v), tail.n);
  }
  [[gnu::always_inline]] static Floats round(Floats v) { return Conversion::round(v); }
};

struct Bf16Conversion {
  [[gnu::always_inline]] static Floats widen(Halves halves) { return widen_bf16(halves); }
  [[gnu::always_inline]] static Halves narrow(Floats v) { return narrow_bf16(v); }
  [[gnu::always_inline]] static Floats round(Floats v) { return round_bf16(v); }
};
using Bf16Format = HalfFormat<Bf16Conversion>;

/// A value that rounds beyond 65504 becomes infinity.
struct F16Conversion {
  [[gnu::always_inline]] static Floats widen(Halves halves) { return widen_f16(halves); }
  [[gnu::always_inline]] static Halves narrow(Floats v) { return narrow_f16(v); }
  [[gnu::always_inline]] static Floats round(Floats v) { return widen_f16(narrow_f16(v)); }
};
using F16Format = HalfFormat<F16Conversion>;

/// bf16 or f16, chosen at run time: for rare combinations. Other formats are types; of this one a kernel needs an
/// object.
struct AnyHalfRow {
  const std::uint16_t* p;
  bool is_f16;

  [[gnu::always_inline]] Floats load(std::int64_t column, FullVector) const { return widen(load_halves(p + column)); }
  [[gnu::always_inline]] Floats load(std::int64_t column, Tail tail) const {
    return widen(load_halves_partial(p + column, tail.n));
  }
  [[gnu::always_inline]] Floats widen(Halves halves) const { return is_f16 ? widen_f16(halves) : widen_bf16(halves); }
  [[gnu::always_inline]] AnyHalfRow from(std::int64_t column) const { return {p + column, is_f16}; }
};

struct AnyHalfFormat {
  using Value = std::uint16_t;
  bool is_f16;

  [[gnu::always_inline]] AnyHalfRow row(const Value* p, std::int64_t) const { return {p, is_f16}; }
  [[gnu::always_inline]] AnyHalfRow zeros() const { return {kZeros<Value>, is_f16}; }
  [[gnu::always_inline]] static void prefetch_columns(const Value* p, std::int64_t dim, std::int64_t c, std::int64_t n,
                                                      CacheLevel into) {
    F16Format::prefetch_columns(p, dim, c, n, into);
  }
  template <class Lanes>
  [[gnu::always_inline]] Floats load(const Value* p, Lanes lanes) const {
    return AnyHalfRow{p, is_f16}.load(0, lanes);
  }
};
inline constexpr AnyHalfFormat kAnyBf16{false};
inline constexpr AnyHalfFormat kAnyF16{true};

/// Calls f.operator()<Of>(), where Of is the type of `format`: f32, bf16 or f16.
template <class F>
[[gnu::always_inline]] inline void with_format(Format format, F f) {
  if (format == Format::f32) {
    f.template operator()<F32Format>();
  } else if (format == Format::bf16) {
    f.template operator()<Bf16Format>();
  } else {
    f.template operator()<F16Format>();
  }
}

/// Element i of a row that has this format.
template <class Of>
[[gnu::always_inline]] inline typename Of::Value* element(void* row, std::int64_t i) {
  return static_cast<typename Of::Value*>(row) + i;
}
template <class Of>
[[gnu::always_inline]] inline const typename Of::Value* element(const void* row, std::int64_t i) {
  return static_cast<const typename Of::Value*>(row) + i;
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
