// SPDX-License-Identifier: Apache-2.0
#include "rowmill/word_vectors.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <string>

#include "kernels/reference/word_vectors.hpp"
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

testing::AssertionResult same_tables(const WordVectorTrainer& a, const WordVectorTrainer& b) {
  if (!std::isfinite(a.vectors().row(0)[0])) return testing::AssertionFailure() << "diverged";
  if (const auto vectors = same(a.vectors(), b.vectors()); !vectors) return vectors;
  if (const auto outputs = same(a.output_vectors(), b.output_vectors()); !outputs) return outputs;
  if (a.progress().loss == b.progress().loss) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "another loss";
}

testing::AssertionResult same_rows(const ConstTableView& table, const std::vector<reference::Row>& expected) {
  for (std::int64_t r = 0; r < table.rows(); ++r) {
    const reference::Row& row = expected[static_cast<std::size_t>(r)];
    if (!std::isfinite(row[0])) return testing::AssertionFailure() << "diverged";
    const ConstTableView actual(table.row(r).data(), 1, table.dim());
    if (const auto result = same(actual, {row.data(), 1, static_cast<std::int64_t>(row.size())}); !result) {
      return testing::AssertionFailure() << "of table row " << r << ": " << result.message();
    }
  }
  return testing::AssertionSuccess();
}

/// Batches of 256 words, so that there are some, with a rate at which they don't diverge in small vocabularies.
WordVectorOptions small(WordVectorOptions options) {
  options.batch = 256;
  options.alpha = 0.005;
  return options;
}

class WordVectorsTest : public IsaTest {};
ROWMILL_INSTANTIATE_ISA_TEST(WordVectorsTest);

TEST_P(WordVectorsTest, HasTheBitsOfTheReference) {
  const Corpus corpus(200, 1200, 1);
  for (const WordVectorModel model : {WordVectorModel::cbow, WordVectorModel::skip_gram}) {
    for (const std::int64_t dim : {1, 3, 15, 16, 17, 100, 256}) {
      const WordVectorOptions options =
          small({.model = model, .dim = dim, .window = dim == 3 ? 1 : 5, .sample = 1e-2, .epochs = 1});
      const reference::WordVectors expected = reference::train_word_vectors(corpus.counts, options, corpus.words);
      run([&] {
        const WordVectorTrainer trainer = trained(corpus, options);
        EXPECT_TRUE(same_rows(trainer.vectors(), expected.vectors)) << "dim " << dim;
        EXPECT_TRUE(same_rows(trainer.output_vectors(), expected.output_vectors)) << "dim " << dim;
      });
    }
  }
}

/// Batches of several tiles, over epochs, with every number of samples.
TEST_P(WordVectorsTest, HasTheSameBitsWithAnyThreads) {
  const Corpus corpus(300, 4000, 2);
  for (const WordVectorModel model : {WordVectorModel::cbow, WordVectorModel::skip_gram}) {
    for (const int samples : {8, 16, 24}) {
      const WordVectorOptions options{
          .model = model, .dim = 48, .shared_negatives = samples, .sample = 1e-2, .epochs = 2};
      const WordVectorTrainer expected = trained(corpus, options);
      run([&] { EXPECT_TRUE(same_tables(trained(corpus, options), expected)) << samples << " samples"; });
    }
  }
}

// The cases below are of the trainer, not of its kernels: with the best instruction set alone.

struct Case {
  const char* name;
  Corpus corpus;
};

