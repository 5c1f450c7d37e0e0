// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rowmill/config.hpp"

namespace rowmill::io {

/// The words of a table: row r stands for word r. Words are bytes; nothing here assumes an encoding. A word may stand
/// twice, as it does in some published files: WordIndex then gives its first row.
class Vocabulary {
 public:
  Vocabulary() = default;
  template <class Words>
  explicit Vocabulary(const Words& words) {
    for (const auto& word : words) add(word);
  }
  /// Word r is bytes[begin[r]] .. bytes[begin[r+1] - 1]. Throws Error (invalid_argument) unless `begin` starts with 0,
  /// never falls, and ends with bytes.size().
  Vocabulary(std::string bytes, std::vector<std::int64_t> begin);

  /// Whether the constructor takes these beginnings of words for so many bytes.
  [[nodiscard]] static bool are_beginnings(std::span<const std::int64_t> begin, std::int64_t bytes);

  void add(std::string_view word);

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(begin_.size()) - 1; }
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] std::string_view operator[](std::int64_t row) const {
    const auto r = static_cast<std::size_t>(row);
    return std::string_view(bytes_).substr(static_cast<std::size_t>(begin_[r]),
                                           static_cast<std::size_t>(begin_[r + 1] - begin_[r]));
  }

  /// All words, one after another, and where each begins; size() + 1 values.
  [[nodiscard]] std::string_view bytes() const { return bytes_; }
  [[nodiscard]] std::span<const std::int64_t> begin() const { return begin_; }

 private:
  std::string bytes_;
  std::vector<std::int64_t> begin_ = {0};
};

/// Finds the rows of words, in logarithmic time, whatever the words are. It refers to its vocabulary, which must
/// outlive it and not change meanwhile.
class WordIndex {
 public:
  explicit WordIndex(const Vocabulary& words);

  /// The first row of this word, if it has one.
  [[nodiscard]] std::optional<std::int64_t> find(std::string_view word) const;

 private:
  const Vocabulary* words_;
  std::vector<std::int64_t> rows_;  // in the order of their words' bytes, and of rows for the same word
};

}  // namespace rowmill::io
