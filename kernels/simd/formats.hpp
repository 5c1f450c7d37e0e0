// SPDX-License-Identifier: Apache-2.0
// Storage formats of a table's values: load gives float32 lanes, and store rounds once. So a kernel's arithmetic is the
// same for every format, and conversion costs no pass of its own. Included by *.isa.cpp files only.
//
// A format is a type with
//   Value                        what strides count: what one column of a row is in memory, but in quantised formats
//   row(p, dim)                  the row at p: its load(column, lanes) is load below, its from(column) the rest of the
//   row zeros()                      as many columns of +0 as a group of sums has, as a row prefetch_columns(p, dim, c,
//   n, level)   n columns, from c on, of the row at p
// and, but for quantised formats (quantized.hpp), whose columns are not found without their row,
//   load(row + column, lanes)    the vector of floats there; lanes is FullVector or Tail
//   store(row + column, v, lanes)
//   round(v)                     what load would give after store
#pragma once

#include "kernels/simd.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

/// A row whose columns need nothing but their place.
template <class Format>
struct PlainRow {
  const typename Format::Value* p;

  template <class Lanes>
  [[gnu::always_inline]] Floats load(std::int64_t column, Lanes lanes) const {
    return Format::load(p + column, lanes);
  }
  [[gnu::always_inline]] PlainRow from(std::int64_t column) const { return {p + column}; }
};

/// The elements of such a row of +0.
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

struct Bf16Format {
  using Value = std::uint16_t;

  [[gnu::always_inline]] static PlainRow<Bf16Format> row(const Value* p, std::int64_t) { return {p}; }
  [[gnu::always_inline]] static PlainRow<Bf16Format> zeros() { return {kZeros<Value>}; }
  [[gnu::always_inline]] static void prefetch_columns(const Value* p, std::int64_t, std::int64_t c, std::int64_t n,
                                                      CacheLevel into) {
    prefetch(p + c, n * std::int64_t{sizeof(Value)}, into);
  }

  [[gnu::always_inline]] static Floats load(const Value* p, FullVector) { return load_bf16(p); }
  [[gnu::always_inline]] static Floats load(const Value* p, Tail tail) { return load_bf16_partial(p, tail.n); }
  [[gnu::always_inline]] static void store(Value* p, Floats v, FullVector) { store_bf16(p, v); }
  [[gnu::always_inline]] static void store(Value* p, Floats v, Tail tail) { store_bf16_partial(p, v, tail.n); }
  [[gnu::always_inline]] static Floats round(Floats v) { return round_bf16(v); }
};

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
