// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <span>

#include "io/file/byte_stream.hpp"
#include "io/file/transfer.hpp"
#include "io/word_vectors/row_blocks.hpp"

namespace rowmill::io {
namespace {

constexpr std::size_t kMaxWordBytes = std::size_t{1} << 16;
constexpr std::int64_t kBlockBytes = std::int64_t{4} << 20;
constexpr std::size_t kBufferBytes = std::size_t{1} << 16;

/// A stream that is read byte by byte or in bulk.
class Reader {
 public:
  explicit Reader(ByteStream& stream) : stream_(stream) {}

  [[nodiscard]] std::int64_t offset() const { return base_ + static_cast<std::int64_t>(at_); }

  /// The next byte, or -1 at the end.
  int next() {
    if (at_ == size_ && !fill()) return -1;
    return static_cast<unsigned char>(buffer_[at_++]);
  }
  [[nodiscard]] bool skip(char c) {
    if ((at_ == size_ && !fill()) || buffer_[at_] != c) return false;
    ++at_;
    return true;
  }
  [[nodiscard]] bool at_end() { return at_ == size_ && !fill(); }

  /// Fills `out`; false if there is not as much.
  bool read(std::span<std::byte> out) {
    while (!out.empty()) {
      if (at_ == size_ && !fill()) return false;
      const std::size_t count = std::min(out.size(), size_ - at_);
      std::memcpy(out.data(), buffer_.data() + at_, count);
      at_ += count;
      out = out.subspan(count);
    }
    return true;
  }

 private:
  bool fill() {
    base_ += static_cast<std::int64_t>(size_);
    at_ = 0;
    size_ = stream_.read(buffer_);
    return size_ > 0;
  }

  ByteStream& stream_;
  std::vector<char> buffer_ = std::vector<char>(kBufferBytes);
  std::size_t at_ = 0;
  std::size_t size_ = 0;
  std::int64_t base_ = 0;
};

/// Appends `count` floats, as far as the stream has them: memory for what a header claims is taken piece by piece.
bool read_floats(Reader& reader, std::int64_t count, std::vector<float>& values) {
  constexpr std::int64_t kPiece = kBufferBytes / sizeof(float);
  for (; count > 0; count -= kPiece) {
    const std::size_t have = values.size();
    values.resize(have + static_cast<std::size_t>(std::min(count, kPiece)));
    if (!reader.read(std::as_writable_bytes(std::span(values).subspan(have)))) return false;
  }
  return true;
}

CountsLine read_counts(ByteStream& stream, Reader& reader) {
  std::string line;
  for (int c = reader.next(); c != '\n'; c = reader.next()) {
    if (c < 0 || line.size() > 64) throw stream.bad(0, "expected a line 'WORDS DIM', the beginning of a word2vec file");
    line += static_cast<char>(c);
  }
  const std::optional<CountsLine> counts = parse_counts(line);
  if (!counts || counts->dim < 1 || counts->dim > kMaxDim) {
    throw stream.bad(0, "expected a line 'WORDS DIM', DIM of 1 .. " + std::to_string(kMaxDim));
  }
  return *counts;
}

std::string_view read_word(const ByteStream& stream, Reader& reader, std::int64_t number, std::string& word) {
  word.clear();
  while (reader.skip('\n')) {
  }
  const std::int64_t begin = reader.offset();
  const std::string name = "word " + std::to_string(number);
  for (int c = reader.next(); c != ' '; c = reader.next()) {
    if (c < 0) throw stream.bad(reader.offset(), "the file ends; expected " + name);
    if (word.size() == kMaxWordBytes) throw stream.bad(begin, name + " has more than 65536 bytes");
    word += static_cast<char>(c);
  }
  if (word.empty()) throw stream.bad(begin, name + " is empty");
  return word;
}

}  // namespace

WordVectors load_word2vec_binary(const std::filesystem::path& path, const LoadBinaryOptions& options) {
  ByteStream stream(path);
  refuse_foreign(stream.path(), stream.peek(8));
  Reader reader(stream);
  const CountsLine counts = read_counts(stream, reader);

  // Rows are gathered in blocks: what the header claims is not allocated before the file has shown it.
  const std::int64_t row_bytes = counts.dim * std::int64_t{sizeof(float)};
  const std::int64_t block_rows = std::max(kBlockBytes / row_bytes, std::int64_t{1});
  std::vector<RowBlock> blocks;
  std::string word;
  std::string replaced;
  for (std::int64_t r = 0; r < counts.words; ++r) {
    if (r % block_rows == 0) blocks.emplace_back();
    RowBlock& block = blocks.back();
    const std::int64_t offset = reader.offset();
    read_word(stream, reader, r, word);
    block.words.add(checked_word(word, options.invalid_utf8, replaced, stream.path(), offset));
    if (!read_floats(reader, counts.dim, block.values)) {
      throw stream.bad(reader.offset(), "the file ends in the vector of word " + std::to_string(r) + " of " +
                                            std::to_string(counts.words));
    }
  }
  static_cast<void>(reader.skip('\n'));
  if (!reader.at_end()) {
    throw stream.bad(reader.offset(), "the file goes on after its " + std::to_string(counts.words) + " vectors");
  }
  return assemble(blocks, counts.dim);
}

void save_word2vec_binary(const std::filesystem::path& path, const ConstTableView& table, const Vocabulary& words,
                          const SaveOptions& options) {
  check_word_vectors("save_word2vec_binary", table, words);
  for (std::int64_t r = 0; r < words.size(); ++r) {
    if (words[r].empty() || words[r].size() > kMaxWordBytes ||
        words[r].find_first_of(" \n") != std::string_view::npos) {
      throw Error(ErrorCode::invalid_argument, "rowmill: save_word2vec_binary: word " + std::to_string(r) + ", '" +
                                                   std::string(words[r].substr(0, 80)) +
                                                   "', is empty, too long, or holds a space or a newline");
    }
  }
  const std::int64_t row_bytes = table.dim() * std::int64_t{sizeof(float)};
  const std::string header = std::to_string(table.rows()) + " " + std::to_string(table.dim()) + "\n";
  const auto header_bytes = static_cast<std::int64_t>(header.size());
  const auto word_bytes = static_cast<std::int64_t>(words.bytes().size());
  NewFile file(path, header_bytes + word_bytes + table.rows() * (row_bytes + 2));
  file.write(0, std::as_bytes(std::span(header)));
  ProgressCount progress(options.progress, table.rows() * row_bytes);
  std::int64_t offset = header_bytes;
  std::string block;
  const auto flush = [&](std::int64_t rows) {
    file.write(offset, std::as_bytes(std::span(block)));
    offset += static_cast<std::int64_t>(block.size());
    block.clear();
    progress.add(rows * row_bytes);
  };
  std::int64_t pending = 0;
  std::vector<float> widened;
  for (std::int64_t r = 0; r < table.rows(); ++r, ++pending) {
    if (static_cast<std::int64_t>(block.size()) >= kBlockBytes) {
      flush(pending);
      pending = 0;
    }
    block += words[r];
    block += ' ';
    const std::span<const float> row = float_row(table, r, widened);
    block.append(reinterpret_cast<const char*>(row.data()), row.size_bytes());
    block += '\n';
  }
  flush(pending);
  file.commit(options.sync);
}

}  // namespace rowmill::io
