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

/// The largest batch with which training does not diverge, because no row gets too many gradients at once:
///
///     effective_words = 1 / sum over words of (share of the kept words)^2
///     batch = 1,024, halved while it is above (cbow ? 2 : 1) * 0.05 / alpha * effective_words
///
/// In experiments training diverged from a factor of about 5 (CBOW) and 3 (skip-gram) on.
std::int64_t choose_batch(std::span<const std::int64_t> counts, const std::uint32_t* keep, double alpha, bool cbow);

/// A slot of an alias table (Walker, 1977): slot w stands for word w if a random word is at most `most`, and otherwise
/// for `other`.
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
