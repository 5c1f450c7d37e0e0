// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <tbb/task_arena.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "commands.hpp"
#include "interrupt.hpp"
#include "io/file/new_file.hpp"
#include "not_finite.hpp"
#include "rowmill/io/corpus.hpp"
#include "rowmill/isa.hpp"
#include "standard_streams.hpp"
#include "training_checkpoint.hpp"
#include "training_progress.hpp"

namespace rowmill::tool {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

/// What stands on standard error although the call goes on.
void warn(const std::string& what) { say(fmt::format("rowmill: train-vectors: {}\n", what)); }

/// The word with what a terminal might not show as \xHH.
std::string printable(std::string_view word) {
  std::string text;
  for (const char c : word.substr(0, 40)) {
    const auto byte = static_cast<unsigned char>(c);
    text += byte > ' ' && byte < 127 && byte != '\\' ? std::string(1, c) : fmt::format("\\x{:02X}", byte);
  }
  return text;
}

class Training {
 public:
  explicit Training(const TrainVectorsOptions& options)
      : options_(options), format_(options.format ? *options.format : io::format_of_name(options.output)) {}

  int run();

 private:
  void check_files() const;
  void check_room(std::int64_t rows) const;
  void read();
  void make_trainer();
  /// The number of the signal that ended it, or 0.
  int train();
  void end_epoch();
  bool save_checkpoint();
  void save_vectors();
  void rescue(const std::exception& error);
  [[nodiscard]] ordered_json summary() const;

