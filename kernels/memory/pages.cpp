// SPDX-License-Identifier: Apache-2.0
#include "kernels/memory/pages.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <mutex>
#include <vector>

namespace rowmill {
namespace {

/// The addresses that the system would not take back.
class Kept {
 public:
  struct Range {
    std::byte* begin;
    std::size_t size;
  };

  /// Makes room for all ranges that one more mapping can leave: itself, an attempt before it, and what was cut off
  /// before and behind it. So keeping a range needs no memory.
  void expect_mapping() {
    constexpr std::size_t kRanges = 4;
    const std::size_t needed = kRanges * (mappings_ + 1) + ranges_.size();
    if (needed > ranges_.capacity()) ranges_.reserve(std::max(needed, 2 * ranges_.capacity()));
    ++mappings_;
  }
  void forget_mapping() { --mappings_; }

  void give_back(Range range) {
    if (munmap(range.begin, range.size) == 0) return;
    madvise(range.begin, range.size, MADV_DONTNEED);
    ranges_.push_back(range);
  }

  /// Until the system refuses one: another is then the first to be tried next time.
  void try_again() {
    while (!ranges_.empty()) {
      if (++next_ >= ranges_.size()) next_ = 0;
      if (munmap(ranges_[next_].begin, ranges_[next_].size) != 0) return;
      remove(next_);
    }
  }

  /// Huge pages of just that size; null if there are none.
  std::byte* take(std::size_t size) {
    for (std::size_t i = 0; i < ranges_.size(); ++i) {
      const Range range = ranges_[i];
      if (range.size != size || reinterpret_cast<std::uintptr_t>(range.begin) % kHugePage != 0) continue;
      remove(i);
      return range.begin;
    }
    return nullptr;
  }

 private:
  void remove(std::size_t i) {
    ranges_[i] = ranges_.back();
    ranges_.pop_back();
  }

  std::vector<Range> ranges_;
  std::size_t mappings_ = 0;
  std::size_t next_ = 0;
};

std::mutex mutex;

/// Never destroyed: tables that are static may be, later.
Kept& kept() {
  static Kept& made = *new Kept;
  return made;
}

std::byte* map(std::size_t size) {
  void* const mapping = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return mapping == MAP_FAILED ? nullptr : static_cast<std::byte*>(mapping);
}

std::size_t misalignment(const std::byte* p) { return reinterpret_cast<std::uintptr_t>(p) % kHugePage; }

/// Below a mapping that is aligned the system mostly puts the next one, which is then aligned too, and part of it.
std::byte* map_aligned(std::size_t size) {
  std::byte* const first = map(size);
  if (first == nullptr) return kept().take(size);
  if (misalignment(first) == 0) return first;
  kept().give_back({first, size});

  // One huge page more, and what lies outside is given back.
  const std::size_t reserved = size + kHugePage;
  if (reserved < size) return nullptr;
  std::byte* const begin = map(reserved);
  if (begin == nullptr) return nullptr;
  const std::size_t head = (kHugePage - misalignment(begin)) % kHugePage;
  if (head > 0) kept().give_back({begin, head});
  kept().give_back({begin + head + size, kHugePage - head});
  return begin + head;
}

std::size_t rounded(std::size_t bytes) { return (bytes + kHugePage - 1) / kHugePage * kHugePage; }

}  // namespace

void* map_pages(std::size_t bytes, bool huge_pages) noexcept {
  const std::size_t size = rounded(bytes);
  if (size < bytes) return nullptr;
  const std::lock_guard lock(mutex);
  try {
    kept().expect_mapping();
  } catch (const std::exception&) {
    return nullptr;
  }
  kept().try_again();
  std::byte* const pages = map_aligned(size);
  if (pages == nullptr) {
    kept().forget_mapping();
  } else {
    madvise(pages, size, huge_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);  // a wish: failing changes only the speed
  }
  return pages;
}

void unmap_pages(void* pages, std::size_t bytes) noexcept {
  const std::lock_guard lock(mutex);
  kept().forget_mapping();
  kept().give_back({static_cast<std::byte*>(pages), rounded(bytes)});
  kept().try_again();
}

}  // namespace rowmill
