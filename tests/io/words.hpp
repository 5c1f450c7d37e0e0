// SPDX-License-Identifier: Apache-2.0
// What the tests of word vectors share.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "rowmill/io/word_vectors.hpp"
#include "tests/io/support.hpp"

namespace rowmill::io::test {

using Words = std::vector<std::string>;

inline Words strings(const Vocabulary& words) {
  Words all;
  for (std::int64_t r = 0; r < words.size(); ++r) all.emplace_back(words[r]);
  return all;
}

/// A table that spans many blocks, with words of many lengths.
inline WordVectors large(std::int64_t rows, std::int64_t dim) {
  WordVectors vectors{.words = {}, .table = Table(rows, dim, {.initializer = Initializer::normal(0, 1), .seed = 5})};
  for (std::int64_t r = 0; r < rows; ++r) {
    std::string word(1, 'w');
    word.append(static_cast<std::size_t>(r % 13), 'x');
    vectors.words.add(word + std::to_string(r));
  }
  vectors.table.data()[0] = -0.0F;
  vectors.table.data()[1] = 1e-42F;
  vectors.table.data()[2] = -std::numeric_limits<float>::infinity();
  return vectors;
}

}  // namespace rowmill::io::test
