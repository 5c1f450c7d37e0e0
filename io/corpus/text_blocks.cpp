// SPDX-License-Identifier: Apache-2.0
#include "io/corpus/text_blocks.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <string>

#include "rowmill/io/corpus.hpp"

namespace rowmill::io {
namespace {

constexpr std::string_view kWhiteSpace = " \t\n\v\f\r";

constexpr std::array<bool, 256> kIsWhiteSpace = [] {
  std::array<bool, 256> is{};
  for (const char c : kWhiteSpace) is[static_cast<unsigned char>(c)] = true;
  return is;
}();

bool is_white_space(char c) { return kIsWhiteSpace[static_cast<unsigned char>(c)]; }

/// The first white space in [at, end), or `end`.
const char* find_white_space(const char* at, const char* end) {
  // Eight bytes at a time: the lowest byte below 33 has the lowest bit set. (Higher ones may be wrong.)
  constexpr std::uint64_t kEachByte = 0x0101010101010101;
  while (end - at >= 8) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, at, sizeof bytes);
    const std::uint64_t below = (bytes - 33 * kEachByte) & ~bytes & (128 * kEachByte);
    at += below == 0 ? 8 : std::countr_zero(below) / 8;
    if (below != 0) {
      if (is_white_space(*at)) return at;
      ++at;  // a control character
    }
  }
  return std::find_if(at, end, is_white_space);
}

/// Opening a named pipe would wait for who writes it, and closing it again would end that program: it is only looked
/// at.
void check_readable(const std::filesystem::path& path) {
  if (path == "-") {
    if (::fcntl(STDIN_FILENO, F_GETFD) < 0) throw_system_error("standard input", "opened", errno);
    return;
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) throw_system_error(path, "opened", errno);
  if (S_ISDIR(status.st_mode)) throw_system_error(path, "read", EISDIR);
  if (::access(path.c_str(), R_OK) != 0) throw_system_error(path, "opened", errno);
}

/// Text that begins so was packed, and not by gzip.
void refuse_packed(ByteStream& stream) {
  struct Packed {
    std::string_view magic;
    const char* advice;
  };
  constexpr Packed kKinds[] = {
      {"BZh91AY&SY", "bzip2: unpack it on the way: bzcat FILE | rowmill train-vectors -"},
      {std::string_view("\xFD"
                        "7zXZ\0",
                        6),
       "xz: unpack it on the way: xzcat FILE | rowmill train-vectors -"},
      {"\x28\xB5\x2F\xFD", "Zstandard: unpack it on the way: zstdcat FILE | rowmill train-vectors -"},
  };
  const std::string_view start = stream.peek(16);
  for (const Packed& kind : kKinds) {
    if (start.starts_with(kind.magic)) throw stream.bad(0, std::string("is packed by ") + kind.advice);
  }
  refuse_foreign(stream.path(), start);
}

[[noreturn]] void throw_long_word(const std::filesystem::path& path, std::int64_t offset) {
  throw FileError(ErrorCode::bad_file, path, offset,
                  "a word of more than " + std::to_string(Corpus::kMaxWordBytes) +
                      " bytes; words end at ASCII white space, and what has none for so long is no text");
}

}  // namespace

TextBlocks::TextBlocks(std::span<const std::filesystem::path> inputs) : inputs_(inputs) {
  if (inputs.empty()) throw Error(ErrorCode::invalid_argument, "rowmill: corpus: expected at least one input");
  if (std::ranges::count(inputs, "-") > 1) {
    throw Error(ErrorCode::invalid_argument, "rowmill: corpus: standard input can be read only once");
  }
  std::ranges::for_each(inputs, check_readable);
  for (const std::filesystem::path& path : inputs) names_.push_back(path == "-" ? "standard input" : path);
}

bool TextBlocks::next(TextBlock& block) {
  if (!stream_) {
    if (opened_ == inputs_.size()) return false;
    stream_ = std::make_unique<ByteStream>(inputs_[opened_++]);
    offset_ = 0;
    refuse_packed(*stream_);
  }
  block.path = &names_[opened_ - 1];
  block.offset = offset_;
  block.text.resize(rest_.size() + static_cast<std::size_t>(kBlockBytes));
  std::ranges::copy(rest_, block.text.begin());
  const std::size_t count = stream_->read(std::span(block.text).subspan(rest_.size()));
  block.ends_file = count < static_cast<std::size_t>(kBlockBytes);
  block.text.resize(rest_.size() + count);
  rest_.clear();
  if (block.ends_file) {
    stream_.reset();
    return true;
  }
  const auto end = std::find_if(block.text.rbegin(), block.text.rend(), is_white_space).base();
  rest_.assign(end, block.text.end());
  offset_ += end - block.text.begin();
  if (static_cast<std::int64_t>(rest_.size()) > Corpus::kMaxWordBytes) throw_long_word(*block.path, offset_);
  block.text.erase(end, block.text.end());
  return true;
}

void split(const TextBlock& block, BlockWords& words) {
  words.distinct.clear();
  words.numbers.clear();
  words.words = 0;
  words.table.clear();
  const char* const begin = block.text.data();
  const char* const end = begin + block.text.size();
  const auto word_of = [&](std::int32_t number) { return words.distinct[static_cast<std::size_t>(number)].bytes; };
  const auto end_sentence = [&] {
    if (words.numbers.empty() || words.numbers.back() != kSentenceEnd) {
      words.numbers.push_back(kSentenceEnd);
    }
  };
  for (const char* at = begin; at < end; ++at) {
    if (is_white_space(*at)) {
      if (*at == '\n') end_sentence();
      continue;
    }
    const char* const word_end = find_white_space(at, end);
    const std::string_view word(at, static_cast<std::size_t>(word_end - at));
    if (word_end - at > Corpus::kMaxWordBytes) throw_long_word(*block.path, block.offset + (at - begin));
    const std::uint32_t hash = hash_of(word);
    const std::int32_t number = words.table.number_of(word, hash, word_of);
    if (static_cast<std::size_t>(number) == words.distinct.size()) words.distinct.push_back({word, hash, 0});
    ++words.distinct[static_cast<std::size_t>(number)].count;
    ++words.words;
    words.numbers.push_back(number);
    at = word_end - 1;
  }
  if (block.ends_file) end_sentence();
}

}  // namespace rowmill::io
