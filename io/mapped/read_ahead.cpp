// SPDX-License-Identifier: Apache-2.0
#include "io/mapped/read_ahead.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "kernels/core/parallel.hpp"
#include "kernels/ids/resolve.hpp"

namespace rowmill::io {
namespace {

constexpr std::int64_t kWordBits = 64;

// So many pages are looked at once in 20 ms: a look takes time too, also where all pages are resident.
constexpr std::int64_t kPagesAtOnce = (std::int64_t{64} << 20) / kPage;
constexpr std::chrono::milliseconds kInterval{20};
static_assert(kPagesAtOnce % kWordBits == 0);

}  // namespace

ReadAhead::ReadAhead(const InputFile& file, const Mapping& mapping, std::int64_t begin, std::int64_t rows,
                     std::int64_t row_bytes)
    : first_page_(mapping.data() == nullptr ? nullptr : mapping.data() + begin / kPage * kPage),
      begin_(begin % kPage),
      rows_(rows),
      row_bytes_(row_bytes),
      pages_((begin_ + rows * row_bytes + kPage - 1) / kPage),
      tells_residency_(tells_residency(file)),
      asked_(std::make_unique<std::atomic<std::uint64_t>[]>(static_cast<std::size_t>(pages_ / kWordBits + 1))),
      missing_(pages_) {}

void ReadAhead::ask(Ids ids, OutOfRange policy) {
  if (rows_ == 0) return;
  compare_with_system();
  if (missing_.load(std::memory_order_relaxed) == 0) return;
  constexpr std::int64_t kIdsAtOnce = 1024;
  const std::int64_t threads = concurrency_for(ids.size() * kWordBits);
  parallel_chunks(threads, ids.size(), kIdsAtOnce, [&](std::int64_t begin, std::int64_t end) {
    if (!ids.is_contiguous()) {
      return ask_some([&](std::int64_t i) { return ids[i]; }, begin, end, policy);
    }
    ids.visit(
        [&](const auto* data) { ask_some([&](std::int64_t i) { return std::int64_t{data[i]}; }, begin, end, policy); });
  });
}

template <class Id>
void ReadAhead::ask_some(const Id& id_at, std::int64_t begin, std::int64_t end, OutOfRange policy) {
  for (std::int64_t i = begin; i < end; ++i) {
    const std::int64_t row = resolve(id_at(i), rows_, policy);
    if (row >= 0 && row < rows_ && !was_asked(row)) ask_row(row);
  }
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
    const std::uint64_t bit = std::uint64_t{1} << (page % kWordBits);
    if ((asked_[static_cast<std::size_t>(page / kWordBits)].load(std::memory_order_relaxed) & bit) != 0) continue;
    change(page / kWordBits, bit, 0);
    missing = true;
  }
  if (missing) {
    ::madvise(first_page_ + first * kPage, static_cast<std::size_t>((last - first + 1) * kPage), MADV_WILLNEED);
  }
}

void ReadAhead::change(std::int64_t word, std::uint64_t set, std::uint64_t clear) {
  std::atomic<std::uint64_t>& bits = asked_[static_cast<std::size_t>(word)];
  std::int64_t missing = 0;
  if (set != 0) missing -= std::popcount(set & ~bits.fetch_or(set, std::memory_order_relaxed));
  if (clear != 0) missing += std::popcount(clear & bits.fetch_and(~clear, std::memory_order_relaxed));
  if (missing != 0) missing_.fetch_add(missing, std::memory_order_relaxed);
}

void ReadAhead::compare_with_system() {
  if (!tells_residency_) return;
  const std::unique_lock lock(compare_mutex_, std::try_to_lock);
  if (!lock) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - last_compared_ < kInterval) return;
  last_compared_ = now;
  if (next_compared_ >= pages_) next_compared_ = 0;
  const std::int64_t first = next_compared_;
  const std::int64_t count = std::min(kPagesAtOnce, pages_ - first);
  next_compared_ += count;
  std::vector<unsigned char> resident(static_cast<std::size_t>(count));
  if (::mincore(first_page_ + first * kPage, static_cast<std::size_t>(count * kPage), resident.data()) != 0) return;
  for (std::int64_t begin = 0; begin < count; begin += kWordBits) {
    const std::int64_t size = std::min(kWordBits, count - begin);
    std::uint64_t set = 0;
    for (std::int64_t i = 0; i < size; ++i) {
      set |= std::uint64_t{resident[static_cast<std::size_t>(begin + i)] & 1U} << i;
    }
    const std::uint64_t all = ~std::uint64_t{0} >> (kWordBits - size);
    change((first + begin) / kWordBits, set, all & ~set);
  }
}

}  // namespace rowmill::io
