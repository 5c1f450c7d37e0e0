// SPDX-License-Identifier: Apache-2.0
#include "rowmill/io/corpus.hpp"

#include <tbb/concurrent_queue.h>
#include <tbb/parallel_pipeline.h>
#include <utf8.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include "io/corpus/spool.hpp"
#include "io/corpus/text_blocks.hpp"
#include "io/file/checksum.hpp"
#include "kernels/core/parallel.hpp"

namespace rowmill::io {
namespace {

constexpr std::int32_t kDropped = -2;

void check_options(const CorpusOptions& options) {
  const auto check = [](const char* name, std::int64_t value, std::int64_t lowest) {
    if (value >= lowest) return;
    throw Error(ErrorCode::invalid_argument, "rowmill: corpus: " + std::string(name) + " = " + std::to_string(value) +
                                                 "; it must be at least " + std::to_string(lowest));
  };
  check("min_count", options.min_count, 1);
  check("max_words", options.max_words, 0);
}

bool is_stray(std::string_view word) {
  return word.find('\0') != std::string_view::npos || !utf8::is_valid(word.begin(), word.end());
}

}  // namespace

Corpus::Corpus(std::span<const std::filesystem::path> inputs, const CorpusOptions& options) {
  check_options(options);
  count(inputs, options);
  renumber(prune(options));
  find_stray_words();
}

Corpus::~Corpus() = default;
Corpus::Corpus(Corpus&&) noexcept = default;
Corpus& Corpus::operator=(Corpus&&) noexcept = default;

/// Splits the text into words, a block at a time, and counts them. Numbers are those of first occurrence.
class Corpus::Counter {
  /// A block on its way: read, split, merged with the words of the blocks before, written.
  struct Work {
    TextBlock block;
    BlockWords words;
    std::vector<std::int32_t> number_in_corpus;  ///< of each distinct word of the block
    std::int64_t begin = 0;                      ///< of its numbers in the spool
  };

 public:
  Counter(Corpus& corpus, TextBlocks& blocks, const CorpusOptions& options)
      : corpus_(corpus), blocks_(blocks), options_(options) {}

  void run() {
    const std::int64_t threads = available_threads();
    const auto region = [&] { tbb::this_task_arena::isolate([&] { run_pipeline(2 * threads + 1); }); };
    if (threads > 1 && run_region(region)) return;
    for (Work work; blocks_.next(work.block);) {
      split(work.block, work.words);
      merge(work);
      write(work);
    }
  }

 private:
  /// With so many blocks on their way. Only `merge` needs them in order.
  void run_pipeline(std::int64_t blocks) {
    std::vector<Work> works(static_cast<std::size_t>(blocks));
    tbb::concurrent_queue<Work*> free;
    for (Work& work : works) free.push(&work);
    const auto read = [&](tbb::flow_control& flow) {
      Work* work = nullptr;
      while (!free.try_pop(work)) {
      }
      if (!blocks_.next(work->block)) flow.stop();
      return work;
    };
    const auto split_words = [](Work* work) {
      split(work->block, work->words);
      return work;
    };
    const auto merge_words = [&](Work* work) {
      merge(*work);
      return work;
    };
    const auto write_numbers = [&](Work* work) {
      write(*work);
      free.push(work);
    };
    tbb::task_group_context context(tbb::task_group_context::isolated);
    tbb::parallel_pipeline(works.size(),
                           tbb::make_filter<void, Work*>(tbb::filter_mode::serial_in_order, read) &
                               tbb::make_filter<Work*, Work*>(tbb::filter_mode::parallel, split_words) &
                               tbb::make_filter<Work*, Work*>(tbb::filter_mode::serial_in_order, merge_words) &
                               tbb::make_filter<Work*, void>(tbb::filter_mode::parallel, write_numbers),
                           context);
  }

  /// Adds the words of a block to those of the blocks before.
  void merge(Work& work) {
    const std::vector<BlockWords::Word>& distinct = work.words.distinct;
    constexpr std::size_t kAhead = 8;
    work.number_in_corpus.clear();
    for (std::size_t i = 0; i < distinct.size(); ++i) {
      if (i + kAhead < distinct.size()) table_.prefetch(distinct[i + kAhead].hash);
      work.number_in_corpus.push_back(add(distinct[i]));
    }
    work.begin = std::exchange(corpus_.size_, corpus_.size_ + static_cast<std::int64_t>(work.words.numbers.size()));
    CorpusStatistics& statistics = corpus_.statistics_;
    statistics.bytes += static_cast<std::int64_t>(work.block.text.size());
    statistics.words += work.words.words;
    statistics.distinct_words = corpus_.words_.size();
    if (options_.progress) options_.progress(statistics);
  }

  /// Counts a word, and returns its number.
  std::int32_t add(const BlockWords::Word& word) {
    Vocabulary& words = corpus_.words_;
    const std::int32_t number =
        table_.number_of(word.bytes, word.hash, [&](std::int32_t other) { return words[other]; });
    if (number == words.size()) {
      if (number == std::numeric_limits<std::int32_t>::max()) {
        throw Error(ErrorCode::invalid_argument, "rowmill: corpus: it has more than 2147483647 distinct words");
      }
      words.add(word.bytes);
      corpus_.counts_.push_back(0);
    }
    corpus_.counts_[static_cast<std::size_t>(number)] += word.count;
    return number;
  }

