// SPDX-License-Identifier: Apache-2.0
// Which of the passes a gradient lies in.
#include "kernels/plan/passes.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace rowmill::test {
namespace {

/// The passes' ends, which count how often they are looked at.
struct CountedPass {
  struct End {
    std::int64_t value;
    std::int64_t* looks;
    friend bool operator<(std::int64_t position, const End& of) {
      ++*of.looks;
      return position < of.value;
    }
  } end;
};

TEST(PassOf, LooksAtFewOfManyPasses) {
  for (const std::int64_t count : {1, 2, 3, 7, 300}) {
    std::int64_t looks = 0;
    std::vector<CountedPass> passes;
    std::int64_t end = 0;
    for (std::int64_t p = 0; p < count; ++p) passes.push_back({{end += p == 0 ? 1 : p % 4, &looks}});
    if (passes.size() > 1) passes.push_back({{++end, &looks}});
    for (std::int64_t position = 0; position < end; ++position) {
      looks = 0;
      std::int64_t expected = 0;
      while (passes[static_cast<std::size_t>(expected)].end.value <= position) ++expected;
      const auto passes_count = static_cast<std::int64_t>(passes.size());
      EXPECT_EQ(pass_of(passes.data(), passes_count, position) - passes.data(), expected) << count << ", " << position;
      EXPECT_LE(looks, std::bit_width(passes.size())) << count << ", " << position;
    }
  }
}

TEST(PassOf, FindsPassesByTheirIndex) {
  for (const std::int64_t count : {1, 2, 3, 7, 300}) {
    // Of one size, of many, some of them empty, and one that is longer than all others.
    for (const auto& size_of : std::initializer_list<std::int64_t (*)(std::int64_t)>{
             [](std::int64_t) -> std::int64_t { return 5; }, [](std::int64_t p) { return p % 4; },
             [](std::int64_t p) -> std::int64_t { return p == 0 ? 1000 : 1; }}) {
      std::vector<GradientPass> passes;
      std::int64_t end = 0;
      for (std::int64_t p = 0; p < count; ++p) passes.push_back({nullptr, 1, end += size_of(p)});
      if (end == 0) continue;
      std::vector<std::int64_t> values(static_cast<std::size_t>(max_index_size(count)) + 1, -1);
      const PassIndex index = index_passes(passes.data(), count, values.data());
      EXPECT_EQ(values.back(), -1) << count;
      for (std::int64_t position = 0; position < end; ++position) {
        EXPECT_EQ(pass_of(passes.data(), index, position), pass_of(passes.data(), count, position))
            << count << ", " << position;
      }
    }
  }
}

}  // namespace
}  // namespace rowmill::test