/// What breaks windows, sentences and draws.
std::vector<Case> cases() {
  const auto of = [](std::int64_t vocabulary, std::vector<std::int32_t> words) {
    Corpus corpus(vocabulary, 0, 0);
    for (const std::int32_t word : words) {
      if (word >= 0) ++corpus.counts[static_cast<std::size_t>(word)];
    }
    corpus.words = std::move(words);
    return corpus;
  };
  std::vector<std::int32_t> alone;
  for (std::int32_t i = 0; i < 600; ++i) alone.insert(alone.end(), {i % 7, kSentenceEnd});
  std::vector<std::int32_t> long_sentence;
  for (std::int32_t i = 0; i < 10001 + 500; ++i) long_sentence.push_back(i % 50);
  return {{"no words", of(5, {})},
          {"sentence ends", of(5, {-1, -1, -1})},
          {"one word", of(3, {2})},
          {"two words", of(3, {2, 1})},
          {"words alone", of(7, alone)},
          {"a vocabulary of one", of(1, std::vector<std::int32_t>(700, 0))},
          {"a vocabulary of two", of(2, {0, 1, 0, 0, 1, -1, 1, 0})},
          {"one word everywhere", of(9, std::vector<std::int32_t>(1100, 4))},
          {"exactly a batch", of(9, std::vector<std::int32_t>(256, 4))},
          {"a sentence that is cut", of(50, long_sentence)}};
}

TEST(WordVectors, HasTheBitsOfTheReferenceForAwkwardCorpora) {
  for (const Case& each : cases()) {
    for (const double sample : {0.0, 0.05}) {
      const WordVectorOptions options = small({.dim = 20, .sample = sample, .epochs = 2});
      const reference::WordVectors expected =
          reference::train_word_vectors(each.corpus.counts, options, each.corpus.words);
      const WordVectorTrainer trainer = trained(each.corpus, options);
      EXPECT_TRUE(same_rows(trainer.vectors(), expected.vectors)) << each.name;
      EXPECT_TRUE(same_rows(trainer.output_vectors(), expected.output_vectors)) << each.name;
    }
  }
}

/// Batches that are less than a tile, less than a window, and of several tiles.
TEST(WordVectors, HasTheBitsOfTheReferenceForAnyBatch) {
  const Corpus corpus(40, 1500, 11);
  for (const WordVectorModel model : {WordVectorModel::cbow, WordVectorModel::skip_gram}) {
    for (const std::int64_t batch : {4, 8, 16, 128, 256, 512}) {
      const WordVectorOptions options{
          .model = model, .dim = 6, .window = 12, .alpha = 0.005, .epochs = 1, .batch = batch};
      const reference::WordVectors expected = reference::train_word_vectors(corpus.counts, options, corpus.words);
      const WordVectorTrainer trainer = trained(corpus, options);
      EXPECT_TRUE(same_rows(trainer.vectors(), expected.vectors)) << "batch " << batch;
      EXPECT_TRUE(same_rows(trainer.output_vectors(), expected.output_vectors)) << "batch " << batch;
      std::mt19937_64 random(12);
      EXPECT_TRUE(same_tables(trained(corpus, options, [&] { return 1 + random() % 100; }), trainer));
    }
  }
}

/// A batch of 1,024 words has hundreds of gradients for each row of a small vocabulary.
TEST(WordVectors, DoesNotDivergeInSmallVocabularies) {
  for (const WordVectorModel model : {WordVectorModel::cbow, WordVectorModel::skip_gram}) {
    for (const std::int64_t vocabulary : {1, 2, 3, 10, 50, 200}) {
      const Corpus corpus(vocabulary, 10000, 13);
      const WordVectorTrainer trainer = trained(corpus, {.model = model, .dim = 8, .sample = 0, .epochs = 2});
      for (std::int64_t w = 0; w < vocabulary; ++w) {
        for (const float x : trainer.vectors().row(w)) ASSERT_LT(std::fabs(x), 20) << vocabulary << " words";
      }
    }
  }
  const std::vector<std::int64_t> many(100000, 5);
  EXPECT_EQ(WordVectorTrainer(many, {.dim = 1}).options().batch, 1024);
  EXPECT_EQ(WordVectorTrainer(many, {.dim = 1, .batch = 4096}).options().batch, 4096);
}

