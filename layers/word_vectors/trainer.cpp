// SPDX-License-Identifier: Apache-2.0
// WordVectorTrainer: checks, keeps words, and hands batches of them to train_batches().
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "kernels/core/checks.hpp"
#include "kernels/core/dispatch.hpp"
#include "kernels/core/fp_environment.hpp"
#include "kernels/memory/carve.hpp"
#include "kernels/random/initialize.hpp"
#include "kernels/random/streams.hpp"
#include "layers/word_vectors/batch.hpp"
#include "rowmill/error.hpp"
#include "rowmill/table.hpp"
#include "rowmill/word_vectors.hpp"
#include "rowmill/workspace.hpp"

namespace rowmill {
namespace {

using word_vectors::kTile;

constexpr std::string_view kStart = "rowmill: word_vectors: ";
constexpr std::int64_t kMaxSentenceWords = 10000;
constexpr std::int64_t kMaxWords = std::int64_t{1} << 62;

[[noreturn]] void fail(const std::string& what) {
  throw Error(ErrorCode::invalid_argument, std::string(kStart) + what);
}

std::string text_of(std::int64_t value) { return std::to_string(value); }
std::string text_of(double value) { return to_text(value); }

/// Also refuses NaN.
template <class T>
void check_range(const char* name, T value, T least, T most, const char* more = "") {
  if (value >= least && value <= most) return;
  fail(std::string(name) + " is " + text_of(value) + "; allowed: " + text_of(least) + " to " + text_of(most) + more);
}

void check_options(const WordVectorOptions& o) {
  if (o.model != WordVectorModel::cbow && o.model != WordVectorModel::skip_gram) {
    fail("unknown model " + std::to_string(static_cast<int>(o.model)));
  }
  const auto integer = [](const char* name, std::int64_t value, std::int64_t least, std::int64_t most,
                          std::int64_t multiple_of = 1) {
    const std::string only = multiple_of == 1 ? "" : ", multiples of " + std::to_string(multiple_of);
    check_range(name, value, least, most, only.c_str());
    if (value % multiple_of != 0) {
      fail(std::string(name) + " is " + text_of(value) + "; allowed: " + text_of(least) + " to " + text_of(most) +
           only);
    }
  };
  integer("dim", o.dim, 1, 65536);
  integer("window", o.window, 1, 128);
  integer("negative", o.negative, 1, 1000);
  integer("shared_negatives", o.shared_negatives, 8, 64, 8);
  integer("epochs", o.epochs, 1, 1000000);
  const bool part_of_tile = o.batch >= word_vectors::kLeastBatch && o.batch < kTile &&
                            std::has_single_bit(static_cast<std::uint64_t>(o.batch));
  if (o.batch != 0 && !part_of_tile && (o.batch < kTile || o.batch > 65536 || o.batch % kTile != 0)) {
    fail("batch is " + std::to_string(o.batch) +
         "; allowed: 0, 4, 8, 16, 32, 64, 128, and multiples of 256 up to 65536");
  }
  check_range("sample", o.sample, 0.0, 1.0);
  // In float, of which the learning rate is one, neither 0 nor infinite.
  check_range("alpha", o.alpha, 1e-30, 1e30);
  check_range("min_alpha", o.min_alpha, 0.0, o.alpha, ", which is alpha");
}

void check_counts(std::span<const std::int64_t> counts) {
  constexpr std::size_t kMax = std::numeric_limits<std::int32_t>::max();
  if (counts.empty() || counts.size() > kMax) {
    fail("counts has " + std::to_string(counts.size()) + " words; allowed: 1 to " + std::to_string(kMax));
  }
  if (counts.data() == nullptr) fail("counts (" + std::to_string(counts.size()) + ") has a null pointer");
  std::int64_t sum = 0;
  for (std::size_t w = 0; w < counts.size(); ++w) {
    if (counts[w] < 1 || counts[w] > kMaxWords - sum) {
      throw PositionError(ErrorCode::invalid_argument,
                          std::string(kStart) + "counts[" + std::to_string(w) + "] = " + std::to_string(counts[w]) +
                              "; allowed: 1 or more, and 2^62 for the sum",
                          static_cast<std::int64_t>(w), counts[w]);
    }
    sum += counts[w];
  }
}

Table zeros(std::int64_t rows, std::int64_t dim, const char* name) { return {rows, dim, {.name = name}}; }

}  // namespace

class WordVectorTrainer::Impl {
 public:
  Impl(std::span<const std::int64_t> counts, const WordVectorOptions& options);

