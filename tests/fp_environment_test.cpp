// SPDX-License-Identifier: Apache-2.0
// FpEnvironment by itself. Needs no oneTBB, so that it runs under emulation too.
#include "kernels/core/fp_environment.hpp"

#include <gtest/gtest.h>

#include <cfenv>

namespace rowmill::test {
namespace {

/// Turns the caller's flush-to-zero on or off.
void flip_flush_to_zero() {
#if defined(__x86_64__)
  _mm_setcsr(_mm_getcsr() ^ 0x8040U);
#else
  std::uint64_t word;
  __asm__ volatile("mrs %0, fpcr" : "=r"(word));
  __asm__ volatile("msr fpcr, %0" : : "r"(word ^ (std::uint64_t{1} << 24)));
#endif
}

volatile float one = 1;
volatile float small = 1e-10F;
volatile float denormal = 1e-40F;

bool rounds_to_nearest() {
  volatile const float sum = one + small;
  return sum == one;
}

bool keeps_denormals() {
  volatile const float twice = denormal + denormal;
  volatile const float there = twice * 1e10F;
  return there > 0;
}

TEST(FpEnvironment, IsTheDefaultInsideAndTheCallersAfterwards) {
  ASSERT_TRUE(rounds_to_nearest());
  ASSERT_TRUE(keeps_denormals());
  std::fesetround(FE_UPWARD);
  flip_flush_to_zero();
  const bool strange = !rounds_to_nearest() && !keeps_denormals();
  bool clean;
  {
    const FpEnvironment environment;
    clean = rounds_to_nearest() && keeps_denormals();
  }
  const bool strange_again = !rounds_to_nearest() && !keeps_denormals();
  flip_flush_to_zero();
  std::fesetround(FE_TONEAREST);
  EXPECT_TRUE(strange) << "this test failed to set the caller's environment";
  EXPECT_TRUE(clean);
  EXPECT_TRUE(strange_again);
}

}  // namespace
}  // namespace rowmill::test