TEST(WordVectors, DoesNotDivergeWhereATextRepeatsAFewWords) {
  // As in a dictionary, where each spelling of a name has an entry with all the spellings.
  for (const WordVectorModel model : {WordVectorModel::cbow, WordVectorModel::skip_gram}) {
    Corpus corpus(5000, 20000, 17);
    for (int burst = 0; burst < 4; ++burst) {
      for (int entry = 0; entry < 100; ++entry) {
        for (std::int32_t name = 0; name < 12; ++name) {
          corpus.words.push_back(4900 + name);
          ++corpus.counts[static_cast<std::size_t>(corpus.words.back())];
        }
        corpus.words.push_back(kSentenceEnd);
      }
      corpus.words.insert(corpus.words.end(), corpus.words.begin(), corpus.words.begin() + 5000);
    }
    const WordVectorTrainer trainer =
        trained(corpus, {.model = model, .dim = 16, .sample = 0, .epochs = 5, .batch = 1024});
    for (std::int64_t w = 0; w < 5000; ++w) {
      for (const float x : trainer.vectors().row(w)) ASSERT_LT(std::fabs(x), 20) << "word " << w;
    }
  }
}

TEST(WordVectors, DoesNotDependOnWherePiecesAreCut) {
  std::vector<Case> all = cases();
  all.push_back({"a corpus", Corpus(100, 3000, 3)});
  for (const Case& each : all) {
    const WordVectorOptions options = small({.dim = 8, .sample = 0.05, .epochs = 2});
    const WordVectorTrainer expected = trained(each.corpus, options);
    EXPECT_TRUE(same_tables(trained(each.corpus, options, [] { return 1U; }), expected)) << each.name;
    std::mt19937_64 random(4);
    EXPECT_TRUE(same_tables(trained(each.corpus, options, [&] { return 1 + random() % 700; }), expected)) << each.name;
  }
}

TEST(WordVectors, GoesOnFromAState) {
  std::vector<Case> all = cases();
  all.push_back({"a corpus", Corpus(100, 3000, 5)});
  std::mt19937_64 random(6);
  for (const Case& each : all) {
    const WordVectorOptions options = small({.dim = 8, .window = 3, .sample = 0.05, .epochs = 2});
    const WordVectorTrainer expected = trained(each.corpus, options);
    for (int time = 0; time < 8; ++time) {
      WordVectorTrainer trainer(each.corpus.counts, options);
      const auto change = [&] {
        const WordVectorState state = trainer.state();
        WordVectorTrainer next(each.corpus.counts, options);
        next.train(std::vector<std::int32_t>{0, kSentenceEnd, 0});  // which is forgotten
        next.restore(state, trainer.vectors(), trainer.output_vectors());
        trainer = std::move(next);
      };
      for (int epoch = 0; epoch < options.epochs; ++epoch) {
        const std::size_t cut = random() % (each.corpus.words.size() + 1);
        const std::span<const std::int32_t> words = each.corpus.words;
        trainer.train(words.first(cut));
        change();
        trainer.train(words.subspan(cut));
        trainer.end_epoch();
        change();
      }
      EXPECT_TRUE(same_tables(trainer, expected)) << each.name;
    }
  }
}

