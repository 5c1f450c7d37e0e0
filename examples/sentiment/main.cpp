// SPDX-License-Identifier: Apache-2.0
// A sentiment classifier of short texts: Embedding -> Mean -> Dense -> LogSoftmax. See README.md beside this file.
#include <fmt/format.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <map>
#include <numeric>
#include <random>

#include "corpus.hpp"
#include "model.hpp"
#include "vectors.hpp"
#include "vocabulary.hpp"

namespace sentiment {
namespace {

struct Options {
  std::string train, test, save, load;
  std::int64_t epochs = 10;
  std::int64_t batch = 16;
  std::int64_t min_count = 1;
  int threads = 0;
  bool hexfloat = false;
  ModelOptions model;
};

/// The signal that asked the program to stop, 0 if none did.
volatile std::sig_atomic_t stop_signal = 0;

/// From now on SIGINT (Ctrl-C) and SIGTERM end the training after the batch at hand, and a second one the program.
/// Before, there is nothing to save, and they end the program as they always do.
void stop_on_signals() {
  const auto remember = [](int signal) {
    stop_signal = signal;
    std::signal(signal, SIG_DFL);
  };
  std::signal(SIGINT, remember);
  std::signal(SIGTERM, remember);
}

/// Fisher-Yates with raw words of the generator: std::shuffle differs between standard libraries.
void shuffle(std::vector<std::int64_t>& order, std::mt19937_64& random) {
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random() % i]);
}

[[noreturn]] void fail_diverged(std::int64_t epoch, const Options& options) {
  throw UserError(
      fmt::format("epoch {}: the loss or a weight is no longer a finite number; a --learning-rate below {} may help{}",
                  epoch, options.model.learning_rate, options.save.empty() ? "" : "; nothing is saved"));
}

/// Trains one epoch, or a part of one if a signal stops it; returns the mean loss of the texts it has trained. Throws
/// UserError once a loss is not a number.
double train_epoch(Model& model, const EncodedCorpus& corpus, std::span<const std::int64_t> order, std::int64_t epoch,
                   const Options& options) {
  const bool show_progress = isatty(STDERR_FILENO) != 0;
  double loss = 0;
  std::size_t done = 0;
  for (std::int64_t step = 0; done < order.size() && stop_signal == 0; ++step) {
    const std::size_t size = std::min(static_cast<std::size_t>(options.batch), order.size() - done);
    loss += model.train(corpus, order.subspan(done, size));
    done += size;
    if (!std::isfinite(loss)) fail_diverged(epoch, options);
    if (show_progress && step % 64 == 0) fmt::print(stderr, "\repoch {}: {:3} %", epoch, 100 * done / order.size());
  }
  if (show_progress) fmt::print(stderr, "\r{:20}\r", "");
  return loss / static_cast<double>(done);
}

/// The words of the training texts, or those that --load names. Throws UserError if the texts have none of these.
Vocabulary make_vocabulary(const std::vector<Text>& texts, const Options& options) {
  if (options.load.empty()) return Vocabulary(texts, options.model.rows, options.min_count);
  Vocabulary vocabulary(load_words(options.load));
  const auto is_known = [&](const std::string& word) { return vocabulary.id(word) != kUnknown; };
  const auto has_known = [&](const Text& text) { return std::ranges::any_of(tokenize(text.words), is_known); };
  if (std::ranges::none_of(texts, has_known)) {
    throw UserError(fmt::format("{}.words.txt: none of its {} words is in the training texts", options.load,
                                vocabulary.words().size()));
  }
  return vocabulary;
}

void save(const Options& options, const Vocabulary& vocabulary, const Model& model) {
  // One name for every row: rows past the vocabulary are never looked up.
  std::vector<std::string> words = vocabulary.words();
  while (static_cast<std::int64_t>(words.size()) < options.model.rows) {
    words.push_back(fmt::format("<unused {}>", words.size()));
  }
  save_vectors(options.save, model.vectors(), words);
  fmt::print("vectors saved to {0}.npy, words to {0}.words.txt\n", options.save);
}

