// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "corpus.hpp"
#include "model.hpp"
#include "vocabulary.hpp"

namespace sentiment {
namespace {

using Words = std::vector<std::string>;

TEST(Tokenize, SeparatesWordsAndPunctuation) {
  EXPECT_EQ(tokenize("@user I'm HERE! :) can't #fun 2day"),
            (Words{"@user", "i'm", "here", "!", ":", ")", "can't", "#", "fun", "2day"}));
  EXPECT_EQ(tokenize("caf\xC3\xA9... 'quoted'"), (Words{"caf\xC3\xA9", ".", ".", ".", "'", "quoted", "'"}));
  EXPECT_EQ(tokenize(" \t "), Words{});
}

TEST(VocabularyTest, IsSortedByFrequencyThenAlphabet) {
  const std::vector<Text> texts = {{1, "b a a c"}, {0, "c d"}};
  EXPECT_EQ(Vocabulary(texts, 100, 1).words(), (Words{"<pad>", "<unk>", "a", "c", "b", "d"}));
  EXPECT_EQ(Vocabulary(texts, 100, 2).words(), (Words{"<pad>", "<unk>", "a", "c"}));
  const Vocabulary small(texts, 3, 1);
  EXPECT_EQ(small.words(), (Words{"<pad>", "<unk>", "a"}));
  EXPECT_EQ(small.id("a"), 2);
  EXPECT_EQ(small.id("b"), kUnknown);
  EXPECT_THROW(Vocabulary(Words{"a", "b", "a"}), UserError);
}

TEST(EncodedCorpusTest, MakesATextWithoutWordsUnknown) {
  const std::vector<Text> texts = {{1, "a b"}, {0, " "}};
  const EncodedCorpus corpus(texts, Vocabulary(texts, 3, 1));
  ASSERT_EQ(corpus.size(), 2);
  EXPECT_EQ(corpus.text(0).size(), 2U);
  ASSERT_EQ(corpus.text(1).size(), 1U);
  EXPECT_EQ(corpus.text(1)[0], kUnknown);
}

TEST(SyntheticCorpus, HasTheShapeOfTheRealOne) {
  const std::vector<Text> texts = synthetic_corpus(10000, 1);
  std::set<std::string> words;
  std::int64_t positive = 0;
  for (const Text& text : texts) {
    positive += text.label;
    for (const std::string& word : tokenize(text.words)) words.insert(word);
  }
  EXPECT_EQ(positive, 5000);
  EXPECT_GT(words.size(), 7000U);
  EXPECT_LE(words.size(), 9086U);
  EXPECT_EQ(synthetic_corpus(10, 1)[9].words, texts[9].words);
}

// The loss of one text that is trained on again and again goes to zero.
TEST(ModelTest, LearnsOneText) {
  const std::vector<Text> texts = {{1, "good day"}};
  const EncodedCorpus corpus(texts, Vocabulary(texts, 10, 1));
  Model model({.rows = 10, .dim = 8, .learning_rate = 0.05});
  const std::vector<std::int64_t> batch = {0};
  const double before = model.train(corpus, batch);
  double after = before;
  for (int step = 0; step < 50; ++step) after = model.train(corpus, batch);
  EXPECT_LT(after, 0.01 * before);
  EXPECT_EQ(model.accuracy(corpus), 1);
  const rowmill::Table vectors = model.vectors();
  for (const float x : vectors.view().row(kPadding)) EXPECT_EQ(x, 0);
}

/// The losses of some steps, and the hash of the weights after them.
std::pair<std::vector<double>, std::uint64_t> train_some(ModelOptions options) {
  const std::vector<Text> texts = synthetic_corpus(160, 1);
  const EncodedCorpus corpus(texts, Vocabulary(texts, 500, 1));
  options.rows = 500;
  options.dim = 33;
  Model model(options);
  std::vector<double> losses;
  for (std::int64_t begin = 0; begin < corpus.size(); begin += 16) {
    std::vector<std::int64_t> batch(16);
    std::iota(batch.begin(), batch.end(), begin);
    losses.push_back(model.train(corpus, batch));
  }
  return {losses, model.hash()};
}

// Lookups of the upper halves alone find other losses, and so other weights.
TEST(ModelTest, SplitVectorsThatAreJoinedHaveTheBitsOfFloat32) {
  const auto floats = train_some({});
  EXPECT_EQ(train_some({.format = rowmill::Format::bf16, .split = true, .join = true}), floats);
  EXPECT_NE(train_some({.format = rowmill::Format::bf16, .split = true}).second, floats.second);
}

}  // namespace
}  // namespace sentiment
