// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "io/file/byte_stream.hpp"
#include "io/file/parallel.hpp"

namespace rowmill::io {

/// Whole lines of a text, each with its '\n'.
struct LineBlock {
  std::string text;
  std::int64_t offset = 0;  // of its first byte
};

/// What some editors put before a text: no part of its first line.
inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// Cuts a stream into blocks of whole lines, without a byte order mark at its beginning. Their sizes double, so that a
/// small file takes little memory, up to 1 MiB or what a line needs.
class LineBlocks {
 public:
  static constexpr std::size_t kFirstBytes = std::size_t{1} << 16;

  /// The first block is cut from `first_bytes` bytes: what is read does not depend on it.
  explicit LineBlocks(ByteStream& stream, std::size_t first_bytes = kFirstBytes)
      : stream_(stream), block_bytes_(first_bytes) {}

  /// The next block of the stream; nothing at its end. Throws FileError: as the stream, or if a line has no end or is
  /// longer than 2^28 bytes.
  [[nodiscard]] std::optional<LineBlock> next();

  /// Makes `block` the next one again.
  void put_back(LineBlock block) { next_ = std::move(block); }

 private:
  ByteStream& stream_;
  std::size_t block_bytes_;
  std::optional<LineBlock> next_;
  std::string begun_;  // the beginning of a line, of which the rest is not read yet
  std::int64_t offset_ = 0;
  bool at_end_ = false;
};

/// Calls f(i, block) for each block i of the rest of a stream, on all threads: while one reads the next block, and
/// unpacks it, the others work on theirs. What is thrown is what the lowest block throws, or the failure to read it.
template <class F>
void for_each_block(LineBlocks& blocks, F f) {
  std::mutex mutex;
  std::int64_t taken = 0;
  std::int64_t failed = std::numeric_limits<std::int64_t>::max();
  std::exception_ptr error;
  const auto work_on_next = [&] {
    std::int64_t i = 0;
    try {
      std::optional<LineBlock> block;
      {
        const std::lock_guard lock(mutex);
        if (error) return false;  // of a lower block: blocks are taken in order
        i = taken++;
        block = blocks.next();
      }
      if (!block) return false;
      f(i, *block);
      return true;
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (i < failed) error = std::current_exception();
      failed = std::min(i, failed);
      return false;
    }
  };
  const std::int64_t threads = concurrency_for(std::numeric_limits<std::int64_t>::max());
  parallel_tasks(threads, threads, [&](std::int64_t) {
    while (work_on_next()) {
    }
  });
  if (error) std::rethrow_exception(error);
}

/// Calls f(line, offset) for each line of a block, without its end.
template <class F>
void for_each_line(const LineBlock& block, F f) {
  std::string_view rest = block.text;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    f(line, block.offset + (rest.data() - block.text.data()));
    rest.remove_prefix(end + 1);
  }
}

}  // namespace rowmill::io
