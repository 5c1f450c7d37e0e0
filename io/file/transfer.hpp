// SPDX-License-Identifier: Apache-2.0
// Big data between memory and files, on all threads of the caller's arena.
#pragma once

#include <cstddef>
#include <cstdint>

#include "io/file/checksum.hpp"
#include "io/file/input_file.hpp"
#include "io/file/new_file.hpp"
#include "rowmill/io/save_options.hpp"
#include "rowmill/table_view.hpp"

namespace rowmill::io {

/// Rows of bytes in memory, `stride` bytes apart.
template <class Byte>
struct ByteRows {
  Byte* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t row_bytes = 0;
  std::int64_t stride = 0;

  [[nodiscard]] std::int64_t size() const { return rows * row_bytes; }
  [[nodiscard]] bool contiguous() const { return stride == row_bytes || rows <= 1; }
};

[[nodiscard]] ByteRows<const std::byte> bytes_of(const ConstTableView& table);
[[nodiscard]] ByteRows<std::byte> bytes_of(const TableView& table);

/// Counts what is done, and tells the caller.
class ProgressCount {
 public:
  ProgressCount(const Progress& progress, std::int64_t total) : progress_(progress), total_(total) {}
  void add(std::int64_t bytes);

 private:
  const Progress& progress_;
  std::int64_t total_;
  std::int64_t done_ = 0;
};

/// Writes `source` to `file` from byte `offset` on. Rows with gaps go through buffers of a part of them each. Throws
/// what `file` or the progress callback throws. `checksum`, if given, becomes that of the bytes.
void write_rows(const NewFile& file, std::int64_t offset, const ByteRows<const std::byte>& source,
                ProgressCount& progress, TreeChecksum* checksum = nullptr);

/// Reads `out` from `file` from byte `offset` on. Throws FileError (io_error).
void read_rows(const InputFile& file, std::int64_t offset, const ByteRows<std::byte>& out);

/// The TreeChecksum of `size` bytes of `file` from byte `offset` on. Throws FileError (io_error), and what the progress
/// callback throws.
[[nodiscard]] std::uint64_t read_checksum(const InputFile& file, std::int64_t offset, std::int64_t size,
                                          ProgressCount& progress);

}  // namespace rowmill::io
