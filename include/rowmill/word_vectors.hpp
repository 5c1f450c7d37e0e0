// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "rowmill/table_view.hpp"

namespace rowmill {

enum class WordVectorModel : std::uint8_t {
  cbow,       ///< the mean of a window's words predicts the word in its middle
  skip_gram,  ///< each word of a window predicts the word in its middle
};

/// How word vectors are trained. The defaults of what word2vec has too are its own.
struct WordVectorOptions {
  WordVectorModel model = WordVectorModel::cbow;
  std::int64_t dim = 100;    ///< columns of a vector: 1 to 65,536
  int window = 5;            ///< the most words on each side: 1 to 128
  int negative = 5;          ///< what the negative samples of a word weigh together, in words: 1 to 1,000
  int shared_negatives = 8;  ///< how many are drawn for 16 words, each weighing negative / shared_negatives:
                             ///< 8, 16, 24, ... 64
  double sample = 1e-3;      ///< words more frequent than this are left out at random: 0 to 1; 0 leaves out none
  double alpha = 0.05;       ///< learning rate at the start: above 0
  double min_alpha = 1e-4;   ///< and at the end: 0 to alpha
  int epochs = 5;            ///< 1 to 1,000,000
  /// Kept words that see the same tables: 4, 8, 16, ... 128, or a multiple of 256 up to 65,536. 0: 1,024, or less where
  /// the vocabulary is so small or alpha so large that the sums of a batch's gradients would overshoot, to diverge.
  std::int64_t batch = 0;
  std::uint64_t seed = 1;
};

/// Stands between two sentences: no window crosses it.
inline constexpr std::int32_t kSentenceEnd = -1;

/// How far a training is.
struct WordVectorProgress {
  int epoch = 0;                 ///< epochs that have ended
  std::int64_t words = 0;        ///< of the present epoch
  std::int64_t epoch_words = 0;  ///< that an epoch has: the sum of counts
  double alpha = 0;              ///< the learning rate now
  double loss = 0;               ///< of the latest words, on average: of one in 16, smoothed over 256 batches
};

/// What a training needs besides its two tables to go on where it was.
struct WordVectorState {
  std::int64_t epoch = 0;           ///< epochs that have ended
  std::int64_t words = 0;           ///< that were read in this epoch
  std::int64_t sentence_words = 0;  ///< that were read of the last sentence
  std::int64_t batches = 0;         ///< done in this epoch
  double loss = 0;
  /// The words that were kept, from `window` words before the first that no batch has had yet; kSentenceEnd before each
  /// that begins a sentence.
  std::vector<std::int32_t> pending;
};

/// Trains word vectors with negative sampling, as word2vec does (Mikolov et al., 2013), with the same bits on every
/// instruction set and with any number of threads.
///
///     WordVectorTrainer trainer(counts, {.dim = 100});
///     for (int epoch = 0; epoch < 5; ++epoch) {
///       while (...) trainer.train(words);   // the corpus, in pieces of any size
///       trainer.end_epoch();
///     }
///     save(trainer.vectors());
///
/// Words are numbers from 0, the vocabulary's order. What is computed, bit by bit, is in docs/numerics.md, "Word
/// vectors". In short: of a sentence's words some are left out at random, by their frequency. Each that is kept has a
/// window of up to `window` kept words on each side. For a batch of kept words both tables stay as they are; the sums
/// of its gradients are then added to them. Where a text repeats a few words, 256 kept words may update one row more
/// than 4 times: it then gets 4 times their mean, for the sum would overshoot.
///
///     h = mean of the vectors of the window's words             # cbow; skip_gram does this for each of them alone
///     loss = -log sigmoid(h . output[word]) - negative / shared_negatives * sum over n: log sigmoid(-h . output[n])
///
/// The negative samples n are drawn by count^0.75 and shared by 16 words that lie at least 16 words apart; a sample
/// that is the word itself counts nothing. A sentence of more than 10,000 words is cut. The learning rate falls
/// linearly with the words read, from alpha to min_alpha.
///
/// One thread at a time may use a trainer, except that the const functions may run concurrently with each other. Work
/// is shared out to the threads of the caller's arena. After its construction nothing is allocated but by state().
class WordVectorTrainer {
 public:
  /// counts[w] says how often word w occurs in one epoch; from it follow which words are left out, the negative
  /// samples, and how many words an epoch has. Throws Error (invalid_argument) if there are no words or more than 2^31
  /// - 1, or an option is not allowed; PositionError if a count is less than 1 or their sum is above 2^62; Error
  /// (out_of_memory) if the system refuses memory: two tables of counts.size() rows of dim floats, rounded up to a
  /// multiple of 16, are most of it.
  explicit WordVectorTrainer(std::span<const std::int64_t> counts, const WordVectorOptions& options = {});
  WordVectorTrainer(WordVectorTrainer&&) noexcept;
  WordVectorTrainer& operator=(WordVectorTrainer&&) noexcept;
  ~WordVectorTrainer();

  /// The next piece of the corpus: word numbers, and kSentenceEnd after a sentence. Words that are not in the
  /// vocabulary are left out by the caller. Pieces may be cut anywhere: the result depends on their sequence alone.
  /// Batches that became full are trained; what remains waits for the next call. Throws IdError if an element is
  /// neither a word nor kSentenceEnd, and Error (invalid_argument) if all epochs have ended; it has then done nothing.
  void train(std::span<const std::int32_t> words);

  /// Trains the words that wait, and ends the epoch, whether it had as many words as counts say or not.
  /// Throws Error (invalid_argument) if all epochs have ended.
  void end_epoch();

  /// As they were given, but for `batch`, which is the one that was chosen.
  [[nodiscard]] const WordVectorOptions& options() const noexcept;
  [[nodiscard]] WordVectorProgress progress() const noexcept;

  /// Row w is the vector of word w: of the words in windows, which is what people use, and of the words that are
  /// predicted. Rows are 64-byte aligned, their stride is dim rounded up to a multiple of 16. The views stay valid
  /// while the trainer lives, and when it is moved; train() and end_epoch() write to their memory.
  [[nodiscard]] ConstTableView vectors() const noexcept;
  [[nodiscard]] ConstTableView output_vectors() const noexcept;

  /// Between calls, what restore() needs besides the tables.
  [[nodiscard]] WordVectorState state() const;

  /// Makes a trainer of the same counts and options go on where another was, with the same bits. Copies the tables.
  /// Throws Error (invalid_argument; shape_mismatch for tables of another shape; PositionError or IdError for a bad
  /// element of state.pending) if state can't be a state of this trainer; it has then done nothing.
  void restore(const WordVectorState& state, const ConstTableView& vectors, const ConstTableView& output_vectors);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rowmill
