// SPDX-License-Identifier: Apache-2.0
// How prefetches are described to kernels.
#pragma once

#include <cstdint>

namespace rowmill {

/// The cache into which a kernel prefetches what it will read.
enum class CacheLevel : std::uint8_t { first, second };

/// What a kernel prefetches: while it works on one row, the row that comes `ahead` >= 0 rows later. choose_prefetch.hpp
/// decides.
struct PrefetchArgs {
  CacheLevel into;
  std::int64_t ahead;
};

}  // namespace rowmill
