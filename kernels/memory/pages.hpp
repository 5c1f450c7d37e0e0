// SPDX-License-Identifier: Apache-2.0
// Memory that comes from the system page by page, and goes back to it.
#pragma once

#include <cstddef>

namespace rowmill {

inline constexpr std::size_t kHugePage = std::size_t{1} << 21;

/// At least `bytes`, in whole pages of 2 MiB and aligned to them; what they hold is unspecified. The system is asked to
/// use pages of that size, or not to. Null if it refuses. Neighbours share one of the mappings that a process may have.
void* map_pages(std::size_t bytes, bool huge_pages) noexcept;

/// Gives back what map_pages(bytes) returned. Where the system refuses that, because it would cut a mapping in two and
/// the process has as many as it may, the memory is free all the same; its addresses are used again, or given back when
/// a later call of these functions finds that they can be.
void unmap_pages(void* pages, std::size_t bytes) noexcept;

}  // namespace rowmill
