// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rowmill/io/word_vectors.hpp"

namespace rowmill::io {

/// Rows that were read, with their words, before it is known how many there will be.
struct RowBlock {
  std::vector<float> values;
  Vocabulary words;
};

/// Puts the blocks together, on all threads, and frees each when it is copied. Throws Error (out_of_memory).
[[nodiscard]] WordVectors assemble(std::vector<RowBlock>& blocks, std::int64_t dim);

/// The word as the option wants it. Throws FileError (bad_file) at `offset` if it is not UTF-8 and has to be.
[[nodiscard]] std::string_view checked_word(std::string_view word, InvalidUtf8 policy, std::string& replaced,
                                            const std::filesystem::path& path, std::int64_t offset);

/// One word for each row. Throws Error (invalid_argument).
void check_word_count(std::string_view operation, const ConstTableView& table, const Vocabulary& words);

/// The same, and the table can be saved as word vectors, which are floats.
void check_word_vectors(std::string_view operation, const ConstTableView& table, const Vocabulary& words);

/// Row r as floats: the row itself, or a copy in `widened`.
[[nodiscard]] std::span<const float> float_row(const ConstTableView& table, std::int64_t r,
                                               std::vector<float>& widened);

/// "WORDS DIM" of the header line of a word2vec file.
struct CountsLine {
  std::int64_t words = 0;
  std::int64_t dim = 0;
};
/// Nothing, if the line is not two whole numbers.
[[nodiscard]] std::optional<CountsLine> parse_counts(std::string_view line);

/// The largest dim that a header may claim: what a row needs must be a size.
inline constexpr std::int64_t kMaxDim = std::int64_t{1} << 24;

}  // namespace rowmill::io
