// SPDX-License-Identifier: Apache-2.0
#include "io/word_vectors/row_blocks.hpp"

#include <utf8.h>

#include <algorithm>
#include <charconv>
#include <iterator>

#include "kernels/core/checks.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/table/rows.hpp"
#include "kernels/table/uninitialized.hpp"
#include "rowmill/convert.hpp"

namespace rowmill::io {

WordVectors assemble(std::vector<RowBlock>& blocks, std::int64_t dim) {
  std::vector<std::int64_t> first_row;
  WordVectors whole;
  for (const RowBlock& block : blocks) {
    first_row.push_back(whole.words.size());
    for (std::int64_t r = 0; r < block.words.size(); ++r) whole.words.add(block.words[r]);
  }
  whole.table = uninitialized_table(whole.words.size(), dim, {});
  const std::int64_t bytes = whole.table.rows() * dim * std::int64_t{sizeof(float)};
  parallel_tasks(concurrency_for(bytes), static_cast<std::int64_t>(blocks.size()), [&](std::int64_t b) {
    RowBlock block = std::move(blocks[static_cast<std::size_t>(b)]);
    std::ranges::copy(block.values, whole.table.data() + first_row[static_cast<std::size_t>(b)] * dim);
  });
  return whole;
}

std::string_view checked_word(std::string_view word, InvalidUtf8 policy, std::string& replaced,
                              const std::filesystem::path& path, std::int64_t offset) {
  if (policy == InvalidUtf8::keep || utf8::is_valid(word.begin(), word.end())) return word;
  if (policy == InvalidUtf8::refuse) throw FileError(ErrorCode::bad_file, path, offset, "a word that is not UTF-8");
  replaced.clear();
  utf8::replace_invalid(word.begin(), word.end(), std::back_inserter(replaced));
  return replaced;
}

void check_word_count(std::string_view operation, const ConstTableView& table, const Vocabulary& words) {
  if (words.size() == table.rows()) return;
  throw Error(ErrorCode::invalid_argument, "rowmill: " + std::string(operation) + ": " + std::to_string(words.size()) +
                                               " words for a table of " + std::to_string(table.rows()) +
                                               " rows; expected one for each row");
}

void check_word_vectors(std::string_view operation, const ConstTableView& table, const Vocabulary& words) {
  check_view(operation, "table", table);
  if (table.format() == Format::f64) {
    throw Error(ErrorCode::invalid_argument,
                "rowmill: " + std::string(operation) + ": " + describe("table", table) +
                    " has format f64, and word vectors are saved as floats: make it a table of floats first, by "
                    "convert(), or by `rowmill convert --format f32`");
  }
  check_format(operation, "table", table, kLookupFormats);
  check_has_columns(operation, "table", table);
  check_word_count(operation, table, words);
}

std::span<const float> float_row(const ConstTableView& table, std::int64_t r, std::vector<float>& widened) {
  if (table.format() == Format::f32) return table.row(r);
  widened.resize(static_cast<std::size_t>(table.dim()));
  convert(some_rows(table, r, 1), TableView(widened.data(), 1, table.dim()));
  return widened;
}

std::optional<CountsLine> parse_counts(std::string_view line) {
  CountsLine counts;
  const char* const end = line.data() + line.size();
  const auto [after_words, words_error] = std::from_chars(line.data(), end, counts.words);
  if (words_error != std::errc() || after_words == end || *after_words != ' ') return std::nullopt;
  const auto [after_dim, dim_error] = std::from_chars(after_words + 1, end, counts.dim);
  if (dim_error != std::errc() || counts.words < 0 || counts.dim < 0) return std::nullopt;
  const bool ends = std::all_of(after_dim, end, [](char c) { return c == ' ' || c == '\r'; });
  return ends ? std::optional(counts) : std::nullopt;
}

}  // namespace rowmill::io