  void train(std::span<const std::int32_t> words);
  void end_epoch();
  [[nodiscard]] WordVectorProgress progress() const noexcept;
  [[nodiscard]] WordVectorState state() const;
  void restore(const WordVectorState& state, const ConstTableView& vectors, const ConstTableView& output_vectors);

  [[nodiscard]] const WordVectorOptions& options() const noexcept { return options_; }
  [[nodiscard]] ConstTableView view(const Table& table) const noexcept {
    return {table.data(), words(), options_.dim, model_.dim, table.name()};
  }
  [[nodiscard]] ConstTableView vectors() const noexcept { return view(vectors_); }
  [[nodiscard]] ConstTableView output_vectors() const noexcept { return view(output_vectors_); }

 private:
  [[nodiscard]] std::int64_t words() const noexcept { return vectors_.rows(); }
  /// Of a full batch.
  [[nodiscard]] std::int64_t tiles() const noexcept { return (options_.batch + kTile - 1) / kTile; }
  /// How many of a state's words belong to the batch before.
  [[nodiscard]] std::int64_t first_after(std::int64_t batches) const noexcept {
    return std::min(model_.window, batches * options_.batch);
  }
  void lay_out();
  void check_not_done(const char* call) const;
  void check_state(const WordVectorState& state) const;
  /// The learning rate after `words` words of the epoch.
  [[nodiscard]] double alpha(std::int64_t words) const noexcept;
  const std::uint32_t* random_of(std::int64_t word);
  std::size_t keep(std::span<const std::int32_t> words_read);
  void run_batches(std::span<const std::int64_t> words_read, std::int64_t count) noexcept;
  void begin_epoch() noexcept;

  static constexpr std::int64_t kRandomWords = 1024;
  /// The most batches that are trained in one parallel region.
  static constexpr std::int64_t kBatchesAtOnce = 64;

  WordVectorOptions options_;
  std::int64_t epoch_words_ = 0;
  Table vectors_;
  Table output_vectors_;
  Workspace words_memory_;
  Workspace memory_;
  std::vector<word_vectors::Tile> tiles_;
  word_vectors::Model model_{};
  word_vectors::Key keep_key_{};
  std::uint32_t* keep_ = nullptr;           // of each word: sampling.hpp
  word_vectors::Alias* aliases_ = nullptr;  // of each word
  std::uint32_t* random_ = nullptr;         // of kRandomWords words of the epoch, from random_begin_ on
  std::int64_t random_begin_ = -1;

  // The kept words that batches still need: `first_` of the batch before, then those that wait. There is room for one
  // more, because a word is written before it is known whether it is kept.
  std::int32_t* ids_ = nullptr;
  std::uint8_t* begins_ = nullptr;  // whether each is the first of its sentence
  std::int64_t first_ = 0;
  std::int64_t size_ = 0;
  std::vector<std::int64_t> full_;  // for each full batch that waits: how many words of the epoch had been read then

