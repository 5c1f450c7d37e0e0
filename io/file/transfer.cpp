// SPDX-License-Identifier: Apache-2.0
#include "io/file/transfer.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <vector>

#include "kernels/core/parallel.hpp"

namespace rowmill::io {
namespace {

/// What one task moves: long enough that the call to the system does not show, short enough for many threads.
constexpr std::int64_t kPartBytes = std::int64_t{4} << 20;

template <class Byte, class Table>
ByteRows<Byte> rows_of(const Table& table) {
  const std::int64_t element = element_size(table.format());
  return {static_cast<Byte*>(table.bytes()), table.rows(), table.dim() * element, table.row_stride() * element};
}

/// Calls move(begin, end) for parts of 0 .. size-1 that are multiples of `unit`. After one has thrown, no other begins.
template <class Move>
void move_parts(std::int64_t size, std::int64_t unit, Move move) {
  const std::int64_t grain = std::max(kPartBytes / unit, std::int64_t{1}) * unit;
  std::atomic<bool> failed = false;
  parallel_chunks(concurrency_for(size), size, grain, [&](std::int64_t begin, std::int64_t end) {
    if (failed.load(std::memory_order_relaxed)) return;
    try {
      move(begin, end);
    } catch (...) {
      failed.store(true, std::memory_order_relaxed);
      throw;
    }
  });
}

std::span<const std::byte> part(const ByteRows<const std::byte>& rows, std::int64_t begin, std::int64_t end) {
  return {rows.data + begin, static_cast<std::size_t>(end - begin)};
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
                ProgressCount& progress) {
  if (source.contiguous()) {
    move_parts(source.size(), 1, [&](std::int64_t begin, std::int64_t end) {
      file.write(offset + begin, part(source, begin, end));
      progress.add(end - begin);
    });
    return;
  }
  move_parts(source.size(), source.row_bytes, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::byte> packed(static_cast<std::size_t>(end - begin));
    std::byte* next = packed.data();
    for (std::int64_t r = begin / source.row_bytes; r < end / source.row_bytes; ++r, next += source.row_bytes) {
      std::memcpy(next, source.data + r * source.stride, static_cast<std::size_t>(source.row_bytes));
    }
    file.write(offset + begin, packed);
    progress.add(end - begin);
  });
}

void read_rows(const InputFile& file, std::int64_t offset, const ByteRows<std::byte>& out) {
  if (out.contiguous()) {
    move_parts(out.size(), 1, [&](std::int64_t begin, std::int64_t end) {
      file.read(offset + begin, {out.data + begin, static_cast<std::size_t>(end - begin)});
    });
    return;
  }
  move_parts(out.size(), out.row_bytes, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::byte> packed(static_cast<std::size_t>(end - begin));
    file.read(offset + begin, packed);
    const std::byte* next = packed.data();
    for (std::int64_t r = begin / out.row_bytes; r < end / out.row_bytes; ++r, next += out.row_bytes) {
      std::memcpy(out.data + r * out.stride, next, static_cast<std::size_t>(out.row_bytes));
    }
  });
}

}  // namespace rowmill::io
