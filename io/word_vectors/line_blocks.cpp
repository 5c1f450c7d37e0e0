// SPDX-License-Identifier: Apache-2.0
#include "io/word_vectors/line_blocks.hpp"

namespace rowmill::io {

std::optional<LineBlock> LineBlocks::next() {
  if (next_) return std::exchange(next_, std::nullopt);
  constexpr std::size_t kMaxBlockBytes = std::size_t{1} << 20;
  constexpr std::size_t kMaxLineBytes = std::size_t{1} << 28;
  std::string text = std::exchange(begun_, {});
  while (!at_end_) {
    const std::size_t have = text.size();
    const std::size_t wanted = std::exchange(block_bytes_, std::min(2 * block_bytes_, kMaxBlockBytes));
    text.resize(have + wanted);
    text.resize(have + stream_.read(std::span(text).subspan(have)));
    at_end_ = text.size() < have + wanted;
    std::size_t last = std::string_view(text).substr(have).rfind('\n');  // before, there is none
    if (last != std::string_view::npos) last += have;
    if (at_end_ && text.empty()) break;
    if (at_end_ && last + 1 != text.size()) {
      const std::size_t begin = last == std::string::npos ? 0 : last + 1;
      throw stream_.bad(offset_ + static_cast<std::int64_t>(begin),
                        "the last line has no end: the file seems to be cut off");
    }
    if (last != std::string::npos) {
      begun_ = text.substr(last + 1);
      text.resize(last + 1);
      LineBlock block = {std::move(text), offset_};
      offset_ += static_cast<std::int64_t>(block.text.size());
      if (block.offset == 0 && block.text.starts_with(kByteOrderMark)) {
        block.text.erase(0, kByteOrderMark.size());
        block.offset = static_cast<std::int64_t>(kByteOrderMark.size());
      }
      return block;
    }
    if (text.size() > kMaxLineBytes)
      throw stream_.bad(offset_, "a line of more than 2^28 bytes; expected vectors as text");
  }
  return std::nullopt;
}

}  // namespace rowmill::io
