// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace rowmill {

/// The cache into which a kernel prefetches what it will read: prefetch_level.hpp decides.
enum class CacheLevel : std::uint8_t { first, second };

}  // namespace rowmill