  std::int64_t epoch_ = 0;
  std::int64_t read_ = 0;            // words of this epoch
  std::int64_t sentence_words_ = 0;  // of the present sentence
  bool begins_next_ = true;          // whether the next kept word is the first of its sentence
  std::int64_t batches_ = 0;
  double loss_ = 0;
};

WordVectorTrainer::Impl::Impl(std::span<const std::int64_t> counts, const WordVectorOptions& options)
    : options_(options) {
  check_options(options);
  check_counts(counts);
  const FpEnvironment environment;
  for (const std::int64_t count : counts) epoch_words_ += count;
  const auto n = static_cast<std::int64_t>(counts.size());
  const auto key = [&](RandomPurpose purpose) { return stream_key({.seed = options.seed, .purpose = purpose}); };
  keep_key_ = key(RandomPurpose::word_vector_keep);
  model_ = {.kind = options.model,
            .dim = (options.dim + 15) / 16 * 16,
            .window = options.window,
            .samples = options.shared_negatives,
            .sample_weight = static_cast<double>(options.negative) / options.shared_negatives,
            .words = counts.size(),
            .aliases = nullptr,
            .vectors = nullptr,
            .output_vectors = nullptr,
            .zeros = nullptr,
            .window_key = key(RandomPurpose::word_vector_window),
            .sample_key = key(RandomPurpose::word_vector_sample)};
  vectors_ = zeros(n, model_.dim, "vectors");
  output_vectors_ = zeros(n, model_.dim, "output_vectors");
  words_memory_.reserve(counts.size() * (sizeof(word_vectors::Alias) + sizeof(std::uint32_t)), "word vectors");
  aliases_ = reinterpret_cast<word_vectors::Alias*>(words_memory_.data());
  keep_ = reinterpret_cast<std::uint32_t*>(aliases_ + counts.size());
  word_vectors::make_keep(counts, options.sample, keep_);
  if (options.batch == 0) {
    const bool cbow = options.model == WordVectorModel::cbow;
    options_.batch = word_vectors::choose_batch(counts, keep_, options.alpha, cbow);
  }
  lay_out();

  const auto bound = static_cast<float>(1.0 / static_cast<double>(options.dim));
  initialize({vectors_.data(), n, options.dim, model_.dim, vectors_.name()}, Initializer::uniform(-bound, bound),
             {.seed = options.seed, .name = "vectors"});
  Workspace scratch(counts.size() * (sizeof(double) + sizeof(std::int32_t)));
  auto* const shares = reinterpret_cast<double*>(scratch.data());
  word_vectors::make_aliases(counts, aliases_, shares, reinterpret_cast<std::int32_t*>(shares + counts.size()));
}

/// Allocates the memory that batches need.
void WordVectorTrainer::Impl::lay_out() {
  tiles_.reserve(static_cast<std::size_t>(tiles()));
  full_.reserve(kBatchesAtOnce);
  for (const bool counting : {true, false}) {
    Carver memory(counting ? nullptr : memory_.data());
    random_ = memory.take<std::uint32_t>(kRandomWords);
    const std::int64_t most = kBatchesAtOnce * options_.batch + 2 * model_.window + 1;
    ids_ = memory.take<std::int32_t>(most);
    begins_ = memory.take<std::uint8_t>(most);
    auto* const zero_row = memory.take<float>(model_.dim);
    tiles_.clear();
    for (std::int64_t t = 0; t < tiles(); ++t) tiles_.emplace_back(model_, memory);
    if (counting) {
      memory_.reserve(memory.used(), "word vectors");
      continue;
    }
    std::fill_n(zero_row, model_.dim, 0.0F);
    model_.zeros = zero_row;
  }
  model_.aliases = aliases_;
  model_.vectors = vectors_.data();
  model_.output_vectors = output_vectors_.data();
}

void WordVectorTrainer::Impl::check_not_done(const char* call) const {
  if (epoch_ == options_.epochs) {
    fail(std::string(call) + " after the last of " + std::to_string(options_.epochs) + " epochs has ended");
  }
}

double WordVectorTrainer::Impl::alpha(std::int64_t words) const noexcept {
  const double all = static_cast<double>(epoch_words_) * options_.epochs;
  const double done = static_cast<double>(epoch_words_) * static_cast<double>(epoch_) + static_cast<double>(words);
  const double alpha = options_.alpha - (options_.alpha - options_.min_alpha) * (done / all);
  return std::max(alpha, options_.min_alpha);
}

/// The random word of word `word` of the epoch, and those after it to the end of random_.
const std::uint32_t* WordVectorTrainer::Impl::random_of(std::int64_t word) {
  const std::int64_t begin = word / kRandomWords * kRandomWords;
  if (begin != random_begin_) {
    word_vectors::random_words(keep_key_, static_cast<std::uint64_t>(begin), static_cast<std::uint32_t>(epoch_),
                               random_, kRandomWords);
    random_begin_ = begin;
  }
  return random_ + (word - begin);
}

void WordVectorTrainer::Impl::train(std::span<const std::int32_t> words_read) {
  check_not_done("train");
  const auto count = static_cast<std::int64_t>(words_read.size());
  if (count > 0 && words_read.data() == nullptr) fail("words (" + std::to_string(count) + ") has a null pointer");
  const auto last = static_cast<std::int32_t>(words() - 1);
  if (const std::int64_t bad = kernels().find_bad_id_i32({words_read.data(), count, kSentenceEnd, last}); bad < count) {
    const std::int32_t value = words_read[static_cast<std::size_t>(bad)];
    throw IdError(std::string(kStart) + "words[" + std::to_string(bad) + "] = " + std::to_string(value) +
                      "; allowed: 0 to " + std::to_string(last) + ", and kSentenceEnd (-1)",
                  bad, value);
  }
  const FpEnvironment environment;
  for (std::size_t next = 0; next < words_read.size();) {
    next += keep(words_read.subspan(next));
    if (!full_.empty()) run_batches(full_, options_.batch);
    full_.clear();
  }
}

/// Keeps or drops words until kBatchesAtOnce batches have theirs. Returns how many it took.
std::size_t WordVectorTrainer::Impl::keep(std::span<const std::int32_t> words_read) {
  // In local variables: a store through begins_, which points to bytes, may alias any member.
  std::int32_t* const ids = ids_;
  std::uint8_t* const begins = begins_;
  std::int64_t size = size_;
  std::int64_t sentence_words = sentence_words_;
  bool begins_next = begins_next_;
  std::int64_t fills = first_ + options_.batch + model_.window;  // the size with which a batch has its words
  const auto count = static_cast<std::int64_t>(words_read.size());
  std::int64_t next = 0;
  while (next < count && full_.size() < kBatchesAtOnce) {
    const std::uint32_t* const random = random_of(read_);
    const std::int64_t run = std::min(count - next, random_ + kRandomWords - random);
    std::int64_t used = 0;  // random words
    for (const std::int64_t end = next + run; next < end && size < fills; ++next) {
      const std::int32_t word = words_read[static_cast<std::size_t>(next)];
      if (word == kSentenceEnd || sentence_words == kMaxSentenceWords) {
        begins_next = true;
        sentence_words = 0;
        if (word == kSentenceEnd) continue;
      }
      ++sentence_words;
      const bool kept = random[used++] <= keep_[word];
      ids[size] = word;
      begins[size] = begins_next ? 1 : 0;
      size += kept ? 1 : 0;
      begins_next = begins_next && !kept;
    }
    read_ += used;
    if (size == fills) {
      full_.push_back(read_);
      fills += options_.batch;
    }
  }
  size_ = size;
  sentence_words_ = sentence_words;
  begins_next_ = begins_next;
  return static_cast<std::size_t>(next);
}

/// Runs a batch of `count` positions for each element of words_read: how many words of the epoch had been read then.
void WordVectorTrainer::Impl::run_batches(std::span<const std::int64_t> words_read, std::int64_t count) noexcept {
  word_vectors::TileInput inputs[kBatchesAtOnce];
  word_vectors::TileLoss losses[kBatchesAtOnce];
  std::int64_t done = first_;
  for (std::size_t b = 0; b < words_read.size(); ++b, done += count) {
    const std::int64_t number = batches_++;
    inputs[b] = {.ids = ids_ + done,
                 .begins = begins_ + done,
                 .before = std::min(done, model_.window),
                 .after = std::min(size_ - done, count + model_.window),
                 .count = count,
                 .epoch = static_cast<std::uint32_t>(epoch_),
                 .position = static_cast<std::uint64_t>(number * options_.batch),
                 .number = static_cast<std::uint64_t>(number * tiles()),
                 .alpha = alpha(words_read[b])};
  }
  train_batches(model_, {inputs, words_read.size()}, tiles_, losses);
  for (std::size_t b = 0; b < words_read.size(); ++b) {
    if (losses[b].predictions == 0) continue;
    constexpr double kSmooth = 256;
    const double mean = losses[b].sum / static_cast<double>(losses[b].predictions);
    loss_ = loss_ == 0 ? mean : loss_ + (mean - loss_) / kSmooth;
  }
  // What the next batch's windows may reach stays.
  const std::int64_t stays = std::min(done, model_.window);
  const std::int64_t begin = done - stays;
  std::copy(ids_ + begin, ids_ + size_, ids_);
  std::copy(begins_ + begin, begins_ + size_, begins_);
  size_ -= begin;
  first_ = stays;
}

void WordVectorTrainer::Impl::begin_epoch() noexcept {
  first_ = 0;
  size_ = 0;
  read_ = 0;
  sentence_words_ = 0;
  begins_next_ = true;
  batches_ = 0;
  random_begin_ = -1;
}

void WordVectorTrainer::Impl::end_epoch() {
  check_not_done("end_epoch");
  const FpEnvironment environment;
  while (first_ < size_) run_batches({&read_, 1}, std::min(options_.batch, size_ - first_));
  ++epoch_;
  begin_epoch();
}

WordVectorProgress WordVectorTrainer::Impl::progress() const noexcept {
  const FpEnvironment environment;
  return {static_cast<int>(epoch_), read_, epoch_words_, alpha(read_), loss_};
}

WordVectorState WordVectorTrainer::Impl::state() const {
  WordVectorState state{epoch_, read_, sentence_words_, batches_, loss_, {}};
  for (std::int64_t p = 0; p < size_; ++p) {
    if (begins_[p] != 0) state.pending.push_back(kSentenceEnd);
    state.pending.push_back(ids_[p]);
  }
  if (begins_next_) state.pending.push_back(kSentenceEnd);
  return state;
}

void WordVectorTrainer::Impl::check_state(const WordVectorState& state) const {
  check_range("state.epoch", state.epoch, std::int64_t{0}, std::int64_t{options_.epochs});
  check_range("state.words", state.words, std::int64_t{0}, kMaxWords);
  check_range("state.sentence_words", state.sentence_words, std::int64_t{0}, kMaxSentenceWords);
  check_range("state.batches", state.batches, std::int64_t{0}, state.words / options_.batch);
  check_range("state.loss", state.loss, 0.0, std::numeric_limits<double>::max());
  const std::span<const std::int32_t> pending = state.pending;
  for (std::size_t p = 0; p < pending.size(); ++p) {
    if (pending[p] >= kSentenceEnd && pending[p] < words()) continue;
    throw IdError(std::string(kStart) + "state.pending[" + std::to_string(p) + "] = " + std::to_string(pending[p]) +
                      "; allowed: 0 to " + std::to_string(words() - 1) + ", and kSentenceEnd (-1)",
                  static_cast<std::int64_t>(p), pending[p]);
  }
  const auto waiting = static_cast<std::int64_t>(pending.size()) - std::ranges::count(pending, kSentenceEnd);
  const std::int64_t first = first_after(state.batches);
  check_range("state.pending's number of words", waiting, first, first + options_.batch + model_.window - 1);
}

void WordVectorTrainer::Impl::restore(const WordVectorState& state, const ConstTableView& vectors,
                                      const ConstTableView& output_vectors) {
  constexpr std::string_view kOp = "word_vectors";
  const auto check_table = [&](const char* name, const ConstTableView& table) {
    check_view(kOp, name, table);
    check_format(kOp, name, table, {Format::f32});
    check_shape(kOp, name, table, words(), options_.dim, "words x dim of the trainer");
  };
  check_table("vectors", vectors);
  check_table("output_vectors", output_vectors);
  check_state(state);

  const auto copy = [&](const ConstTableView& from, Table& to) {
    for (std::int64_t r = 0; r < words(); ++r) {
      std::memmove(to.data() + r * model_.dim, from.row(r).data(), from.row(r).size_bytes());
    }
  };
  copy(vectors, vectors_);
  copy(output_vectors, output_vectors_);
  begin_epoch();
  epoch_ = state.epoch;
  read_ = state.words;
  sentence_words_ = state.sentence_words;
  batches_ = state.batches;
  loss_ = state.loss;
  first_ = first_after(batches_);
  begins_next_ = false;
  for (const std::int32_t word : state.pending) {
    if (word == kSentenceEnd) {
      begins_next_ = true;
      continue;
    }
    ids_[size_] = word;
    begins_[size_] = begins_next_ ? 1 : 0;
    ++size_;
    begins_next_ = false;
  }
}

WordVectorTrainer::WordVectorTrainer(std::span<const std::int64_t> counts, const WordVectorOptions& options)
    : impl_(std::make_unique<Impl>(counts, options)) {}
WordVectorTrainer::WordVectorTrainer(WordVectorTrainer&&) noexcept = default;
WordVectorTrainer& WordVectorTrainer::operator=(WordVectorTrainer&&) noexcept = default;
WordVectorTrainer::~WordVectorTrainer() = default;

void WordVectorTrainer::train(std::span<const std::int32_t> words) { impl_->train(words); }
void WordVectorTrainer::end_epoch() { impl_->end_epoch(); }
const WordVectorOptions& WordVectorTrainer::options() const noexcept { return impl_->options(); }
WordVectorProgress WordVectorTrainer::progress() const noexcept { return impl_->progress(); }
ConstTableView WordVectorTrainer::vectors() const noexcept { return impl_->vectors(); }
ConstTableView WordVectorTrainer::output_vectors() const noexcept { return impl_->output_vectors(); }
WordVectorState WordVectorTrainer::state() const { return impl_->state(); }
void WordVectorTrainer::restore(const WordVectorState& state, const ConstTableView& vectors,
                                const ConstTableView& output_vectors) {
  impl_->restore(state, vectors, output_vectors);
}

}  // namespace rowmill
