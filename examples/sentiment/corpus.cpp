// SPDX-License-Identifier: Apache-2.0
#include "corpus.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>

namespace sentiment {

std::vector<Text> read_corpus(const std::string& path) {
  std::vector<Text> texts;
  for_each_line(path, [&](const std::string& line, std::int64_t number) {
    const auto fail = [&](const std::string& what) { throw UserError(fmt::format("{}:{}: {}", path, number, what)); };
    const std::size_t tab = line.find('\t');
    if (tab == std::string::npos) fail("no label: expected label<TAB>text");
    const std::string label = line.substr(0, tab);
    if (label != "0" && label != "1") fail(fmt::format("label '{}' is neither 0 nor 1", label));
    texts.push_back({label == "1" ? 1 : 0, line.substr(tab + 1)});
  });
  if (texts.empty()) throw UserError(fmt::format("{}: the file is empty", path));
  return texts;
}

std::vector<Text> synthetic_corpus(std::int64_t count, std::uint64_t seed) {
  constexpr std::int64_t kWords = 9086;
  std::vector<double> cumulative;
  double total = 0;
  for (std::int64_t w = 0; w < kWords; ++w) cumulative.push_back(total += 1.0 / static_cast<double>(w + 1));

  // Only raw words of the generator: the standard distributions differ between libraries.
  std::mt19937_64 random(seed);
  const auto uniform = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
  const auto any_word = [&] {
    return std::lower_bound(cumulative.begin(), cumulative.end(), uniform() * total) - cumulative.begin();
  };
  std::vector<Text> texts;
  for (std::int64_t i = 0; i < count; ++i) {
    Text text{static_cast<int>(i % 2), {}};
    const std::uint64_t length = 3 + random() % 25;
    while (text.words.size() < 6 * length) {
      const std::int64_t word = any_word();
      // Every fourth word has a mood, the other one in turn; those that disagree with the label are rare.
      const bool has_mood = word % 4 == 1;
      const bool disagrees = has_mood && (word / 4 % 2 == 1) != (text.label == 1);
      if (disagrees && uniform() < 0.7) continue;
      text.words += fmt::format("w{:04} ", word);
    }
    texts.push_back(std::move(text));
  }
  return texts;
}

}  // namespace sentiment