  const TrainVectorsOptions& options_;
  io::VectorsFormat format_;
  TrainingProgress progress_;
  std::optional<io::Corpus> corpus_;
  std::optional<WordVectorTrainer> trainer_;
  std::int64_t position_ = 0;        // in the corpus, of the present epoch
  bool checkpoint_written_ = false;  // and the training has not gone on since
  std::int64_t words_trained_ = 0;
  double reading_seconds_ = 0;
  double training_seconds_ = 0;
};

/// What can go wrong after hours is looked for first.
void Training::check_files() const {
  constexpr std::array<std::int64_t, 2> kCounts = {1, 1};
  const WordVectorTrainer options_are_allowed(kCounts, options_.training);
  std::error_code none;
  const fs::path words = format_ == io::VectorsFormat::npy ? io::words_path(options_.output) : fs::path();
  for (const fs::path& input : options_.inputs) {
    for (const fs::path& output : {options_.output, options_.checkpoint, words}) {
      if (input == output || fs::equivalent(input, output, none)) {
        throw std::runtime_error(output.string() + ": is an input, and is not written over");
      }
    }
  }
  if (options_.output == options_.checkpoint || (!words.empty() && words == options_.checkpoint)) {
    throw std::runtime_error(options_.checkpoint.string() +
                             ": is the checkpoint too; the vectors need a file of their own");
  }
  if (!(options_.checkpoint_seconds >= 0)) {
    throw std::runtime_error(fmt::format("--checkpoint-seconds {}: must be 0 or more", options_.checkpoint_seconds));
  }
  check_room(0);
  if (options_.checkpoint.empty() || !fs::exists(options_.checkpoint)) return;
  if (!options_.resume) {
    throw std::runtime_error(options_.checkpoint.string() +
                             ": is there already: go on from it with --resume, or remove it to begin anew");
  }
  check_checkpoint(options_);
}

/// Whether all files can be written: at least 4 bytes for a number, unless they are packed.
void Training::check_room(std::int64_t rows) const {
  const std::int64_t bytes = rows * options_.training.dim * static_cast<std::int64_t>(sizeof(float));
  const io::NewFile output(options_.output, options_.output.extension() == ".gz" ? 0 : bytes);
  std::optional<io::NewFile> words;
  if (format_ == io::VectorsFormat::npy) words.emplace(io::words_path(options_.output));
  std::optional<io::NewFile> checkpoint;
  if (!options_.checkpoint.empty()) checkpoint.emplace(options_.checkpoint, 2 * bytes);
}

void Training::read() {
  const Clock::time_point begin = Clock::now();
  corpus_.emplace(options_.inputs,
                  io::CorpusOptions{.min_count = options_.min_count,
                                    .max_words = options_.max_vocabulary,
                                    .temporary_directory = {},
                                    .progress = [&](const io::CorpusStatistics& now) { progress_.reading(now); }});
  progress_.end();
  reading_seconds_ = seconds_since(begin);
  const io::CorpusStatistics& found = corpus_->statistics();
  if (corpus_->words().size() == 1) {
    throw std::runtime_error(fmt::format("train-vectors: the vocabulary has one word, '{}'; at least two are needed",
                                         printable(corpus_->words()[0])));
  }
  if (found.stray_words > 0) {
    warn(
        fmt::format("{} of {} words in the text are not UTF-8 or hold a NUL byte, '{}' for one; they are kept as bytes",
                    found.stray_words, found.kept_words, printable(corpus_->words()[found.first_stray_word])));
  }
}

void Training::make_trainer() {
  trainer_.emplace(corpus_->counts(), options_.training);
  if (!options_.resume) return;
  if (!fs::exists(options_.checkpoint)) {
    warn(options_.checkpoint.string() + " is not there yet: the training begins");
    return;
  }
  position_ = resume_training(options_, *corpus_, *trainer_);
  checkpoint_written_ = true;
}

bool Training::save_checkpoint() {
  if (checkpoint_written_) return true;
  try {
    save_training(options_.checkpoint, options_, *corpus_, *trainer_, position_);
    checkpoint_written_ = true;
  } catch (const io::FileError& error) {
    progress_.end();
    warn(std::string(error.what()) + ": the training goes on without this checkpoint");
  }
  return checkpoint_written_;
}

/// A training that has left the range of floats never comes back, and is not worth its time.
void Training::end_epoch() {
  trainer_->end_epoch();
  position_ = 0;
  if (find_not_finite(trainer_->vectors()).rows == 0) return;
  progress_.end();
  throw std::runtime_error(
      fmt::format("train-vectors: the training diverged in epoch {}: vectors hold NaN or infinity; "
                  "a smaller --alpha or --batch prevents it",
                  trainer_->progress().epoch));
}

int Training::train() {
  constexpr std::int64_t kReadAtOnce = std::int64_t{1} << 20;
  constexpr std::int64_t kTrainAtOnce = std::int64_t{1} << 17;
  const Clock::time_point begin = Clock::now();
  Clock::time_point last_checkpoint = begin;
  const bool checkpoints = !options_.checkpoint.empty();
  if (checkpoints) note_interrupts();
  std::vector<std::int32_t> numbers(static_cast<std::size_t>(std::min(kReadAtOnce, corpus_->size())));
  while (trainer_->progress().epoch < options_.training.epochs && interrupt() == 0) {
    std::span<const std::int32_t> left =
        std::span(numbers).first(static_cast<std::size_t>(corpus_->read(position_, numbers)));
    checkpoint_written_ = false;
    if (left.empty()) end_epoch();
    while (!left.empty() && interrupt() == 0) {
      const auto piece = left.first(std::min(left.size(), static_cast<std::size_t>(kTrainAtOnce)));
      const std::int64_t before = trainer_->progress().words;
      trainer_->train(piece);
      words_trained_ += trainer_->progress().words - before;
      left = left.subspan(piece.size());
      position_ += static_cast<std::int64_t>(piece.size());
      checkpoint_written_ = false;
      progress_.training(trainer_->progress(), options_.training.epochs);
      if (checkpoints && seconds_since(last_checkpoint) >= options_.checkpoint_seconds) {
        save_checkpoint();
        last_checkpoint = Clock::now();
      }
    }
  }
  training_seconds_ = seconds_since(begin);
  progress_.end();
  return interrupt();
}

void Training::save_vectors() {
  try {
    io::save_vectors(options_.output, format_, trainer_->vectors(), corpus_->words(), {.progress = saving("writing")});
  } catch (const io::FileError& error) {
    saved();
    rescue(error);
  } catch (const Interrupted& interrupted) {
    if (!checkpoint_written_) throw;
    say(fmt::format("\nrowmill: interrupted; the vectors are in {}, and the same command with --resume writes them\n",
                    options_.checkpoint.string()));
    end_by(interrupted.signal);
  }
  saved();
}

/// The vectors must not be lost because they can't stand where they should. Throws the error, and says where they are.
void Training::rescue(const std::exception& error) {
  if (checkpoint_written_) {
    throw std::runtime_error(fmt::format("{}; the vectors are in {}, and the same command with --resume writes them",
                                         error.what(), options_.checkpoint.string()));
  }
  const fs::path elsewhere = fs::temp_directory_path() / fmt::format("rowmill-vectors-{}.safetensors", ::getpid());
  try {
    io::save_vectors(elsewhere, trainer_->vectors(), corpus_->words());
  } catch (const std::exception& second) {
    throw std::runtime_error(fmt::format("{}; nor elsewhere: {}", error.what(), second.what()));
  }
  throw std::runtime_error(fmt::format("{}; the vectors are in {}", error.what(), elsewhere.string()));
}

ordered_json Training::summary() const {
  const io::CorpusStatistics& found = corpus_->statistics();
  const WordVectorProgress now = trainer_->progress();
  const auto speed = [](std::int64_t words, double seconds) {
    return seconds > 0 ? static_cast<double>(words) / seconds : 0.0;
  };
  ordered_json result = {
      {"file", options_.output.string()},
      {"rows", corpus_->words().size()},
      {"dim", options_.training.dim},
      {"text",
       {{"bytes", found.bytes},
        {"words", found.words},
        {"distinct_words", found.distinct_words},
        {"kept_words", found.kept_words},
        {"sentences", found.sentences},
        {"stray_words", found.stray_words}}},
      {"settings", settings_of(options_)},
      {"isa", isa_name()},
      {"threads", tbb::this_task_arena::max_concurrency()},
      {"loss", now.loss},
      {"reading", {{"seconds", reading_seconds_}, {"words_per_second", speed(found.words, reading_seconds_)}}},
      {"training",
       {{"seconds", training_seconds_},
        {"words", words_trained_},
        {"words_per_second", speed(words_trained_, training_seconds_)}}}};
  return result;
}

int Training::run() {
  check_files();
  read();
  check_room(corpus_->words().size());
  make_trainer();
  if (const int signal = train(); signal != 0) {
    if (!save_checkpoint()) throw std::runtime_error("train-vectors: interrupted; nothing was written");
    say(fmt::format("rowmill: interrupted; the same command with --resume goes on from {}\n",
                    options_.checkpoint.string()));
    end_by(signal);
    return 128 + signal;
  }
  if (!options_.checkpoint.empty()) save_checkpoint();
  save_vectors();
  if (options_.json) {
    fmt::print("{}\n", summary().dump(2, ' ', false, ordered_json::error_handler_t::replace));
  }
  return 0;
}

}  // namespace

int train_vectors(const TrainVectorsOptions& options) { return Training(options).run(); }

}  // namespace rowmill::tool
