// SPDX-License-Identifier: Apache-2.0
// Memory of tables and workspaces, and cache sizes: with pages.hpp, all that the library asks the operating system.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace rowmill {

/// Uninitialised memory of a table or an output, aligned to 64 bytes. From 2 MiB on it is map_pages() of its own, which
/// free_array() gives back to the system. Throws Error (out_of_memory); the message names `what` the memory was for.
void* allocate_array(std::size_t bytes, bool huge_pages, std::string_view what);
void free_array(void* p, std::size_t bytes) noexcept;

/// Uninitialised memory, aligned to 64 bytes. Throws Error (out_of_memory).
std::byte* allocate_scratch(std::size_t bytes, std::string_view what);
void free_scratch(std::byte* p) noexcept;

/// The size of the last-level cache; 32 MiB where the system does not say.
std::int64_t last_level_cache_bytes();

/// The share of the caches that `threads` threads can count on: a part for each thread, because a system may report the
/// last-level cache of a whole large machine.
std::int64_t cache_share_bytes(std::int64_t threads);

}  // namespace rowmill
