// SPDX-License-Identifier: Apache-2.0
// Storage formats of a table's values: load gives float32 lanes, and store rounds once. So a kernel's arithmetic is the
// same for every format, and conversion costs no pass of its own. Included by *.isa.cpp files only.
//
// A format is a type with
//   Value                        what one column of a row is in memory
//   load(row + column, lanes)    the vector of floats there; lanes is FullVector or Tail
//   store(row + column, v, lanes)
#pragma once

#include "kernels/simd.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

struct F32 {
  using Value = float;

  template <class Lanes>
  [[gnu::always_inline]] static Floats load(const float* p, Lanes lanes) {
    return ROWMILL_ISA::load(p, lanes);
  }
  template <class Lanes>
  [[gnu::always_inline]] static void store(float* p, Floats v, Lanes lanes) {
    ROWMILL_ISA::store(p, v, lanes);
  }
};

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
