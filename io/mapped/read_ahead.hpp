// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "rowmill/ids.hpp"

namespace rowmill::io {

/// Asks the system for the rows of a batch before they are read, but only for those that it was not asked for before:
/// asking costs more than gathering a row that is there.
///
/// A bit a page remembers what was asked for. The system may drop pages since: now and then, a part of the bits is
/// compared with what it holds (mincore), and those of dropped pages are cleared. It is a hint throughout: a wrong bit
/// costs time alone.
class ReadAhead {
 public:
  /// `rows` of `row_bytes` each, of which the first begins at byte `begin` of the mapping at `mapping`.
  ReadAhead(std::byte* mapping, std::int64_t begin, std::int64_t rows, std::int64_t row_bytes);

  /// The rows that these ids mean; ids out of range are left out.
  void ask(Ids ids, OutOfRange policy);

 private:
  [[nodiscard]] bool was_asked(std::int64_t row) const;
  void ask_row(std::int64_t row);
  void forget_dropped();

  std::byte* mapping_;
  std::int64_t begin_;
  std::int64_t rows_;
  std::int64_t row_bytes_;
  std::int64_t pages_;  // of the mapping, up to the table's end

  std::unique_ptr<std::atomic<std::uint64_t>[]> asked_;  // a bit a page

  std::mutex forget_mutex_;
  std::int64_t next_forgotten_ = 0;  // a page
  std::chrono::steady_clock::time_point last_forgotten_;
};

}  // namespace rowmill::io
