// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lines.hpp"

namespace sentiment {

struct Text {
  int label;  ///< 1 positive, 0 negative
  std::string words;
};

/// Reads lines of `label<TAB>text`. Throws UserError that names the file, and the line where there is one, if the file
/// is missing, empty or not UTF-8, or if a line has no label 0 or 1.
std::vector<Text> read_corpus(const std::string& path);

/// Texts of the shape of the real ones: `count` texts, half of each label, of 3 to 27 words out of 9086 whose
/// frequencies follow Zipf's law; every fourth word leans to a label. A pure function of its arguments.
std::vector<Text> synthetic_corpus(std::int64_t count, std::uint64_t seed);

}  // namespace sentiment
