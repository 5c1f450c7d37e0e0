// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "io/file/mapping.hpp"
#include "rowmill/ids.hpp"

namespace rowmill::io {

/// Asks the system for the rows of a batch before they are read, but only for those that it was not asked for before:
/// asking costs more than gathering a row that is there.
///
/// A bit a page remembers what needs no asking: what was asked for, and what the system holds. The system may drop or
/// load pages at any time: now and then, a part of the bits is compared with what it holds (mincore). While no bit is
/// missing, a batch costs nothing. It is a hint throughout: a wrong bit costs time alone.
class ReadAhead {
 public:
  /// `rows` of `row_bytes` each, of which the first begins at byte `begin` of the file and of its mapping.
  ReadAhead(const InputFile& file, const Mapping& mapping, std::int64_t begin, std::int64_t rows,
            std::int64_t row_bytes);

  /// The rows that these ids mean; ids out of range are left out.
  void ask(Ids ids, OutOfRange policy);

 private:
  template <class Id>
  void ask_some(const Id& id_at, std::int64_t begin, std::int64_t end, OutOfRange policy);
  [[nodiscard]] bool was_asked(std::int64_t row) const;
  void ask_row(std::int64_t row);
  void compare_with_system();
  /// Sets and clears bits of a word; they are disjoint.
  void change(std::int64_t word, std::uint64_t set, std::uint64_t clear);

  std::byte* first_page_;  // of the table, and bit 0
  std::int64_t begin_;     // of the table, from there
  std::int64_t rows_;
  std::int64_t row_bytes_;
  std::int64_t pages_;
  bool tells_residency_;

  std::unique_ptr<std::atomic<std::uint64_t>[]> asked_;  // a bit a page
  std::atomic<std::int64_t> missing_;                    // how many are not set

  std::mutex compare_mutex_;
  std::int64_t next_compared_ = 0;  // a page
  std::chrono::steady_clock::time_point last_compared_;
};

}  // namespace rowmill::io
