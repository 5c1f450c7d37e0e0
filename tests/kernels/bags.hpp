// SPDX-License-Identifier: Apache-2.0
// Bags that show what kernels of bags can get wrong.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "kernels/ids/resolve.hpp"
#include "tests/kernels/kernel_test.hpp"

namespace rowmill::test {

/// Bags of 0, 1, 2, ... ids. If `any`, some are dropped and some are rows of zeros, and the last bags are of dropped
/// ids alone and of none.
template <class Id>
struct PoolBags {
  explicit PoolBags(bool any) {
    std::mt19937_64 random(9);
    const auto end_bag = [&] { begin.push_back(std::ssize(ids)); };
    for (const std::int64_t length : {0, 1, 2, 3, 5, 40, 0, 0, 100, 1}) {
      for (std::int64_t k = 0; k < length; ++k) {
        const std::uint64_t kind = any ? random() % 8 : 7;
        ids.push_back(kind == 0   ? static_cast<Id>(kDropped)
                      : kind == 1 ? static_cast<Id>(kZeroRow)
                                  : static_cast<Id>(random() % kRows));
      }
      end_bag();
    }
    if (any) ids.insert(ids.end(), 3, static_cast<Id>(kDropped));
    end_bag();
    end_bag();
    const std::array<float, 8> some = {0.5F,
                                       -1.25F,
                                       0.0F,
                                       -0.0F,
                                       3e38F,
                                       1.0F,
                                       std::numeric_limits<float>::infinity(),
                                       std::numeric_limits<float>::quiet_NaN()};
    for (std::size_t i = 0; i < ids.size(); ++i) weights.push_back(some[random() % (random() % 8 == 0 ? 8 : 5)]);
    for (std::size_t b = 0; b + 1 < begin.size(); ++b) {
      const auto is_term = [](Id id) { return id != kDropped; };
      const bool empty = std::none_of(ids.begin() + begin[b], ids.begin() + begin[b + 1], is_term);
      divisors.push_back(empty ? 0.0F : some[b % 8]);
    }
  }

  [[nodiscard]] std::int64_t size() const { return std::ssize(begin) - 1; }

  std::vector<Id> ids = std::vector<Id>(3, Id{0});  // these belong to other calls
  std::vector<std::int64_t> begin = {3};
  std::vector<float> weights;
  std::vector<float> divisors;
};

}  // namespace rowmill::test
