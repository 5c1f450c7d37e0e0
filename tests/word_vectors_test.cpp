// SPDX-License-Identifier: Apache-2.0
#include "rowmill/word_vectors.hpp"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/data.hpp"
#include "tests/support/isa_test.hpp"

namespace rowmill::test {
namespace {

/// Sentences of words that are the rarer the higher their number.
struct Corpus {
  std::vector<std::int64_t> counts;
  std::vector<std::int32_t> words;

  Corpus(std::int64_t vocabulary, std::int64_t size, std::uint64_t seed)
      : counts(static_cast<std::size_t>(vocabulary), 1) {
    std::mt19937_64 random(seed);
    const auto below = [&](std::int64_t n) {
      return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n));
    };
    for (std::int64_t i = 0; i < size; ++i) {
      if (below(12) == 0) {
        words.push_back(kSentenceEnd);
      } else {
        const auto word = static_cast<std::int32_t>(below(below(vocabulary) + 1));
        words.push_back(word);
        ++counts[static_cast<std::size_t>(word)];
      }
    }
  }
};

/// Trains all epochs, with the corpus in pieces that begin where `cuts` says.
template <class Cut>
WordVectorTrainer trained(const Corpus& corpus, const WordVectorOptions& options, Cut piece) {
  WordVectorTrainer trainer(corpus.counts, options);
  for (int epoch = 0; epoch < options.epochs; ++epoch) {
    for (std::span<const std::int32_t> rest = corpus.words; !rest.empty();) {
      const std::size_t size = std::min<std::size_t>(piece(), rest.size());
      trainer.train(rest.first(size));
      rest = rest.subspan(size);
    }
    trainer.end_epoch();
  }
  return trainer;
}
WordVectorTrainer trained(const Corpus& corpus, const WordVectorOptions& options) {
  return trained(corpus, options, [&] { return corpus.words.size(); });
}

class WordVectorsTest : public IsaTest {};
ROWMILL_INSTANTIATE_ISA_TEST(WordVectorsTest);

TEST_P(WordVectorsTest, HasTheBitsOfTheReference) {
  for (const WordVectorModel model : {WordVectorModel::cbow, WordVectorModel::skip_gram}) {
    for (const std::int64_t dim : {1, 17, 100}) {
      const Corpus corpus(300, 5000, 1);
      const WordVectorOptions options{.model = model, .dim = dim, .sample = 1e-2, .epochs = 2};
      const ScopedIsa scalar(supported_kernels().back());
      const WordVectorTrainer expected = trained(corpus, options);
      run([&] {
        const WordVectorTrainer trainer = trained(corpus, options);
        EXPECT_TRUE(same(trainer.vectors(), expected.vectors())) << "dim " << dim;
        EXPECT_TRUE(same(trainer.output_vectors(), expected.output_vectors())) << "dim " << dim;
        EXPECT_EQ(trainer.progress().loss, expected.progress().loss);
      });
    }
  }
}

}  // namespace
}  // namespace rowmill::test
