// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

#include "io/file/byte_stream.hpp"
#include "io/word_vectors/line_blocks.hpp"
#include "io/word_vectors/row_blocks.hpp"
#include "io/word_vectors/text.hpp"
#include "io/word_vectors/text_line.hpp"
#include "io/word_vectors/unused_option.hpp"

namespace rowmill::io {
namespace {

/// Room for the rows of a block. A number has at least two bytes, with its space: a wrong `dim` asks for no more memory
/// than a right one.
std::size_t most_values(std::string_view text, std::int64_t dim) {
  const auto bytes = static_cast<std::int64_t>(text.size());
  return static_cast<std::size_t>(std::min(std::ranges::count(text, '\n'), bytes / (2 * dim)) * dim);
}

RowBlock parse_block(const LineBlock& block, std::int64_t dim, InvalidUtf8 policy, const ByteStream& stream) {
  RowBlock rows;
  rows.values.reserve(most_values(block.text, dim));
  std::string replaced;
  for_each_line(block, [&](std::string_view line, std::int64_t offset) {
    // A line that is too short for its numbers gets no memory for them: the dim may be a header's lie.
    if (static_cast<std::int64_t>(line.size()) < 2 * dim) throw stream.bad(offset, too_few_numbers(line, dim));
    const std::size_t have = rows.values.size();
    rows.values.resize(have + static_cast<std::size_t>(dim));
    std::string_view word;
    const std::string error = parse_line(line, dim, word, rows.values.data() + have);
    if (!error.empty()) throw stream.bad(offset, error);
    rows.words.add(checked_word(word, policy, replaced, stream.path(), offset));
  });
  return rows;
}

/// Takes the header line off the first block, if there is one.
std::optional<CountsLine> take_header(LineBlock& block, const LoadTextOptions& options, const ByteStream& stream) {
  if (options.header == HeaderLine::absent) return std::nullopt;
  const std::size_t end = block.text.find('\n');
  const std::optional<CountsLine> counts = parse_counts(std::string_view(block.text).substr(0, end));
  const bool fits = counts && (options.dim == 0 || options.dim == counts->dim);
  if (options.header == HeaderLine::automatic && !fits) return std::nullopt;
  if (!counts) throw stream.bad(0, "expected a header line, 'WORDS DIM'");
  if (!fits) {
    throw stream.bad(0, "the header says that vectors have " + std::to_string(counts->dim) + " numbers; expected " +
                            std::to_string(options.dim));
  }
  if (counts->dim < 1 || counts->dim > kMaxDim) {
    throw stream.bad(0, "the header says that vectors have " + std::to_string(counts->dim) +
                            " numbers; allowed: 1 .. " + std::to_string(kMaxDim));
  }
  block.text.erase(0, end + 1);
  block.offset += static_cast<std::int64_t>(end) + 1;
  return counts;
}

/// What comes by a pipe is text, as far as file_kind() can tell. Where this is a guess, the lines decide.
void refuse_other_kinds(ByteStream& stream) {
  const std::string_view start = stream.peek(kKindBytes);
  refuse_foreign(stream.path(), start);
  const FileKind kind = kind_of_start(start).value_or(FileKind::text);
  if (kind != FileKind::npy && kind != FileKind::safetensors) return;
  throw stream.bad(0, "holds " + std::string(description(kind)) + ", which is not text, and is not read from a pipe");
}

void check_options(const LoadTextOptions& options) {
  if (options.dim < 0 || options.dim > kMaxDim) {
    throw Error(ErrorCode::invalid_argument, "rowmill: load_text_vectors: dim is " + std::to_string(options.dim) +
                                                 "; allowed: 0 .. " + std::to_string(kMaxDim));
  }
}

}  // namespace

WordVectors load_text_vectors(const std::filesystem::path& path, const LoadTextOptions& options) {
  check_options(options);
  ByteStream stream(path);
  return load_text(stream, options, LineBlocks::kFirstBytes);
}

WordVectors load_text(ByteStream& stream, const LoadTextOptions& options, std::size_t first_bytes) {
  refuse_other_kinds(stream);
  LineBlocks blocks(stream, first_bytes);
  std::optional<LineBlock> first = blocks.next();
  if (!first) throw stream.bad(0, "the file is empty; expected vectors as text");

  const std::optional<CountsLine> header = take_header(*first, options, stream);
  std::int64_t dim = header ? header->dim : options.dim;
  if (dim == 0) {
    const std::string_view text = first->text;
    dim = numbers_at_end(text.substr(0, text.find_first_of("\r\n")));
    if (dim == 0 || dim > kMaxDim) throw stream.bad(0, "expected a word and numbers, separated by spaces");
  }
  blocks.put_back(std::move(*first));

  std::vector<RowBlock> rows;
  std::mutex mutex;
  for_each_block(blocks, [&](std::int64_t i, const LineBlock& block) {
    RowBlock parsed = parse_block(block, dim, options.invalid_utf8, stream);
    const std::lock_guard lock(mutex);
    const auto at = static_cast<std::size_t>(i);
    if (rows.size() <= at) rows.resize(at + 1);
    rows[at] = std::move(parsed);
  });
  std::int64_t count = 0;
  for (const RowBlock& block : rows) count += block.words.size();
  if (header && header->words != count) {
    throw stream.bad(
        0, "the header says " + std::to_string(header->words) + " words; the file has " + std::to_string(count));
  }
  return assemble(rows, dim);
}

}  // namespace rowmill::io
