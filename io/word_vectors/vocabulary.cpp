// SPDX-License-Identifier: Apache-2.0
#include "rowmill/io/vocabulary.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "rowmill/error.hpp"

namespace rowmill::io {

Vocabulary::Vocabulary(std::string bytes, std::vector<std::int64_t> begin)
    : bytes_(std::move(bytes)), begin_(std::move(begin)) {
  if (!are_beginnings(begin_, static_cast<std::int64_t>(bytes_.size()))) {
    throw Error(ErrorCode::invalid_argument,
                "rowmill: vocabulary: the beginnings of its words must start with 0, never "
                "fall, and end with the number of bytes, " +
                    std::to_string(bytes_.size()));
  }
}

bool Vocabulary::are_beginnings(std::span<const std::int64_t> begin, std::int64_t bytes) {
  return !begin.empty() && begin.front() == 0 && begin.back() == bytes && std::ranges::is_sorted(begin);
}

void Vocabulary::add(std::string_view word) {
  bytes_ += word;
  begin_.push_back(static_cast<std::int64_t>(bytes_.size()));
}

// Sorted, not hashed: words of a file can be chosen to collide.
WordIndex::WordIndex(const Vocabulary& words) : words_(&words), rows_(static_cast<std::size_t>(words.size())) {
  std::iota(rows_.begin(), rows_.end(), 0);
  std::ranges::sort(rows_, {}, [&](std::int64_t r) { return std::pair(words[r], r); });
}

std::optional<std::int64_t> WordIndex::find(std::string_view word) const {
  const auto word_of = [&](std::int64_t r) { return (*words_)[r]; };
  const auto found = std::ranges::lower_bound(rows_, word, {}, word_of);
  if (found == rows_.end() || word_of(*found) != word) return std::nullopt;
  return *found;
}

}  // namespace rowmill::io
