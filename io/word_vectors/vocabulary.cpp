// SPDX-License-Identifier: Apache-2.0
#include "rowmill/io/vocabulary.hpp"

#include <algorithm>

#include "rowmill/error.hpp"

namespace rowmill::io {

Vocabulary::Vocabulary(std::string bytes, std::vector<std::int64_t> begin)
    : bytes_(std::move(bytes)), begin_(std::move(begin)) {
  if (begin_.empty() || begin_.front() != 0 || begin_.back() != static_cast<std::int64_t>(bytes_.size()) ||
      !std::ranges::is_sorted(begin_)) {
    throw Error(ErrorCode::invalid_argument,
                "rowmill: vocabulary: the beginnings of its words must start with 0, never "
                "fall, and end with the number of bytes, " +
                    std::to_string(bytes_.size()));
  }
}

void Vocabulary::add(std::string_view word) {
  bytes_ += word;
  begin_.push_back(static_cast<std::int64_t>(bytes_.size()));
}

WordIndex::WordIndex(const Vocabulary& words) {
  rows_.reserve(static_cast<std::size_t>(words.size()));
  for (std::int64_t r = 0; r < words.size(); ++r) rows_.emplace(words[r], r);  // keeps the first
}

}  // namespace rowmill::io
