// SPDX-License-Identifier: Apache-2.0
// Allocation, Workspace and cache sizes.
#include "kernels/memory/memory.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <limits>
#include <new>
#include <string>

#include "kernels/core/tuning.hpp"
#include "kernels/memory/pages.hpp"
#include "rowmill/error.hpp"
#include "rowmill/workspace.hpp"

namespace rowmill {
namespace {

constexpr std::align_val_t kCacheLine{64};

[[noreturn]] void refuse(std::size_t bytes, std::string_view what) {
  throw Error(ErrorCode::out_of_memory,
              "rowmill: " + std::string(what) + ": the system refused " + std::to_string(bytes) + " bytes of memory");
}

/// Null if the system refuses. The standard library rounds sizes up to the alignment, and the largest ones to 0.
void* allocate_aligned(std::size_t bytes) {
  const std::size_t most = std::numeric_limits<std::size_t>::max() - static_cast<std::size_t>(kCacheLine);
  return bytes > most ? nullptr : ::operator new(bytes, kCacheLine, std::nothrow);
}

/// The size of a cache of the first processor as the system reports it, such as "32K"; empty if it does not. Allocates
/// nothing: a first call of an operation may get here.
std::string_view cache_size(int cache, char (&text)[32]) {
  char path[80];
  std::snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", cache);
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  const ssize_t length = read(file, text, sizeof text);
  close(file);
  return {text, length > 0 ? static_cast<std::size_t>(length) : 0};
}

}  // namespace

void* allocate_array(std::size_t bytes, bool huge_pages, std::string_view what) {
  void* const p = bytes < kHugePage ? allocate_aligned(bytes) : map_pages(bytes, huge_pages);
  if (p == nullptr) refuse(bytes, what);
  return p;
}

void free_array(void* p, std::size_t bytes) noexcept {
  if (bytes < kHugePage) {
    ::operator delete(p, kCacheLine);
  } else {
    unmap_pages(p, bytes);
  }
}

std::byte* allocate_scratch(std::size_t bytes, std::string_view what) {
  void* const p = allocate_aligned(bytes);
  if (p == nullptr) refuse(bytes, what);
  return static_cast<std::byte*>(p);
}

void free_scratch(std::byte* p) noexcept { ::operator delete(p, kCacheLine); }

std::int64_t last_level_cache_bytes() {
  // Not from sysconf(): on AMD it adds up the caches of other core complexes, which this core can't fill.
  static const std::int64_t bytes = [] {
    std::int64_t largest = 0;
    for (int cache = 0; cache < 8; ++cache) {
      char text[32];
      std::int64_t kibibytes = 0;
      const std::string_view size = cache_size(cache, text);
      std::from_chars(size.data(), size.data() + size.size(), kibibytes);
      largest = std::max(largest, kibibytes << 10);
    }
    return largest > 0 ? largest : std::int64_t{32} << 20;
  }();
  return bytes;
}

std::int64_t cache_share_bytes(std::int64_t threads) {
  return std::min(last_level_cache_bytes(), threads * tuning().core_cache_bytes);
}

void Workspace::Free::operator()(std::byte* p) const noexcept { free_scratch(p); }

void Workspace::reserve(std::size_t bytes, std::string_view what) {
  if (bytes <= capacity_) return;
  std::unique_ptr<std::byte, Free> larger(allocate_scratch(bytes, what));
  data_ = std::move(larger);
  capacity_ = bytes;
}

}  // namespace rowmill
