// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>

#include "io/file/gzip.hpp"
#include "io/file/parallel.hpp"
#include "io/file/transfer.hpp"
#include "io/word_vectors/line_blocks.hpp"
#include "io/word_vectors/row_blocks.hpp"
#include "io/word_vectors/text_line.hpp"
#include "kernels/core/checks.hpp"

namespace rowmill::io {
namespace {

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

void check_text_word(std::string_view word, std::int64_t row, bool begins_file) {
  const std::size_t space = word.rfind(' ');
  float number = 0;
  const char* problem = nullptr;
  if (word.empty()) problem = "is empty";
  if (word.starts_with(' ') || word.ends_with(' ')) problem = "begins or ends with a space";
  if (word.find('\n') != std::string_view::npos) problem = "holds a line's end";
  if (space != std::string_view::npos && parse_number(word.substr(space + 1), number)) problem = "ends with a number";
  if (begins_file && word.starts_with(kByteOrderMark)) problem = "begins the file with a byte order mark";
  if (problem == nullptr) return;
  throw Error(ErrorCode::invalid_argument, "rowmill: save_text_vectors: word " + std::to_string(row) + ", '" +
                                               std::string(word) + "', " + problem + ": it could not be read back");
}

/// A header line alone says the dim of a table without rows, and that a first line of two whole numbers is none.
void check_needs_no_header(const ConstTableView& table, const Vocabulary& words) {
  const auto fail = [&](const std::string& why) {
    throw Error(ErrorCode::invalid_argument, "rowmill: save_text_vectors: " + describe("table", table) + " " + why +
                                                 ": without a header line (.glove) it could not be read back");
  };
  if (table.rows() == 0) fail("has no rows");
  if (table.dim() > 1) return;
  std::vector<float> widened;
  std::string line;
  append_line(line, words[0], float_row(table, 0, widened));
  line.pop_back();
  if (parse_counts(line)) fail("begins with a line '" + line + "', which looks like a header line");
}

/// Writes blocks in order, which come in any.
class InOrder {
 public:
  InOrder(const NewFile& file, ProgressCount& progress) : file_(file), progress_(progress) {}

  /// Block i, which stands for so many bytes of progress. Throws what the file and the progress callback throw.
  void put(std::int64_t i, std::string bytes, std::int64_t progress) {
    const std::lock_guard lock(mutex_);
    waiting_.emplace(i, Block{std::move(bytes), progress});
    for (auto block = waiting_.find(next_); block != waiting_.end(); block = waiting_.find(++next_)) {
      file_.write(offset_, std::as_bytes(std::span(block->second.bytes)));
      offset_ += static_cast<std::int64_t>(block->second.bytes.size());
      progress_.add(block->second.progress);
      waiting_.erase(block);
    }
  }

 private:
  struct Block {
    std::string bytes;
    std::int64_t progress;
  };

  const NewFile& file_;
  ProgressCount& progress_;
  std::mutex mutex_;
  std::map<std::int64_t, Block> waiting_;
  std::int64_t next_ = 0;
  std::int64_t offset_ = 0;
};

}  // namespace

void save_text_vectors(const std::filesystem::path& path, const ConstTableView& table, const Vocabulary& words,
                       const SaveTextOptions& options) {
  check_word_vectors("save_text_vectors", table, words);
  if (!options.header) check_needs_no_header(table, words);
  for (std::int64_t r = 0; r < words.size(); ++r) check_text_word(words[r], r, r == 0 && !options.header);

  const bool packs = path.extension() == ".gz";
  const std::int64_t row_bytes = table.dim() * std::int64_t{sizeof(float)};
  NewFile file(path);
  ProgressCount progress(options.save.progress, table.rows() * row_bytes);
  InOrder out(file, progress);
  const auto put = [&](std::int64_t i, std::string text, std::int64_t rows) {
    out.put(i, packs ? gzip_member(text) : std::move(text), rows * row_bytes);
  };
  put(0, options.header ? std::to_string(table.rows()) + " " + std::to_string(table.dim()) + "\n" : "", 0);

  // Some blocks at a time, so that those which wait for one before them are few.
  constexpr std::int64_t kTextBlockBytes = std::int64_t{1} << 18;
  const std::int64_t block_rows = std::max(kTextBlockBytes / row_bytes, std::int64_t{1});
  const std::int64_t blocks = (table.rows() + block_rows - 1) / block_rows;
  const std::int64_t threads = concurrency_for(std::numeric_limits<std::int64_t>::max());
  const std::int64_t at_once = 16 * threads;
  for (std::int64_t first = 0; first < blocks; first += at_once) {
    parallel_that_throws(threads, std::min(at_once, blocks - first), [&](std::int64_t i) {
      const std::int64_t begin = (first + i) * block_rows;
      const std::int64_t end = std::min(begin + block_rows, table.rows());
      std::string text;
      std::vector<float> widened;
      for (std::int64_t r = begin; r < end; ++r) append_line(text, words[r], float_row(table, r, widened));
      put(1 + first + i, std::move(text), end - begin);
    });
  }
  file.commit(options.save.sync);
}

}  // namespace rowmill::io