  /// Gives the words of a block their numbers in the corpus, and writes these into the spool.
  void write(Work& work) const {
    for (std::int32_t& number : work.words.numbers) {
      if (number != kSentenceEnd) number = work.number_in_corpus[static_cast<std::size_t>(number)];
    }
    corpus_.spool_->write(work.begin, work.words.numbers);
  }

  Corpus& corpus_;
  TextBlocks& blocks_;
  const CorpusOptions& options_;
  WordTable table_;
};

/// Fills the spool with numbers by first occurrence, and words_ and counts_ in that order.
void Corpus::count(std::span<const std::filesystem::path> inputs, const CorpusOptions& options) {
  TextBlocks blocks(inputs);
  spool_ = std::make_unique<Spool>(options.temporary_directory);
  Counter(*this, blocks, options).run();
  if (statistics_.words > 0) return;
  const std::filesystem::path& path = inputs.front();
  const std::string more = inputs.size() == 1 ? "" : " and the " + std::to_string(inputs.size() - 1) + " after it";
  throw Error(ErrorCode::invalid_argument,
              "rowmill: corpus: " + (path == "-" ? "standard input" : path.string()) + more + ": there are no words");
}

/// Leaves in words_ and counts_ the words of the vocabulary, in its order. Returns the new number of each old one.
std::vector<std::int32_t> Corpus::prune(const CorpusOptions& options) {
  const auto count_of = [&](std::int32_t number) { return counts_[static_cast<std::size_t>(number)]; };
  std::vector<std::int32_t> kept;
  for (std::int32_t number = 0; number < words_.size(); ++number) {
    if (count_of(number) >= options.min_count) kept.push_back(number);
  }
  if (kept.empty()) {
    const auto most = static_cast<std::int32_t>(std::ranges::max_element(counts_) - counts_.begin());
    throw Error(ErrorCode::invalid_argument,
                "rowmill: corpus: no word occurs min_count = " + std::to_string(options.min_count) +
                    " times; the most frequent, '" + std::string(words_[most]) + "', occurs " +
                    std::to_string(count_of(most)) + " times");
  }
  std::ranges::sort(kept, [&](std::int32_t a, std::int32_t b) {
    return count_of(a) != count_of(b) ? count_of(a) > count_of(b) : a < b;
  });
  if (options.max_words > 0 && static_cast<std::int64_t>(kept.size()) > options.max_words) {
    kept.resize(static_cast<std::size_t>(options.max_words));
  }
  std::vector<std::int32_t> number_of(counts_.size(), kDropped);
  Vocabulary words;
  std::vector<std::int64_t> counts;
  for (const std::int32_t number : kept) {
    number_of[static_cast<std::size_t>(number)] = static_cast<std::int32_t>(counts.size());
    words.add(words_[number]);
    counts.push_back(count_of(number));
  }
  words_ = std::move(words);
  counts_ = std::move(counts);
  statistics_.kept_words = std::accumulate(counts_.begin(), counts_.end(), std::int64_t{0});
  return number_of;
}

/// Gives the spool its last numbers, in place: there are never more of them than before.
void Corpus::renumber(const std::vector<std::int32_t>& number_of) {
  constexpr std::int64_t kAtOnce = std::int64_t{1} << 18;
  std::vector<std::int32_t> numbers(static_cast<std::size_t>(std::min(kAtOnce, size_)));
  StreamChecksum checksum;
  checksum.add(std::as_bytes(std::span(words_.bytes())));
  checksum.add(std::as_bytes(words_.begin()));
  checksum.add(std::as_bytes(std::span(counts_)));
  std::int32_t last = kSentenceEnd;
  std::int64_t written = 0;
  for (std::int64_t begin = 0; begin < size_; begin += kAtOnce) {
    const std::span block = std::span(numbers).first(static_cast<std::size_t>(read(begin, numbers)));
    std::size_t kept = 0;
    for (const std::int32_t old : block) {
      const std::int32_t number = old == kSentenceEnd ? old : number_of[static_cast<std::size_t>(old)];
      if (number == kDropped || (number == kSentenceEnd && last == kSentenceEnd)) continue;
      statistics_.sentences += number == kSentenceEnd ? 1 : 0;
      block[kept++] = last = number;
    }
    checksum.add(std::as_bytes(block.first(kept)));
    spool_->write(written, block.first(kept));
    written += static_cast<std::int64_t>(kept);
  }
  spool_->truncate(written);
  size_ = written;
  checksum_ = checksum.value();
}

void Corpus::find_stray_words() {
  for (std::int64_t number = 0; number < words_.size(); ++number) {
    if (!is_stray(words_[number])) continue;
    if (statistics_.first_stray_word < 0) statistics_.first_stray_word = number;
    statistics_.stray_words += counts_[static_cast<std::size_t>(number)];
  }
}

std::int64_t Corpus::read(std::int64_t begin, std::span<std::int32_t> out) const {
  const std::int64_t count = std::clamp<std::int64_t>(size_ - begin, 0, static_cast<std::int64_t>(out.size()));
  spool_->will_need(begin + count, count);
  spool_->read(begin, out.first(static_cast<std::size_t>(count)));
  return count;
}

}  // namespace rowmill::io
