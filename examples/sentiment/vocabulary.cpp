// SPDX-License-Identifier: Apache-2.0
#include "vocabulary.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sentiment {
namespace {

bool is_word_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '@';
}

}  // namespace

std::vector<std::string> tokenize(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  std::vector<std::string> tokens;
  for (std::size_t i = 0; i < lower.size();) {
    if (static_cast<unsigned char>(lower[i]) <= ' ') {
      ++i;
      continue;
    }
    std::size_t end = i + 1;
    if (is_word_byte(lower[i])) {
      while (end < lower.size() && (is_word_byte(lower[end]) ||
                                    (lower[end] == '\'' && end + 1 < lower.size() && is_word_byte(lower[end + 1])))) {
        ++end;
      }
    }
    tokens.push_back(lower.substr(i, end - i));
    i = end;
  }
  return tokens;
}

Vocabulary::Vocabulary(const std::vector<Text>& texts, std::int64_t size, std::int64_t min_count) {
  std::unordered_map<std::string, std::int64_t> counts;
  for (const Text& text : texts) {
    for (std::string& token : tokenize(text.words)) ++counts[std::move(token)];
  }
  std::vector<std::pair<std::int64_t, std::string>> by_count;
  for (const auto& [word, count] : counts) {
    if (count >= min_count) by_count.emplace_back(-count, word);
  }
  std::sort(by_count.begin(), by_count.end());
  words_ = {"<pad>", "<unk>"};
  for (auto& [count, word] : by_count) {
    if (static_cast<std::int64_t>(words_.size()) == size) break;
    words_.push_back(std::move(word));
  }
  for (std::size_t i = 0; i < words_.size(); ++i) ids_[words_[i]] = static_cast<std::int32_t>(i);
}

Vocabulary::Vocabulary(std::vector<std::string> words) : words_(std::move(words)) {
  for (std::size_t i = 0; i < words_.size(); ++i) {
    if (!ids_.emplace(words_[i], static_cast<std::int32_t>(i)).second) {
      throw UserError(fmt::format("word list: '{}' stands in it twice", words_[i]));
    }
  }
}

std::int32_t Vocabulary::id(const std::string& word) const {
  const auto found = ids_.find(word);
  return found == ids_.end() ? kUnknown : found->second;
}

EncodedCorpus::EncodedCorpus(const std::vector<Text>& texts, const Vocabulary& vocabulary) {
  for (const Text& text : texts) {
    std::vector<std::string> tokens = tokenize(text.words);
    for (const std::string& token : tokens) ids.push_back(vocabulary.id(token));
    if (tokens.empty()) ids.push_back(kUnknown);
    begin.push_back(static_cast<std::int64_t>(ids.size()));
    labels.push_back(text.label);
  }
}

}  // namespace sentiment
