// SPDX-License-Identifier: Apache-2.0
// The floating-point environment in which the library computes.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace rowmill {

/// While it lives, floating point on this thread rounds to nearest, keeps denormals and traps nothing; then what was
/// there before is back. Every task of the library holds one, for a caller's FTZ would otherwise change our bits.
class FpEnvironment {
 public:
  FpEnvironment() : saved_(read()) { write(kDefault); }
  ~FpEnvironment() { write(saved_); }
  FpEnvironment(const FpEnvironment&) = delete;
  FpEnvironment& operator=(const FpEnvironment&) = delete;

 private:
#if defined(__x86_64__)
  using Word = std::uint32_t;
  static constexpr Word kDefault = 0x1F80;  // MXCSR: all exceptions masked, nearest, FTZ and DAZ off
  static Word read() { return _mm_getcsr(); }
  static void write(Word word) { _mm_setcsr(word); }
#elif defined(__aarch64__)
  using Word = std::uint64_t;
  static constexpr Word kDefault = 0;  // FPCR: no traps, nearest, FZ off
  static Word read() {
    Word word;
    __asm__ volatile("mrs %0, fpcr" : "=r"(word));
    return word;
  }
  static void write(Word word) { __asm__ volatile("msr fpcr, %0" : : "r"(word)); }
#else
#error "Rowmill knows the floating-point environment of x86-64 and aarch64 only"
#endif
  Word saved_;
};

}  // namespace rowmill