int run(const Options& options) {
  if (options.train.empty() != options.test.empty()) {
    throw UserError("a file to train on and one to test on belong together");
  }
  if (!options.save.empty()) check_can_save(options.save);
  Model model(options.model);
  if (!options.load.empty()) {
    rowmill::Table loaded(options.model.rows, options.model.dim);
    load_vectors(options.load, loaded);
    model.set_vectors(loaded);
  }

  const bool synthetic = options.train.empty();
  const std::vector<Text> train_texts = synthetic ? synthetic_corpus(10000, 1) : read_corpus(options.train);
  const std::vector<Text> test_texts = synthetic ? synthetic_corpus(2000, 2) : read_corpus(options.test);
  const Vocabulary vocabulary = make_vocabulary(train_texts, options);
  if (std::ssize(vocabulary.words()) > options.model.rows) {
    throw UserError(fmt::format("{0}.words.txt: {1} words for the {2} vectors of {0}.npy", options.load,
                                vocabulary.words().size(), options.model.rows));
  }
  const EncodedCorpus train(train_texts, vocabulary);
  const EncodedCorpus test(test_texts, vocabulary);
  fmt::print("{}: {} texts, {} words, vocabulary {}; instruction set {}, {} threads\n",
             synthetic ? "synthetic corpus" : options.train, train.size(), train.ids.size(), vocabulary.words().size(),
             rowmill::isa_name(), tbb::this_task_arena::max_concurrency());
  if (!options.load.empty()) fmt::print("vectors loaded from {}.npy\n", options.load);

  std::vector<std::int64_t> order(static_cast<std::size_t>(train.size()));
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 random(options.model.seed);
  fmt::print("epoch      loss   seconds    words/s     train      test\n");
  stop_on_signals();
  std::int64_t epoch = 0;
  while (epoch < options.epochs && stop_signal == 0) {
    ++epoch;
    shuffle(order, random);
    const auto begin = std::chrono::steady_clock::now();
    const double loss = train_epoch(model, train, order, epoch, options);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    if (stop_signal != 0) break;
    fmt::print("{:5}  {}  {:8.3f}  {:9.0f}  {:8.4f}  {:8.4f}\n", epoch,
               options.hexfloat ? fmt::format("{:a}", loss) : fmt::format("{:8.5f}", loss), seconds.count(),
               static_cast<double>(train.ids.size()) / seconds.count(), model.accuracy(train), model.accuracy(test));
    std::fflush(stdout);
  }
  if (!model.is_finite()) fail_diverged(epoch, options);
  if (stop_signal != 0) fmt::print(stderr, "sentiment: stopped by signal {} in epoch {}\n", stop_signal, epoch);
  fmt::print("hash of the weights: {:016x}\n", model.hash());
  if (!options.save.empty()) save(options, vocabulary, model);
  return stop_signal == 0 ? 0 : 128 + stop_signal;
}

}  // namespace
}  // namespace sentiment

int main(int argc, char** argv) {
  sentiment::Options options;
  CLI::App app("Trains a sentiment classifier, Embedding -> Mean -> Dense -> LogSoftmax, on lines of label<TAB>text.");
  app.add_option("train", options.train, "File to train on; without it, a built-in synthetic corpus");
  app.add_option("test", options.test, "File to test on");
  app.add_option("--epochs", options.epochs, "Times to go through the texts")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  app.add_option("--batch", options.batch, "Texts per step")->check(CLI::Range(1, 100000))->capture_default_str();
  app.add_option("--rows", options.model.rows, "Size of the vocabulary, padding and unknown included")
      ->check(CLI::Range(2, 100000000))
      ->capture_default_str();
  app.add_option("--dim", options.model.dim, "Features of a word")->check(CLI::Range(1, 100000))->capture_default_str();
  app.add_option("--min-count", options.min_count, "Words seen less often are unknown")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--learning-rate", options.model.learning_rate, "Of Adam")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  const std::map<std::string, rowmill::Format> formats = {
      {"f32", rowmill::Format::f32}, {"bf16", rowmill::Format::bf16}, {"f16", rowmill::Format::f16}};
  app.add_option("--format", options.model.format, "Of the vectors while they are trained")
      ->transform(CLI::CheckedTransformer(formats))
      ->default_str("f32");
  const std::map<std::string, rowmill::Rounding> roundings = {{"nearest", rowmill::Rounding::nearest},
                                                              {"stochastic", rowmill::Rounding::stochastic}};
  app.add_option("--rounding", options.model.rounding, "Of updated vectors of 16 bits")
      ->transform(CLI::CheckedTransformer(roundings))
      ->default_str("nearest");
  CLI::Option* const split =
      app.add_flag("--split", options.model.split, "Of bf16: keep the lower halves of floats beside the vectors");
  app.add_flag("--join", options.model.join, "Of split vectors: look up the floats, for float32's bits; slow")
      ->needs(split);
  app.add_option("--seed", options.model.seed, "Of the initial weights and the order of texts")->capture_default_str();
  app.add_option("--threads", options.threads, "Threads to use; 0: all")->check(CLI::Range(0, 4096));
  app.add_option("--save", options.save, "Save the vectors as PREFIX.npy and PREFIX.words.txt")->type_name("PREFIX");
  app.add_option("--load", options.load, "Start from vectors saved before, and their words")->type_name("PREFIX");
  app.add_flag("--hexfloat", options.hexfloat, "Print losses exactly");
  CLI11_PARSE(app, argc, argv);

  try {
    const int threads = options.threads > 0 ? options.threads : tbb::info::default_concurrency();
    const tbb::global_control control(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads));
    tbb::task_arena arena(threads);
    const int status = arena.execute([&] { return sentiment::run(options); });
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      throw sentiment::UserError("standard output: cannot be written");
    }
    return status;
  } catch (const std::exception& e) {
    fmt::print(stderr, "sentiment: {}\n", sentiment::message_of(e));
    return 1;
  }
}
