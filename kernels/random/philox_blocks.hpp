// SPDX-License-Identifier: Apache-2.0
// Philox of many counters side by side. Included by *.isa.cpp files only.
#pragma once

#include <cstdint>

#include "kernels/random/philox.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

constexpr int kPhiloxBlocks = 16;  // counters that run side by side; loops of this length become vectors
using PhiloxWords = std::uint32_t[kPhiloxBlocks];

/// philox4x32_10 of kPhiloxBlocks counters that differ in their first word only: counter[0], counter[0] + 1, ...
inline void philox_blocks(const std::uint32_t (&counter)[4], const std::uint32_t (&key)[2], PhiloxWords (&x)[4]) {
  for (int i = 0; i < kPhiloxBlocks; ++i) {
    x[0][i] = counter[0] + static_cast<std::uint32_t>(i);
    x[1][i] = counter[1];
    x[2][i] = counter[2];
    x[3][i] = counter[3];
  }
  std::uint32_t k0 = key[0];
  std::uint32_t k1 = key[1];
  for (int round = 0; round < philox::kRounds; ++round) {
    for (int i = 0; i < kPhiloxBlocks; ++i) {
      const std::uint64_t p0 = std::uint64_t{philox::kMultiplier0} * x[0][i];
      const std::uint64_t p1 = std::uint64_t{philox::kMultiplier1} * x[2][i];
      x[0][i] = static_cast<std::uint32_t>(p1 >> 32) ^ x[1][i] ^ k0;
      x[1][i] = static_cast<std::uint32_t>(p1);
      x[2][i] = static_cast<std::uint32_t>(p0 >> 32) ^ x[3][i] ^ k1;
      x[3][i] = static_cast<std::uint32_t>(p0);
    }
    k0 += philox::kWeyl0;
    k1 += philox::kWeyl1;
  }
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
