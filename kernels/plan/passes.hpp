// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/plan/segment_args.hpp"

namespace rowmill {

/// The pass that a position belongs to: the first whose end lies behind it. passes[k].end does not fall, `count` >= 1,
/// and position < passes[count-1].end. By halving, because a step may have as many passes as ids. Inlined everywhere:
/// as a function it would be one symbol for all instruction sets.
template <class Pass>
[[gnu::always_inline]] inline const Pass* pass_of(const Pass* passes, std::int64_t count, std::int64_t position) {
  const Pass* pass = passes;
  for (std::int64_t others = count - 1; others > 0;) {  // it is `pass` or one of the `others` after it
    const std::int64_t half = (others + 1) / 2;
    pass = position < pass[half - 1].end ? pass : pass + half;
    others -= half;
  }
  return pass;
}

/// The same, where an index says which passes come into question: of passes of about one size, one or two.
[[gnu::always_inline]] inline const GradientPass* pass_of(const GradientPass* passes, PassIndex index,
                                                          std::int64_t position) {
  const std::int64_t* const first = index.first + (position >> index.shift);
  return pass_of(passes + first[0], first[1] - first[0] + 1, position);
}

/// The values that the index of so many passes has at most.
constexpr std::int64_t max_index_size(std::int64_t pass_count) { return 2 * pass_count + 1; }

/// Writes an index to `first`. The last pass ends behind 0.
inline PassIndex index_passes(const GradientPass* passes, std::int64_t pass_count, std::int64_t* first) {
  const std::int64_t end = passes[pass_count - 1].end;
  PassIndex index{first, 0};
  while ((end - 1) >> index.shift >= 2 * pass_count) ++index.shift;
  std::int64_t pass = 0;
  const std::int64_t buckets = ((end - 1) >> index.shift) + 1;
  for (std::int64_t b = 0; b < buckets; ++b) {
    while (passes[pass].end <= b << index.shift) ++pass;
    first[b] = pass;
  }
  first[buckets] = pass_of(passes, pass_count, end - 1) - passes;
  return index;
}

}  // namespace rowmill
