// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "corpus.hpp"

namespace sentiment {

inline constexpr std::int32_t kPadding = 0;
inline constexpr std::int32_t kUnknown = 1;

/// Lower-cased (ASCII) words and punctuation marks, in order. Letters of other scripts belong to words; so do digits,
/// '_' and '@', and an apostrophe between letters.
std::vector<std::string> tokenize(std::string_view text);

/// Words and their ids: padding, unknown, then the words by falling frequency, ties in alphabetical order.
class Vocabulary {
 public:
  /// The most frequent words of `texts` that occur `min_count` times, at most `size` ids in all.
  Vocabulary(const std::vector<Text>& texts, std::int64_t size, std::int64_t min_count);
  /// The words of a saved vocabulary, in order of their ids. Throws UserError if one stands there twice.
  explicit Vocabulary(std::vector<std::string> words);

  [[nodiscard]] const std::vector<std::string>& words() const { return words_; }
  [[nodiscard]] std::int32_t id(const std::string& word) const;

 private:
  std::vector<std::string> words_;
  std::unordered_map<std::string, std::int32_t> ids_;
};

/// Texts as ids: text i is ids[begin[i]] .. ids[begin[i+1] - 1], and is not empty (a text without words is unknown).
struct EncodedCorpus {
  std::vector<std::int32_t> ids;
  std::vector<std::int64_t> begin = {0};
  std::vector<int> labels;

  EncodedCorpus(const std::vector<Text>& texts, const Vocabulary& vocabulary);

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(labels.size()); }
  [[nodiscard]] std::span<const std::int32_t> text(std::int64_t i) const {
    const auto at = static_cast<std::size_t>(i);
    return std::span(ids).subspan(static_cast<std::size_t>(begin[at]),
                                  static_cast<std::size_t>(begin[at + 1] - begin[at]));
  }
};

}  // namespace sentiment
