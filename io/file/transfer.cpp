// SPDX-License-Identifier: Apache-2.0
#include "io/file/transfer.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <vector>

#include "io/file/parallel.hpp"
#include "kernels/core/checks.hpp"

namespace rowmill::io {
namespace {

/// What one task moves: long enough that the call to the system does not show, short enough for many threads.
constexpr std::int64_t kPartBytes = TreeChecksum::kPartBytes;

template <class Byte, class Table>
ByteRows<Byte> rows_of(const Table& table) {
  return {static_cast<Byte*>(table.bytes()), table.rows(), row_bytes(table),
          table.row_stride() * element_size(table.format())};
}

/// Calls move(begin, end) for parts of 0 .. size-1 bytes.
template <class Move>
void move_parts(std::int64_t size, Move move) {
  parallel_that_throws(concurrency_for(size), (size + kPartBytes - 1) / kPartBytes, [&](std::int64_t part) {
    const std::int64_t begin = part * kPartBytes;
    move(begin, std::min(begin + kPartBytes, size));
  });
}

/// Calls copy(bytes of a row, bytes of `packed`, count) for bytes begin .. end-1 of the rows, one after another.
template <class Byte, class Copy>
void for_each_piece(const ByteRows<Byte>& rows, std::int64_t begin, std::int64_t end, Copy copy) {
  for (std::int64_t at = begin; at < end;) {
    const std::int64_t row = at / rows.row_bytes;
    const std::int64_t column = at % rows.row_bytes;
    const std::int64_t count = std::min(rows.row_bytes - column, end - at);
    copy(rows.data + row * rows.stride + column, at - begin, static_cast<std::size_t>(count));
    at += count;
  }
}

std::mutex progress_mutex;

}  // namespace

ByteRows<const std::byte> bytes_of(const ConstTableView& table) { return rows_of<const std::byte>(table); }
ByteRows<std::byte> bytes_of(const TableView& table) { return rows_of<std::byte>(table); }

void ProgressCount::add(std::int64_t bytes) {
  if (!progress_) return;
  const std::lock_guard lock(progress_mutex);
  done_ += bytes;
  progress_(done_, total_);
}

void write_rows(const NewFile& file, std::int64_t offset, const ByteRows<const std::byte>& source,
                ProgressCount& progress, TreeChecksum* checksum) {
  move_parts(source.size(), [&](std::int64_t begin, std::int64_t end) {
    std::span<const std::byte> bytes;
    std::vector<std::byte> packed;
    if (source.contiguous()) {
      bytes = {source.data + begin, static_cast<std::size_t>(end - begin)};
    } else {
      packed.resize(static_cast<std::size_t>(end - begin));
      for_each_piece(source, begin, end, [&](const std::byte* row, std::int64_t at, std::size_t count) {
        std::memcpy(packed.data() + at, row, count);
      });
      bytes = packed;
    }
    if (checksum != nullptr) checksum->add(begin, bytes);
    file.write(offset + begin, bytes);
    progress.add(end - begin);
  });
}

void read_rows(const InputFile& file, std::int64_t offset, const ByteRows<std::byte>& out) {
  move_parts(out.size(), [&](std::int64_t begin, std::int64_t end) {
    if (out.contiguous()) return file.read(offset + begin, {out.data + begin, static_cast<std::size_t>(end - begin)});
    std::vector<std::byte> packed(static_cast<std::size_t>(end - begin));
    file.read(offset + begin, packed);
    for_each_piece(out, begin, end, [&](std::byte* row, std::int64_t at, std::size_t count) {
      std::memcpy(row, packed.data() + at, count);
    });
  });
}

std::uint64_t read_checksum(const InputFile& file, std::int64_t offset, std::int64_t size, ProgressCount& progress) {
  TreeChecksum checksum(size);
  move_parts(size, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::byte> bytes(static_cast<std::size_t>(end - begin));
    file.read(offset + begin, bytes);
    checksum.add(begin, bytes);
    progress.add(end - begin);
  });
  return checksum.value();
}

}  // namespace rowmill::io
