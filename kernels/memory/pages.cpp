// SPDX-License-Identifier: Apache-2.0
// Memory in huge pages, by mmap.
#include "kernels/memory/pages.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <mutex>
#include <vector>

namespace rowmill {
namespace {

/// Ranges of addresses that the system refused to unmap.
class RefusedRanges {
 public:
  struct Range {
    std::byte* begin;
    std::size_t size;
  };

  /// Makes room for all ranges that one more mapping can leave: itself, an attempt before it, and what is cut off at
  /// its front and back. So give_back() allocates nothing.
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

  /// Unmaps ranges until the system refuses one. The next call begins with another range.
  void try_again() {
    while (!ranges_.empty()) {
      if (++next_ >= ranges_.size()) next_ = 0;
      if (munmap(ranges_[next_].begin, ranges_[next_].size) != 0) return;
      remove(next_);
    }
  }

  /// A range of exactly this size, aligned to huge pages; null if there is none.
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

/// Never destroyed: a static table may outlive any static object.
RefusedRanges& refused() {
  static RefusedRanges& ranges = *new RefusedRanges;
  return ranges;
}

std::byte* map(std::size_t size) {
  void* const mapping = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return mapping == MAP_FAILED ? nullptr : static_cast<std::byte*>(mapping);
}

std::size_t misalignment(const std::byte* p) { return reinterpret_cast<std::uintptr_t>(p) % kHugePage; }

/// Tries without a spare huge page first: the system mostly puts a mapping right below the one before, which leaves it
/// aligned if that was, and merges the two.
std::byte* map_aligned(std::size_t size) {
  std::byte* const first = map(size);
  if (first == nullptr) return refused().take(size);
  if (misalignment(first) == 0) return first;
  refused().give_back({first, size});

  // With one huge page more; what lies outside of the aligned part is given back.
  const std::size_t reserved = size + kHugePage;
  if (reserved < size) return nullptr;
  std::byte* const begin = map(reserved);
  if (begin == nullptr) return nullptr;
  const std::size_t head = (kHugePage - misalignment(begin)) % kHugePage;
  if (head > 0) refused().give_back({begin, head});
  refused().give_back({begin + head + size, kHugePage - head});
  return begin + head;
}

std::size_t rounded(std::size_t bytes) { return (bytes + kHugePage - 1) / kHugePage * kHugePage; }

}  // namespace

void* map_pages(std::size_t bytes, bool huge_pages) noexcept {
  const std::size_t size = rounded(bytes);
  if (size < bytes) return nullptr;
  const std::lock_guard lock(mutex);
  try {
    refused().expect_mapping();
  } catch (const std::exception&) {
    return nullptr;
  }
  refused().try_again();
  std::byte* const pages = map_aligned(size);
  if (pages == nullptr) {
    refused().forget_mapping();
  } else {
    madvise(pages, size, huge_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);  // a wish: failing changes only the speed
  }
  return pages;
}

void unmap_pages(void* pages, std::size_t bytes) noexcept {
  const std::lock_guard lock(mutex);
  refused().forget_mapping();
  refused().give_back({static_cast<std::byte*>(pages), rounded(bytes)});
  refused().try_again();
}

}  // namespace rowmill