/// Words of one topic stand together, and come to lie together.
TEST(WordVectors, WordsOfATopicLieTogether) {
  constexpr std::int64_t kWords = 40;
  Corpus corpus(kWords, 0, 0);
  std::mt19937_64 random(7);
  for (int sentence = 0; sentence < 4000; ++sentence) {
    const auto topic = static_cast<std::int32_t>(random() % 2);
    for (int i = 0; i < 8; ++i) {
      const auto word = static_cast<std::int32_t>(random() % (kWords / 2)) * 2 + topic;
      corpus.words.push_back(word);
      ++corpus.counts[static_cast<std::size_t>(word)];
    }
    corpus.words.push_back(kSentenceEnd);
  }
  for (const WordVectorModel model : {WordVectorModel::cbow, WordVectorModel::skip_gram}) {
    const WordVectorTrainer trainer = trained(corpus, {.model = model, .dim = 16, .sample = 0, .epochs = 3});
    const ConstTableView table = trainer.vectors();
    const auto cosine = [&](std::int64_t a, std::int64_t b) {
      double dots[3] = {};
      for (std::size_t c = 0; c < 16; ++c) {
        dots[0] += static_cast<double>(table.row(a)[c]) * table.row(b)[c];
        dots[1] += static_cast<double>(table.row(a)[c]) * table.row(a)[c];
        dots[2] += static_cast<double>(table.row(b)[c]) * table.row(b)[c];
      }
      return dots[0] / std::sqrt(dots[1] * dots[2]);
    };
    for (std::int64_t w = 0; w + 3 < kWords; ++w) {
      EXPECT_GT(cosine(w, w + 2), 0.5) << "word " << w;
      EXPECT_LT(cosine(w, w + 3), 0.3) << "word " << w;
    }
    EXPECT_GT(trainer.progress().loss, 0.5);
    EXPECT_LT(trainer.progress().loss,
              3.4);  // less than six coin tosses lose, each ln 2 = 0.69: there was something to learn
  }
}

TEST(WordVectors, TellsItsProgress) {
  const Corpus corpus(50, 2000, 8);
  WordVectorTrainer trainer(corpus.counts, {.dim = 4, .alpha = 0.1, .min_alpha = 0.01, .epochs = 2});
  std::int64_t all = 0;
  for (const std::int64_t count : corpus.counts) all += count;
  EXPECT_EQ(trainer.progress().epoch_words, all);
  EXPECT_EQ(trainer.progress().alpha, 0.1);
  const auto words = static_cast<std::int64_t>(corpus.words.size()) - std::ranges::count(corpus.words, kSentenceEnd);
  trainer.train(corpus.words);
  EXPECT_EQ(trainer.progress().words, words);
  trainer.end_epoch();
  EXPECT_EQ(trainer.progress().epoch, 1);
  EXPECT_EQ(trainer.progress().words, 0);
  EXPECT_DOUBLE_EQ(trainer.progress().alpha, 0.055);
  trainer.end_epoch();
  EXPECT_DOUBLE_EQ(trainer.progress().alpha, 0.01);
}

