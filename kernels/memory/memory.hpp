// SPDX-License-Identifier: Apache-2.0
// The operating system's part: memory of tables and workspaces, huge pages, cache sizes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace rowmill {

/// Uninitialised memory of a table or an output: aligned to 64, or, from 2 MiB on, pages of its own aligned to that,
/// which go back to the system when they are freed, and are huge ones if `huge_pages` asks for that. Throws Error
/// (out_of_memory) that says `what` was refused.
void* allocate_array(std::size_t bytes, bool huge_pages, std::string_view what);
void free_array(void* p, std::size_t bytes) noexcept;

/// Uninitialised memory, aligned to 64. Throws Error (out_of_memory).
std::byte* allocate_scratch(std::size_t bytes, std::string_view what);
void free_scratch(std::byte* p) noexcept;

/// The size of the last-level cache; 32 MiB where the system does not say.
std::int64_t last_level_cache_bytes();

/// What `threads` threads can count on of the caches they share: a part for each, for a system may report all of a
/// large machine's.
std::int64_t cache_share_bytes(std::int64_t threads);

}  // namespace rowmill
