// SPDX-License-Identifier: Apache-2.0
// Storage formats of a table's values: load gives float32 lanes, and store rounds once. So a kernel's arithmetic is the
// same for every format, and conversion costs no pass of its own. Included by *.isa.cpp files only.
//
// A format is a type with
//   Value                        what one column of a row is in memory
//   load(row + column, lanes)    the vector of floats there; lanes is FullVector or Tail
//   store(row + column, v, lanes)
//   round(v)                     what load would give after store
#pragma once

#include "kernels/simd.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

struct F32Format {
  using Value = float;

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

  [[gnu::always_inline]] static Floats load(const Value* p, FullVector) { return load_bf16(p); }
  [[gnu::always_inline]] static Floats load(const Value* p, Tail tail) { return load_bf16_partial(p, tail.n); }
  [[gnu::always_inline]] static void store(Value* p, Floats v, FullVector) { store_bf16(p, v); }
  [[gnu::always_inline]] static void store(Value* p, Floats v, Tail tail) { store_bf16_partial(p, v, tail.n); }
  [[gnu::always_inline]] static Floats round(Floats v) { return round_bf16(v); }
};

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
