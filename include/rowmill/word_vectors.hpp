// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "rowmill/table_view.hpp"

namespace rowmill {

/// The models of word2vec.
enum class WordVectorModel : std::uint8_t {
  cbow,       ///< the mean of a window's words predicts the word in its middle
  skip_gram,  ///< each word of a window predicts the word in its middle
};

/// How word vectors are trained. Options that word2vec has too have its defaults.
struct WordVectorOptions {
  WordVectorModel model = WordVectorModel::cbow;
  std::int64_t dim = 100;    ///< columns of a vector: 1 to 65,536
  int window = 5;            ///< the most words on each side: 1 to 128
  int negative = 5;          ///< the total weight of a word's negative samples: 1 to 1,000
  int shared_negatives = 8;  ///< samples drawn for each 16 words, of weight negative / shared_negatives each:
                             ///< 8, 16, 24, ... 64
  double sample = 1e-3;      ///< words more frequent than this are left out at random: 0 to 1; 0 leaves out none
  double alpha = 0.05;       ///< learning rate at the start: above 0
  double min_alpha = 1e-4;   ///< and at the end: 0 to alpha
  int epochs = 5;            ///< 1 to 1,000,000
  /// Kept words whose gradients are computed from the same tables: 4, 8, 16, ... 128, or a multiple of 256 up to
  /// 65,536. 0: 1,024, or fewer where a small vocabulary or a large alpha would make training diverge.
  std::int64_t batch = 0;
  std::uint64_t seed = 1;
};

/// Stands between two sentences: no window crosses it.
inline constexpr std::int32_t kSentenceEnd = -1;

/// How far training has come.
struct WordVectorProgress {
  int epoch = 0;                 ///< epochs that have ended
  std::int64_t words = 0;        ///< of the present epoch
  std::int64_t epoch_words = 0;  ///< that an epoch has: the sum of counts
  double alpha = 0;              ///< the learning rate now
  double loss = 0;               ///< of the latest words, on average: of one in 16, smoothed over 256 batches
};

/// What training needs besides its two tables to go on where it was.
struct WordVectorState {
  std::int64_t epoch = 0;           ///< epochs that have ended
  std::int64_t words = 0;           ///< that were read in this epoch
  std::int64_t sentence_words = 0;  ///< that were read of the last sentence
  std::int64_t batches = 0;         ///< done in this epoch
  double loss = 0;
  /// The kept words that no batch has had yet, and up to `window` kept words before them; kSentenceEnd before each word
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
/// Words are numbers from 0, the vocabulary's order. docs/numerics.md, "Word vectors", gives the computation bit by
/// bit. In short: words are left out at random, by their frequency. Each word that is kept has a window of up to
/// `window` kept words on each side. The gradients of a batch of kept words are computed from the same tables, and
/// their sums are then added to the tables. Where a text repeats a few words, 256 kept words may update one row more
/// than 4 times. The row then gets 4 times the mean update, because the sum would overshoot.
///
///     h = mean of the vectors of the window's words             # cbow; skip_gram does this for each of them alone
///     loss = -log sigmoid(h . output[word]) - negative / shared_negatives * sum over n: log sigmoid(-h . output[n])
///
/// The negative samples n are drawn by count^0.75, and shared by 16 words that lie at least 16 words apart. A sample
/// that is the word itself does not count. A sentence of more than 10,000 words is split. The learning rate falls
/// linearly with the words read, from alpha to min_alpha.
///
/// One thread at a time may use a trainer, except that the const functions may run concurrently with each other. Runs
/// in the caller's oneTBB arena. After construction, only state() allocates memory.
class WordVectorTrainer {
 public:
  /// counts[w] is how often word w occurs in one epoch. It decides which words are left out, the negative samples, and
  /// how many words an epoch has. Most of the memory is two tables of counts.size() rows of dim floats, rounded up to a
  /// multiple of 16.
  ///
  /// Throws Error if there are no words, more than 2^31 - 1 or a null pointer, or an option is out of its range
  /// (invalid_argument); PositionError if a count is less than 1, or the first with which their sum is above 2^62;
  /// Error if the system refuses memory (out_of_memory), or ROWMILL_ISA is wrong (unsupported_isa).
  explicit WordVectorTrainer(std::span<const std::int64_t> counts, const WordVectorOptions& options = {});
  WordVectorTrainer(WordVectorTrainer&&) noexcept;
  WordVectorTrainer& operator=(WordVectorTrainer&&) noexcept;
  ~WordVectorTrainer();

  /// Trains on the next piece of the corpus: word numbers, and kSentenceEnd after each sentence. The caller leaves out
  /// words that are not in the vocabulary. Pieces may be cut anywhere: the result depends on their sequence alone. Full
  /// batches are trained; the words that remain wait for the next call.
  /// Throws, and does nothing, IdError if an element is neither a word nor kSentenceEnd, and Error if all epochs have
  /// ended or words has a null pointer (invalid_argument).
  void train(std::span<const std::int32_t> words);

  /// Trains the words that wait, and ends the epoch, even if it had another number of words than `counts` say.
  /// Throws Error (invalid_argument) if all epochs have ended.
  void end_epoch();

  /// The options as given, with the batch that was chosen in place of 0.
  [[nodiscard]] const WordVectorOptions& options() const noexcept;
  [[nodiscard]] WordVectorProgress progress() const noexcept;

  /// Row w belongs to word w. vectors() are those of words in windows, the ones that people use; output_vectors() are
  /// those of predicted words. Rows are 64-byte aligned; their stride is dim rounded up to a multiple of 16. The views
  /// stay valid while the trainer lives, and when it is moved; train() and end_epoch() write to their memory.
  [[nodiscard]] ConstTableView vectors() const noexcept;
  [[nodiscard]] ConstTableView output_vectors() const noexcept;

  /// Between calls, what restore() needs besides the tables.
  [[nodiscard]] WordVectorState state() const;

  /// Goes on where a trainer of the same counts and options was, with the same bits. Copies the tables.
  /// Throws, and does nothing, Error if state can't be a state of this trainer, or a table is bad or not f32
  /// (invalid_argument), or has another shape (shape_mismatch); IdError for a bad element of state.pending.
  void restore(const WordVectorState& state, const ConstTableView& vectors, const ConstTableView& output_vectors);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rowmill
