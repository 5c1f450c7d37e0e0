// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

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

}  // namespace rowmill
