// SPDX-License-Identifier: Apache-2.0
// Which words are kept, and how negative samples are drawn: numbers that follow from the counts alone.
#pragma once

#include <cstdint>
#include <span>

namespace rowmill::word_vectors {

inline constexpr std::int64_t kLeastBatch = 4;

/// keep[w]: word w is kept where a random word of 32 bits is at most this. With f the word's share of the corpus, the
/// probability is (sqrt(f / sample) + 1) * sample / f, as in word2vec; or 1, for a sample of 0.
void make_keep(std::span<const std::int64_t> counts, double sample, std::uint32_t* keep);

/// The batch that a corpus bears: 1,024 words, halved while it is more than 2 (CBOW) or 1 (skip-gram) times
/// 0.05 / alpha times the number of words that as many equally frequent ones would be: 1 / (the sum of the squares of
/// their shares of the words that are kept). A row then gets so few gradients of a batch that their sum does not
/// overshoot. Training diverged from about 5 and 3 times on.
std::int64_t choose_batch(std::span<const std::int64_t> counts, const std::uint32_t* keep, double alpha, bool cbow);

/// A slot of an alias table (Walker, 1977): slot w stands for word w where a random word is at most `most`, else for
/// `other`.
struct Alias {
  std::uint32_t most;
  std::int32_t other;
};

/// An alias table of the distribution count^0.75, which is sqrt(count) * sqrt(sqrt(count)), by Vose's algorithm.
/// `shares` and `work` have room for counts.size() elements each.
void make_aliases(std::span<const std::int64_t> counts, Alias* aliases, double* shares, std::int32_t* work);

/// The word that two random words of 32 bits draw from an alias table of `words` slots.
inline std::int32_t draw(const Alias* aliases, std::uint64_t words, std::uint32_t slot, std::uint32_t coin) {
  const auto w = static_cast<std::int32_t>((slot * words) >> 32);
  return coin <= aliases[w].most ? w : aliases[w].other;
}

}  // namespace rowmill::word_vectors
