// SPDX-License-Identifier: Apache-2.0
// Memory that comes from the system page by page, and goes back to it.
#pragma once

#include <cstddef>

namespace rowmill {

inline constexpr std::size_t kHugePage = std::size_t{1} << 21;

/// At least `bytes` of unspecified contents, in whole pages of 2 MiB and aligned to them. Asks the system to use huge
/// pages, or not to. Null if it refuses the memory. Adjacent ones share one of the mappings that a process may have.
void* map_pages(std::size_t bytes, bool huge_pages) noexcept;

/// Gives back what map_pages(bytes) returned. The system refuses to unmap pages if that would cut a mapping in two, and
/// the process has as many mappings as it may. Their memory is then freed all the same, and later calls of these
/// functions use the addresses again or unmap them.
void unmap_pages(void* pages, std::size_t bytes) noexcept;

}  // namespace rowmill
