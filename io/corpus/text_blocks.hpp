// SPDX-License-Identifier: Apache-2.0
// Text in blocks of whole words, and the words of a block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "io/corpus/word_table.hpp"
#include "io/file/byte_stream.hpp"

namespace rowmill::io {

struct TextBlock {
  std::vector<char> text;
  const std::filesystem::path* path = nullptr;
  std::int64_t offset = 0;  ///< of its text in the file
  bool ends_file = false;
};

/// Reads inputs one after another, a block at a time. Blocks are cut at white space, wherever in the inputs they come
/// from.
class TextBlocks {
 public:
  static constexpr std::int64_t kBlockBytes = std::int64_t{1} << 20;

  /// Checks that all can be read. Throws as Corpus.
  explicit TextBlocks(std::span<const std::filesystem::path> inputs);

  /// False: there are no more. Throws FileError.
  bool next(TextBlock& block);

 private:
  std::span<const std::filesystem::path> inputs_;
  std::vector<std::filesystem::path> names_;  // in errors
  std::size_t opened_ = 0;
  std::unique_ptr<ByteStream> stream_;
  std::vector<char> rest_;  // of the block before: a word's beginning
  std::int64_t offset_ = 0;
};

/// A block's words, numbered within the block.
struct BlockWords {
  struct Word {
    std::string_view bytes;  ///< in the block's text
    std::uint32_t hash = 0;
    std::int64_t count = 0;
  };

  std::vector<Word> distinct;         ///< in the order in which they first come
  std::vector<std::int32_t> numbers;  ///< of the text's words, and kSentenceEnd; never two of those in a row
  std::int64_t words = 0;
  WordTable table;
};

/// Splits a block into words and numbers them. Throws FileError (bad_file) if one is too long.
void split(const TextBlock& block, BlockWords& words);

}  // namespace rowmill::io
