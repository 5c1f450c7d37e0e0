// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/file/byte_stream.hpp"

namespace rowmill::io {

/// Whole lines of a text, each with its '\n'.
struct LineBlock {
  std::string text;
  std::int64_t offset = 0;  // of its first byte
};

/// Cuts a stream into blocks of whole lines. Their sizes double, so that a small file takes little memory.
class LineBlocks {
 public:
  static constexpr std::size_t kFirstBytes = std::size_t{1} << 16;

  /// The first block is cut from `first_bytes` bytes: what is read does not depend on it.
  explicit LineBlocks(ByteStream& stream, std::size_t first_bytes = kFirstBytes)
      : stream_(stream), block_bytes_(first_bytes) {}

  /// Up to `count` blocks, the next of the stream; none at its end. Throws FileError: as the stream, or if a line has
  /// no end or is longer than 2^28 bytes.
  [[nodiscard]] std::vector<LineBlock> next(std::int64_t count);

 private:
  [[nodiscard]] bool next(LineBlock& block);

  ByteStream& stream_;
  std::size_t block_bytes_;
  std::string begun_;  // the beginning of a line, of which the rest is not read yet
  std::int64_t offset_ = 0;
};

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
