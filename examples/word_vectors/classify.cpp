// SPDX-License-Identifier: Apache-2.0
// Trains the classifier of examples/sentiment from given word vectors or random ones, frozen or not, and prints after
// each epoch how many texts of three files it classifies right. experiment.py runs it: see README.md beside this file.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <tbb/global_control.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "corpus.hpp"
#include "model.hpp"
#include "vectors.hpp"
#include "vocabulary.hpp"

namespace sentiment {
namespace {

struct Options {
  std::string train, validation, test, load, save;
  std::vector<double> learning_rates = {0.0005};
  std::vector<double> vector_rates = {1};
  std::int64_t epochs = 10;
  std::int64_t batch = 16;
  ModelOptions model;
};

/// What a training gave: a number for each epoch.
struct Curve {
  std::vector<double> loss, train, validation, test;
};

/// Fisher-Yates with raw words of the generator: std::shuffle differs between standard libraries.
void shuffle(std::vector<std::int64_t>& order, std::mt19937_64& random) {
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random() % i]);
}

double train_epoch(Model& model, const EncodedCorpus& corpus, std::span<const std::int64_t> order, std::int64_t batch) {
  double loss = 0;
  for (std::size_t done = 0; done < order.size(); done += static_cast<std::size_t>(batch)) {
    loss += model.train(corpus, order.subspan(done, std::min(static_cast<std::size_t>(batch), order.size() - done)));
  }
  return loss / static_cast<double>(order.size());
}

/// The share of words that the vocabulary lacks.
double unknown_share(const EncodedCorpus& corpus) {
  return static_cast<double>(std::ranges::count(corpus.ids, kUnknown)) / static_cast<double>(corpus.ids.size());
}

std::string json(const Curve& curve, const ModelOptions& model) {
  return fmt::format(
      R"({{"learning_rate": {}, "vector_rate": {}, "loss": [{:.5f}], "train": [{:.4f}], "validation": [{:.4f}], )"
      R"("test": [{:.4f}]}})",
      model.learning_rate, model.vector_rate, fmt::join(curve.loss, ", "), fmt::join(curve.train, ", "),
      fmt::join(curve.validation, ", "), fmt::join(curve.test, ", "));
}

Curve train_model(Model& model, const EncodedCorpus& train, const EncodedCorpus& validation, const EncodedCorpus& test,
                  const Options& options) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(train.size()));
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 random(options.model.seed);
  Curve curve;
  for (std::int64_t epoch = 0; epoch < options.epochs; ++epoch) {
    shuffle(order, random);
    curve.loss.push_back(train_epoch(model, train, order, options.batch));
    curve.train.push_back(model.accuracy(train));
    curve.validation.push_back(model.accuracy(validation));
    curve.test.push_back(model.accuracy(test));
  }
  if (!model.is_finite()) {
    throw UserError(
        fmt::format("learning rate {}: a weight is no longer a finite number", options.model.learning_rate));
  }
  return curve;
}

void run(Options options) {
  const std::vector<Text> texts = read_corpus(options.train);
  const bool loads = !options.load.empty();
  const Vocabulary vocabulary =
      loads ? Vocabulary(load_words(options.load)) : Vocabulary(texts, options.model.rows, /*min_count=*/1);
  options.model.rows = std::ssize(vocabulary.words());
  const EncodedCorpus train(texts, vocabulary);
  const EncodedCorpus validation(read_corpus(options.validation), vocabulary);
  const EncodedCorpus test(read_corpus(options.test), vocabulary);
  if (!options.save.empty()) check_can_save(options.save);

  std::vector<std::string> runs;
  for (const double learning_rate : options.learning_rates) {
    for (const double vector_rate : options.vector_rates) {
      options.model.learning_rate = learning_rate;
      options.model.vector_rate = vector_rate;
      Model model(options.model);
      // A word that no training text has stands for nothing: to random vectors as to loaded ones.
      rowmill::Table vectors = model.vectors();
      std::ranges::fill(vectors.view().row(kUnknown), 0.0F);
      if (loads) load_vectors(options.load, vectors);
      model.set_vectors(vectors);
      const Curve curve = train_model(model, train, validation, test, options);
      runs.push_back(json(curve, options.model));
      if (!options.save.empty()) save_vectors(options.save, model.vectors(), vocabulary.words());
    }
  }
  fmt::print(R"({{"texts": {}, "vocabulary": {}, "parameters": {}, "unknown_train": {:.5f}, "unknown_test": {:.5f},)"
             "\n \"runs\": [{}]}}\n",
             train.size(), options.model.rows, options.model.rows * options.model.dim, unknown_share(train),
             unknown_share(test), fmt::join(runs, ",\n  "));
}

}  // namespace
}  // namespace sentiment

int main(int argc, char** argv) {
  sentiment::Options options;
  options.model.rows = 100000000;
  CLI::App app("Trains a sentiment classifier from given word vectors and prints its accuracies as JSON.");
  app.add_option("train", options.train, "Lines of label<TAB>text to train on")->required();
  app.add_option("validation", options.validation, "Others, to choose the learning rate and the epoch by")->required();
  app.add_option("test", options.test, "Others, to test on")->required();
  app.add_option("--load", options.load, "Start from PREFIX.npy and PREFIX.words.txt; without it, from random vectors")
      ->type_name("PREFIX");
  app.add_option("--dim", options.model.dim, "Features of a word")->check(CLI::Range(1, 100000))->capture_default_str();
  app.add_option("--learning-rates", options.learning_rates, "Of Adam: a training for each")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--vector-rates", options.vector_rates,
                 "The vectors' own, in units of those; 0: they stay as they are")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--epochs", options.epochs, "Times to go through the texts")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--batch", options.batch, "Texts per step")->check(CLI::Range(1, 100000))->capture_default_str();
  app.add_option("--seed", options.model.seed, "Of the initial weights and the order of texts")->capture_default_str();
  app.add_option("--save", options.save, "Save the vectors of the last training")->type_name("PREFIX");
  CLI11_PARSE(app, argc, argv);

  try {
    // A batch of tweets is too little work for two threads, and the experiment runs as many of these as there are
    // cores.
    const tbb::global_control one_thread(tbb::global_control::max_allowed_parallelism, 1);
    sentiment::run(options);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      throw sentiment::UserError("standard output: cannot be written");
    }
    return 0;
  } catch (const std::exception& e) {
    fmt::print(stderr, "classify: {}\n", sentiment::message_of(e));
    return 1;
  }
}