/// The words that training reads are checked first; the tables and the state stay as they were.
TEST(WordVectors, RefusesBadWordsAndChangesNothing) {
  const Corpus corpus(10, 2000, 9);
  const WordVectorOptions options = small({.dim = 4, .epochs = 1});
  WordVectorTrainer trainer(corpus.counts, options);
  std::vector<std::int32_t> bad = corpus.words;
  bad[1500] = 10;
  bad[1700] = -2;
  try {
    trainer.train(bad);
    FAIL();
  } catch (const IdError& error) {
    EXPECT_STREQ(error.what(), "rowmill: word_vectors: words[1500] = 10; allowed: 0 to 9, and kSentenceEnd (-1)");
    EXPECT_EQ(error.position(), 1500);
    EXPECT_EQ(error.value(), 10);
  }
  trainer.train(corpus.words);
  trainer.end_epoch();
  EXPECT_TRUE(same_tables(trainer, trained(corpus, options)));
  EXPECT_THROW(trainer.train(corpus.words), Error);
  EXPECT_THROW(trainer.end_epoch(), Error);
  EXPECT_TRUE(same_tables(trainer, trained(corpus, options)));
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(WordVectors, RefusesBadOptions) {
  const std::vector<std::int64_t> counts = {3, 2, 1};
  const auto message = [&](const WordVectorOptions& options) {
    return message_of([&] { WordVectorTrainer(counts, options); });
  };
  const std::string start = "rowmill: word_vectors: ";
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(message({.dim = 0}), start + "dim is 0; allowed: 1 to 65536");
  EXPECT_EQ(message({.dim = 65537}), start + "dim is 65537; allowed: 1 to 65536");
  EXPECT_EQ(message({.window = 0}), start + "window is 0; allowed: 1 to 128");
  EXPECT_EQ(message({.negative = 0}), start + "negative is 0; allowed: 1 to 1000");
  EXPECT_EQ(message({.shared_negatives = 12}), start + "shared_negatives is 12; allowed: 8 to 64, multiples of 8");
  EXPECT_EQ(message({.sample = -1}), start + "sample is -1; allowed: 0 to 1");
  EXPECT_EQ(message({.sample = kNan}), start + "sample is nan; allowed: 0 to 1");
  EXPECT_EQ(message({.alpha = kNan}), start + "alpha is nan; allowed: 1e-30 to 1e+30");
  EXPECT_EQ(message({.alpha = 0.1, .min_alpha = 0.2}), start + "min_alpha is 0.2; allowed: 0 to 0.1, which is alpha");
  EXPECT_EQ(message({.epochs = 0}), start + "epochs is 0; allowed: 1 to 1000000");
  for (const std::int64_t batch : {2, 48, 1000, 65792}) {
    EXPECT_EQ(message({.batch = batch}), start + "batch is " + std::to_string(batch) +
                                             "; allowed: 0, 4, 8, 16, 32, 64, 128, and multiples of 256 up to 65536");
  }
  EXPECT_EQ(message({.model = static_cast<WordVectorModel>(7)}), start + "unknown model 7");
}

TEST(WordVectors, RefusesBadCounts) {
  const auto message = [](const std::vector<std::int64_t>& counts) {
    return message_of([&] { WordVectorTrainer trainer(counts); });
  };
  EXPECT_EQ(message({}), "rowmill: word_vectors: counts has 0 words; allowed: 1 to 2147483647");
  EXPECT_EQ(message({4, 0, -1}), "rowmill: word_vectors: counts[1] = 0; allowed: 1 or more, and 2^62 for the sum");
  const std::int64_t most = std::int64_t{1} << 62;
  EXPECT_EQ(message({4, most}), "rowmill: word_vectors: counts[1] = " + std::to_string(most) +
                                    "; allowed: 1 or more, and 2^62 for the sum");
}

TEST(WordVectors, RefusesBadStatesAndChangesNothing) {
  const Corpus corpus(10, 1000, 10);
  const WordVectorOptions options = small({.dim = 4, .sample = 0, .epochs = 2});
  WordVectorTrainer trainer(corpus.counts, options);
  trainer.train(corpus.words);
  WordVectorTrainer expected(corpus.counts, options);
  expected.train(corpus.words);
  const WordVectorState good = trainer.state();
  const std::vector<float> zeros(100);
  const ConstTableView table(zeros.data(), 10, 4);
  const auto refused = [&](auto change, const std::string& part) {
    WordVectorState state = good;
    change(state);
    const std::string message = message_of([&] { trainer.restore(state, table, table); });
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  refused([](WordVectorState& s) { s.epoch = 3; }, "state.epoch is 3; allowed: 0 to 2");
  refused([](WordVectorState& s) { s.words = -1; }, "state.words is -1");
  refused([](WordVectorState& s) { s.batches = 1000; }, "state.batches is 1000");
  refused([](WordVectorState& s) { s.sentence_words = 10001; }, "state.sentence_words is 10001");
  refused([](WordVectorState& s) { s.loss = std::numeric_limits<double>::quiet_NaN(); }, "state.loss is nan");
  refused([](WordVectorState& s) { s.pending[2] = 10; }, "state.pending[2] = 10");
  refused([](WordVectorState& s) { s.pending.resize(3); }, "state.pending's number of words is");
  const auto restore = [&](const ConstTableView& vectors) { trainer.restore(good, vectors, table); };
  EXPECT_NE(message_of([&] { restore({zeros.data(), 9, 4}); }).find("must be 10 x 4"), std::string::npos);
  EXPECT_NE(message_of([&] { restore({static_cast<const float*>(nullptr), 10, 4}); }).find("null"), std::string::npos);
  trainer.end_epoch();
  expected.end_epoch();
  EXPECT_TRUE(same_tables(trainer, expected));
}

}  // namespace
}  // namespace rowmill::test
