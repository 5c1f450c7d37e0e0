// SPDX-License-Identifier: Apache-2.0
#include "io/mapped/read_ahead.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <vector>

#include "io/file/mapping.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/ids/resolve.hpp"

namespace rowmill::io {
namespace {

constexpr std::int64_t kWordBits = 64;

// So many pages are looked at once in 20 ms: a look takes time too, also where all pages are resident.
constexpr std::int64_t kPagesAtOnce = (std::int64_t{64} << 20) / kPage;
constexpr std::chrono::milliseconds kInterval{20};

}  // namespace

ReadAhead::ReadAhead(std::byte* mapping, std::int64_t begin, std::int64_t rows, std::int64_t row_bytes)
    : mapping_(mapping),
      begin_(begin),
      rows_(rows),
      row_bytes_(row_bytes),
      pages_((begin + rows * row_bytes + kPage - 1) / kPage),
      asked_(std::make_unique<std::atomic<std::uint64_t>[]>(static_cast<std::size_t>(pages_ / kWordBits + 1))),
      last_forgotten_(std::chrono::steady_clock::now()) {}

void ReadAhead::ask(Ids ids, OutOfRange policy) {
  if (rows_ == 0) return;
  forget_dropped();
  constexpr std::int64_t kIdsAtOnce = 1024;
  const std::int64_t threads = concurrency_for(ids.size() * kWordBits);
  parallel_chunks(threads, ids.size(), kIdsAtOnce, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t row = resolve(ids[i], rows_, policy);
      if (row >= 0 && row < rows_ && !was_asked(row)) ask_row(row);
    }
  });
}

/// Whether a row of one or two pages was asked for. This is all that is done for most rows that are in memory, and so
/// it is a few instructions.
inline bool ReadAhead::was_asked(std::int64_t row) const {
  const auto begin = static_cast<std::uint64_t>(begin_ + row * row_bytes_);
  const auto is_set = [&](std::uint64_t page) {
    return asked_[page / kWordBits].load(std::memory_order_relaxed) >> (page % kWordBits) & 1U;
  };
  const std::uint64_t first = begin / kPage;
  const std::uint64_t last = (begin + static_cast<std::uint64_t>(row_bytes_) - 1) / kPage;
  return last - first <= 1 && (is_set(first) & is_set(last)) != 0;
}

void ReadAhead::ask_row(std::int64_t row) {
  const std::int64_t begin = begin_ + row * row_bytes_;
  const std::int64_t first = begin / kPage;
  const std::int64_t last = (begin + row_bytes_ - 1) / kPage;
  bool missing = false;
  for (std::int64_t page = first; page <= last; ++page) {
    std::atomic<std::uint64_t>& word = asked_[static_cast<std::size_t>(page / kWordBits)];
    const std::uint64_t bit = std::uint64_t{1} << (page % kWordBits);
    if ((word.load(std::memory_order_relaxed) & bit) != 0) continue;
    word.fetch_or(bit, std::memory_order_relaxed);
    missing = true;
  }
  if (missing) {
    ::madvise(mapping_ + first * kPage, static_cast<std::size_t>((last - first + 1) * kPage), MADV_WILLNEED);
  }
}

void ReadAhead::forget_dropped() {
  const std::unique_lock lock(forget_mutex_, std::try_to_lock);
  if (!lock) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - last_forgotten_ < kInterval) return;
  last_forgotten_ = now;
  if (next_forgotten_ >= pages_) next_forgotten_ = 0;
  const std::int64_t count = std::min(kPagesAtOnce, pages_ - next_forgotten_);
  std::vector<unsigned char> resident(static_cast<std::size_t>(count));
  const std::int64_t first = next_forgotten_;
  next_forgotten_ += count;
  if (::mincore(mapping_ + first * kPage, static_cast<std::size_t>(count * kPage), resident.data()) != 0) return;
  for (std::int64_t page = first; page < first + count; ++page) {
    if ((resident[static_cast<std::size_t>(page - first)] & 1U) != 0) continue;
    asked_[static_cast<std::size_t>(page / kWordBits)].fetch_and(~(std::uint64_t{1} << (page % kWordBits)),
                                                                 std::memory_order_relaxed);
  }
}

}  // namespace rowmill::io
