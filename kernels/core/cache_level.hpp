// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace rowmill {

/// The cache into which a kernel prefetches what it will read: prefetch_level() of kernels/memory/. `none`, no
/// prefetch, is never an argument of a kernel: it is what updates make of gradients that are near.
enum class CacheLevel : std::uint8_t { none, first, second };

}  // namespace rowmill
