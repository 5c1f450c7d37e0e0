// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "rowmill/io/file_error.hpp"
#include "rowmill/io/vocabulary.hpp"
#include "rowmill/word_vectors.hpp"

namespace rowmill::io {

/// What was found in a text.
struct CorpusStatistics {
  std::int64_t bytes = 0;           ///< unpacked
  std::int64_t words = 0;           ///< all of them, in the text
  std::int64_t distinct_words = 0;  ///< before rare ones are left out
  std::int64_t kept_words = 0;      ///< in the text, of those in the vocabulary
  std::int64_t sentences = 0;       ///< with at least one word of the vocabulary
  /// Words in the text that are not UTF-8 or hold a NUL byte, of those in the vocabulary. They are kept as they are.
  std::int64_t stray_words = 0;
  std::int64_t first_stray_word = -1;  ///< the lowest number of such a word; -1: there is none
};

/// How a Corpus is read.
struct CorpusOptions {
  std::int64_t min_count = 5;  ///< words that occur less often are left out, as if they were not in the text
  std::int64_t max_words = 0;  ///< keep only so many, the most frequent ones; 0: all
  /// Where the temporary file stands: 4 bytes for each word. Empty: $TMPDIR, or /tmp.
  std::filesystem::path temporary_directory = {};
  /// Called now and then with the bytes, words and distinct_words so far. If it throws, so does the constructor.
  std::function<void(const CorpusStatistics&)> progress = {};
};

/// A text, read once and kept as the numbers of its words in a temporary file. So it may be larger than memory and come
/// from a pipe, and passes over it cost next to nothing.
///
///     words are split at ASCII white space (space, \t, \n, \v, \f, \r); they are bytes, of any encoding
///     a line is a sentence; a file ends one too
///     vocabulary: the words that occur at least min_count times, by falling count, of equal ones the first in the text
///     numbers: each word of the text that is in the vocabulary, and kSentenceEnd after each sentence that has one
///
/// Text is split and counted on all threads of the caller's arena; the result does not depend on their number.
/// Counting takes about 50 bytes and the word's own for each distinct word, and twice that while its tables grow. No
/// word is dropped early to save memory.
class Corpus {
 public:
  /// A longer word is an error: what has no white space for so long is no text.
  static constexpr std::int64_t kMaxWordBytes = 65536;

  /// Reads files, gzip files, pipes, or standard input ("-"), one after another. That each is there and may be read is
  /// checked before the first is read.
  ///
  /// Throws FileError if one can't be read or is a directory, or the temporary file can't be written (io_error); if one
  /// is packed by something other than gzip, or a word is too long (bad_file). Throws Error if there are no inputs,
  /// standard input stands twice, or an option is out of range; or if the text has no words, or none that occurs
  /// min_count times, or 2^31 distinct ones (invalid_argument).
  explicit Corpus(std::span<const std::filesystem::path> inputs, const CorpusOptions& options = {});
  ~Corpus();
  Corpus(Corpus&&) noexcept;
  Corpus& operator=(Corpus&&) noexcept;

  [[nodiscard]] const Vocabulary& words() const { return words_; }
  /// How often each word occurs.
  [[nodiscard]] std::span<const std::int64_t> counts() const { return counts_; }
  [[nodiscard]] const CorpusStatistics& statistics() const { return statistics_; }
  /// Of the vocabulary, the counts and all numbers: two texts with one checksum are the same to a training.
  [[nodiscard]] std::uint64_t checksum() const { return checksum_; }

  /// How many numbers there are: words and ends of sentences.
  [[nodiscard]] std::int64_t size() const { return size_; }
  /// Numbers begin .. begin + out.size() - 1, or as many as there are; returns how many. Asks the system for as many
  /// after them, so that the next call need not wait for the disk. Threads may read at the same time.
  /// Throws FileError (io_error).
  std::int64_t read(std::int64_t begin, std::span<std::int32_t> out) const;

 private:
  class Counter;
  class Spool;

  void count(std::span<const std::filesystem::path> inputs, const CorpusOptions& options);
  std::vector<std::int32_t> prune(const CorpusOptions& options);
  void renumber(const std::vector<std::int32_t>& number_of);
  void find_stray_words();

  std::unique_ptr<Spool> spool_;
  Vocabulary words_;
  std::vector<std::int64_t> counts_;
  CorpusStatistics statistics_;
  std::int64_t size_ = 0;
  std::uint64_t checksum_ = 0;
};

}  // namespace rowmill::io
