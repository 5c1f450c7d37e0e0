// SPDX-License-Identifier: Apache-2.0
#include "io/word_vectors/text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "io/file/byte_stream.hpp"
#include "io/file/parallel.hpp"
#include "io/file/transfer.hpp"
#include "io/word_vectors/line_blocks.hpp"
#include "io/word_vectors/row_blocks.hpp"
#include "io/word_vectors/text_line.hpp"
#include "kernels/core/checks.hpp"

namespace rowmill::io {
namespace {

/// Blocks that are in work at the same time: enough that threads which finish early find another.
std::int64_t blocks_at_once() { return 4 * std::int64_t{tbb::this_task_arena::max_concurrency()}; }

/// Every block is work for a thread of its own.
std::int64_t all_threads() { return concurrency_for(std::numeric_limits<std::int64_t>::max()); }

RowBlock parse_block(const LineBlock& block, std::int64_t dim, InvalidUtf8 policy, const ByteStream& stream) {
  RowBlock rows;
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

void check_options(const LoadTextOptions& options) {
  if (options.dim < 0 || options.dim > kMaxDim) {
    throw Error(ErrorCode::invalid_argument, "rowmill: load_text_vectors: dim is " + std::to_string(options.dim) +
                                                 "; allowed: 0 .. " + std::to_string(kMaxDim));
  }
}

void append_line(std::string& text, std::string_view word, std::span<const float> values) {
  text += word;
  for (const float value : values) {
    char number[32];
    const auto [end, error] =
        std::to_chars(number, number + sizeof number, std::isnan(value) ? std::abs(value) : value);
    text += ' ';
    text.append(number, end);
  }
  text += '\n';
}

void check_text_word(std::string_view word, std::int64_t row) {
  const std::size_t space = word.rfind(' ');
  float number = 0;
  const char* problem = nullptr;
  if (word.empty()) problem = "is empty";
  if (word.starts_with(' ') || word.ends_with(' ')) problem = "begins or ends with a space";
  if (word.find('\n') != std::string_view::npos) problem = "holds a line's end";
  if (space != std::string_view::npos && parse_number(word.substr(space + 1), number)) problem = "ends with a number";
  if (problem == nullptr) return;
  throw Error(ErrorCode::invalid_argument, "rowmill: save_text_vectors: word " + std::to_string(row) + ", '" +
                                               std::string(word) + "', " + problem + ": it could not be read back");
}

}  // namespace

WordVectors load_text_vectors(const std::filesystem::path& path, const LoadTextOptions& options) {
  check_options(options);
  ByteStream stream(path);
  return load_text(stream, options, LineBlocks::kFirstBytes);
}

WordVectors load_text(ByteStream& stream, const LoadTextOptions& options, std::size_t first_bytes) {
  refuse_foreign(stream.path(), stream.peek(8));
  LineBlocks lines(stream, first_bytes);
  std::vector<LineBlock> blocks = lines.next(blocks_at_once());
  if (blocks.empty()) throw stream.bad(0, "the file is empty; expected vectors as text");

  const std::optional<CountsLine> header = take_header(blocks.front(), options, stream);
  std::int64_t dim = header ? header->dim : options.dim;
  if (dim == 0) {
    const std::string_view text = blocks.front().text;
    dim = numbers_at_end(text.substr(0, text.find_first_of("\r\n")));
    if (dim == 0 || dim > kMaxDim) throw stream.bad(0, "expected a word and numbers, separated by spaces");
  }

  std::vector<RowBlock> rows;
  std::int64_t count = 0;
  for (; !blocks.empty(); blocks = lines.next(blocks_at_once())) {
    std::vector<RowBlock> parsed(blocks.size());
    parallel_that_throws(all_threads(), static_cast<std::int64_t>(blocks.size()), [&](std::int64_t i) {
      const auto b = static_cast<std::size_t>(i);
      parsed[b] = parse_block(blocks[b], dim, options.invalid_utf8, stream);
    });
    for (RowBlock& block : parsed) {
      count += block.words.size();
      rows.push_back(std::move(block));
    }
  }
  if (header && header->words != count) {
    throw stream.bad(
        0, "the header says " + std::to_string(header->words) + " words; the file has " + std::to_string(count));
  }
  return assemble(rows, dim);
}

void save_text_vectors(const std::filesystem::path& path, const ConstTableView& table, const Vocabulary& words,
                       const SaveTextOptions& options) {
  check_view("save_text_vectors", "table", table);
  check_word_count("save_text_vectors", table, words);
  for (std::int64_t r = 0; r < words.size(); ++r) check_text_word(words[r], r);

  NewFile file(path);
  std::int64_t offset = 0;
  if (options.header) {
    const std::string header = std::to_string(table.rows()) + " " + std::to_string(table.dim()) + "\n";
    file.write(0, std::as_bytes(std::span(header)));
    offset += static_cast<std::int64_t>(header.size());
  }
  const std::int64_t row_bytes = table.dim() * std::int64_t{sizeof(float)};
  ProgressCount progress(options.save.progress, table.rows() * row_bytes);
  const std::int64_t block_rows = std::max((std::int64_t{1} << 20) / row_bytes, std::int64_t{1});
  for (std::int64_t first = 0; first < table.rows();) {
    const std::int64_t blocks = std::min(blocks_at_once(), (table.rows() - first + block_rows - 1) / block_rows);
    std::vector<std::string> texts(static_cast<std::size_t>(blocks));
    parallel_that_throws(all_threads(), blocks, [&](std::int64_t b) {
      const std::int64_t begin = first + b * block_rows;
      const std::int64_t end = std::min(begin + block_rows, table.rows());
      std::vector<float> widened;
      for (std::int64_t r = begin; r < end; ++r)
        append_line(texts[static_cast<std::size_t>(b)], words[r], float_row(table, r, widened));
    });
    for (const std::string& text : texts) {
      file.write(offset, std::as_bytes(std::span(text)));
      offset += static_cast<std::int64_t>(text.size());
    }
    const std::int64_t next = std::min(first + blocks * block_rows, table.rows());
    progress.add((next - first) * row_bytes);
    first = next;
  }
  file.commit(options.save.sync);
}

}  // namespace rowmill::io
