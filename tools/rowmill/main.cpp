// SPDX-License-Identifier: Apache-2.0
// The `rowmill` tool: tables on disk, from the command line.
#include <fmt/format.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "commands.hpp"
#include "interrupt.hpp"
#include "rowmill/version.hpp"
#include "standard_streams.hpp"

namespace rowmill::tool {
namespace {

const std::map<std::string, Format> kSmallFormats = {{"bf16", Format::bf16},
                                                     {"f16", Format::f16},
                                                     {"int8", Format::int8},
                                                     {"int4", Format::int4},
                                                     {"int2", Format::int2}};
const std::map<std::string, Format> kFormats = [] {
  std::map<std::string, Format> formats = kSmallFormats;
  formats.insert({{"f32", Format::f32}, {"f64", Format::f64}});
  return formats;
}();
const std::map<std::string, io::HeaderLine> kHeaders = {
    {"automatic", io::HeaderLine::automatic}, {"present", io::HeaderLine::present}, {"absent", io::HeaderLine::absent}};
const std::map<std::string, io::InvalidUtf8> kUtf8 = {
    {"keep", io::InvalidUtf8::keep}, {"replace", io::InvalidUtf8::replace}, {"refuse", io::InvalidUtf8::refuse}};
const std::map<std::string, WordVectorModel> kModels = {{"cbow", WordVectorModel::cbow},
                                                        {"skip-gram", WordVectorModel::skip_gram}};
const std::map<std::string, io::VectorsFormat> kVectorsFormats = {{"safetensors", io::VectorsFormat::safetensors},
                                                                  {"npy", io::VectorsFormat::npy},
                                                                  {"binary", io::VectorsFormat::word2vec_binary},
                                                                  {"text", io::VectorsFormat::text},
                                                                  {"glove", io::VectorsFormat::glove}};

/// An option whose value is one of the names in `choices`, which live as long as the program. CLI11's own transformers
/// print the values too, which are no text.
template <class T, class Value>
CLI::Option* add_choice(CLI::App& command, const std::string& name, Value& value,
                        const std::map<std::string, T>& choices, const std::string& what) {
  std::vector<std::string> names;
  for (const auto& [text, choice] : choices) names.push_back(text);
  return command
      .add_option_function<std::string>(
          name, [&value, &choices](const std::string& text) { value = choices.at(text); }, what)
      ->check(CLI::IsMember(names));
}

/// An option whose value is a whole number. CLI11 alone takes 010 for 8, and -1 for the largest unsigned number.
template <class T>
CLI::Option* add_whole(CLI::App& command, const std::string& name, T& value, const std::string& what,
                       T lowest = std::numeric_limits<T>::min(), T highest = std::numeric_limits<T>::max()) {
  const auto check = [lowest, highest](std::string& text) {
    T number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < lowest || number > highest) {
      return fmt::format("'{}' is no whole number of {} .. {}", text, lowest, highest);
    }
    text = fmt::format("{}", number);
    return std::string();
  };
  return command.add_option(name, value, what)->transform(CLI::Validator(check, ""))->capture_default_str();
}

/// Collects the commands. What a command was told lives in the function that it calls.
class Commands {
 public:
  explicit Commands(CLI::App& app) : app_(app) {}

  /// A command that calls f(options).
  template <class Options>
  std::pair<CLI::App&, Options&> add(const char* name, const char* what, const char* examples,
                                     int (*f)(const Options&)) {
    CLI::App& added = *app_.add_subcommand(name, what);
    added.footer(std::string("\nExamples:\n") + examples);
    added.fallthrough();  // --threads may stand behind the command
    const auto options = std::make_shared<Options>();
    added.callback([this, options, f] { chosen_ = [options, f] { return f(*options); }; });
    return {added, *options};
  }

  [[nodiscard]] int run() const { return chosen_(); }

 private:
  CLI::App& app_;
  std::function<int()> chosen_;
};

/// What every command that reads a table may be told of its file.
void add_input(CLI::App& command, InputOptions& input) {
  command
      .add_option("FILE", input.file, "A .safetensors, .npy, word2vec or GloVe file, also gzipped; - is standard input")
      ->required();
  add_whole<std::int64_t>(command, "--dim", input.load.text.dim, "Numbers of a line of a text file; 0: found out", 0,
                          1 << 24);
  add_choice(command, "--header", input.load.text.header, kHeaders,
             "Whether a text file begins with a line 'WORDS DIM'");
  add_choice(command, "--invalid-utf8", input.load.text.invalid_utf8, kUtf8, "Words of word2vec that are not UTF-8");
  command.add_flag("--json", input.json, "Print JSON, for machines");
}

/// For the commands that work on one table of the file.
void add_tensor(CLI::App& command, InputOptions& input) {
  command.add_option("--tensor", input.load.tensor, "The table of a safetensors file that holds several");
}

void add_info(Commands& commands) {
  auto [command, options] = commands.add("info", "Say what is in a file.",
                                         "  rowmill info words.safetensors\n  rowmill info words.npy --json", info);
  add_input(command, options);
}

void add_convert(Commands& commands) {
  auto [command, options] = commands.add(
      "convert", "Write the table of a file, and its words, in another format: that of the new name's end.",
      "  rowmill convert glove.6B.300d.txt words.safetensors\n"
      "  zcat cc.en.300.vec.gz | rowmill convert - words.npy\n"
      "  rowmill convert words.safetensors half.safetensors --format bf16",
      convert);
  add_input(command, options.input);
  add_tensor(command, options.input);
  command
      .add_option("OUTPUT", options.output,
                  "Ends in .safetensors, .npy, .bin (word2vec), .txt, .vec or .glove; text may be packed: .txt.gz")
      ->required();
  add_choice(command, "--format", options.format, kFormats,
             "Of the numbers: f32, f64, bf16, f16, or int8, int4, int2, rows of codes with a scale and a bias each");
}

void add_quantize(Commands& commands) {
  auto [command, options] = commands.add("quantize", "Write a table with smaller numbers.",
                                         "  rowmill quantize words.safetensors small.safetensors --format int8\n"
                                         "  rowmill quantize words.npy half.npy --format f16",
                                         convert);
  add_input(command, options.input);
  add_tensor(command, options.input);
  command.add_option("OUTPUT", options.output, "Ends in .safetensors; f16 also in .npy")->required();
  add_choice(command, "--format", options.format, kSmallFormats, "int8, int4, int2, bf16 or f16")->required();
}

void add_nearest(Commands& commands) {
  auto [command, options] = commands.add(
      "nearest", "Find the words whose vectors have the highest cosine with a word's, or with a sum of words.",
      "  rowmill nearest words.safetensors king\n"
      "  rowmill nearest words.safetensors king - man + woman -k 5\n"
      "  rowmill nearest words.safetensors --queries words.txt --json",
      nearest);
  add_input(command, options.input);
  add_tensor(command, options.input);
  CLI::Option* const words =
      command.add_option("WORD", options.expression, "A word, or words with + and - between them");
  command.add_option("--queries", options.queries, "A file with a query a line instead; - is standard input")
      ->excludes(words);
  add_whole<std::int64_t>(command, "-k,--count", options.count, "How many", 1, 1000000);
}

/// Ranges are checked by the trainer.
void add_training(Commands& commands) {
  auto [command, options] =
      commands.add("train-vectors",
                   "Train word vectors on texts (word2vec's CBOW or skip-gram with negative sampling). The same "
                   "seed gives the same file with any number of threads, on any processor.",
                   "  rowmill train-vectors text.txt -o words.safetensors\n"
                   "  zcat texts/*.gz | rowmill train-vectors - -o words.vec --dim 300 --epochs 10\n"
                   "  rowmill train-vectors big.txt -o big.bin --checkpoint big.safetensors --resume",
                   train_vectors);
  WordVectorOptions& training = options.training;
  command
      .add_option("INPUT", options.inputs,
                  "Texts, also gzipped; - is standard input. Words end at white space, sentences at the end of a line")
      ->required();
  command
      .add_option("-o,--output", options.output,
                  "Where the vectors go: ends in .safetensors, .npy, .bin (word2vec), .txt, .vec or .glove")
      ->required();
  add_choice(command, "--format", options.format, kVectorsFormats, "In place of what the output's name ends in");
  add_choice(command, "--model", training.model, kModels, "What predicts a word")->default_str("cbow");
  const auto add = [&command = command](const char* name, double& value, const char* what) {
    return command.add_option(name, value, what)->capture_default_str();
  };
  add_whole(command, "--dim", training.dim, "Numbers of a vector");
  add_whole(command, "--window", training.window, "The most words on each side of a word that predict it");
  add_whole(command, "--negative", training.negative, "What the negative samples of a word weigh together");
  add_whole(command, "--shared-negatives", training.shared_negatives,
            "How many are drawn for 16 words together: 8, 16, ... 64");
  add_whole(command, "--min-count", options.min_count, "Leave out words that occur less often");
  add_whole(command, "--max-vocabulary", options.max_vocabulary, "Keep only so many words, the most frequent; 0: all");
  add("--sample", training.sample, "Leave out some occurrences of words more frequent than this; 0: none");
  add("--alpha", training.alpha, "Learning rate at the start");
  add("--min-alpha", training.min_alpha, "Learning rate at the end");
  add_whole(command, "--epochs", training.epochs, "Passes over the text");
  add_whole(
      command, "--batch", training.batch,
      "Words that see the same vectors: 4, 8, ... 128, or 256, 512, ... 65536; 0: 1024, fewer for a small vocabulary");
  add_whole(command, "--seed", training.seed, "Another seed gives other vectors, as good");
  command.add_option("--checkpoint", options.checkpoint, "A file that --resume goes on from, with the same bits");
  add("--checkpoint-seconds", options.checkpoint_seconds, "Write it so often, and after SIGINT or SIGTERM")
      ->needs("--checkpoint");
  command.add_flag("--resume", options.resume, "Go on from the checkpoint; begin if there is none yet")
      ->needs("--checkpoint");
  command.add_flag("--json", options.json, "Print a summary as JSON, for machines");
}

void add_verify(Commands& commands) {
  auto [command, options] =
      commands.add("verify", "Check that a file is whole: its structure, its checksums, no NaN and no infinity.",
                   "  rowmill verify checkpoint.safetensors", verify);
  add_input(command, options);
}

void add_bench(Commands& commands) {
  auto [command, options] =
      commands.add("bench", "Time an operation on a table in memory.",
                   "  rowmill bench --operation pool --rows 10000000 --dim 64 --ids 200000", bench);
  command.add_option("--operation", options.operation, "gather, pool, or adam (plan and step)")
      ->check(CLI::IsMember({"gather", "pool", "adam"}))
      ->capture_default_str();
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  add_whole<std::int64_t>(command, "--rows", options.rows, "Rows of the table", 1, kMost);
  add_whole<std::int64_t>(command, "--dim", options.dim, "Its columns", 1, kMost);
  add_whole<std::int64_t>(command, "--ids", options.ids, "Ids of a call", 1, kMost);
  CLI::Option* const bag = add_whole<std::int64_t>(command, "--bag", options.bag, "Ids of a bag, for pool", 1, kMost);
  command.add_option("--seconds", options.seconds, "How long to measure")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  command.add_flag("--json", options.json, "Print JSON, for machines");
  command.parse_complete_callback([bag, &operation = options.operation] {
    if (bag->count() > 0 && operation != "pool") {
      throw CLI::ValidationError("--bag", "is an option of --operation pool, and not of " + operation);
    }
  });
}

/// The version is that of the library.
std::string version() {
  return fmt::format("rowmill {}.{}.{}", ROWMILL_VERSION_MAJOR, ROWMILL_VERSION_MINOR, ROWMILL_VERSION_PATCH);
}

int run(int argc, char** argv) {
  CLI::App app("Embedding tables on disk.", "rowmill");
  app.require_subcommand(1);
  app.set_version_flag("--version", version());
  int threads = 0;
  add_whole(app, "--threads", threads, "Threads to use; 0: all", 0, 4096);
  Commands commands(app);
  for (const auto add : {add_info, add_convert, add_quantize, add_nearest, add_training, add_verify, add_bench}) {
    add(commands);
  }

  CLI11_PARSE(app, argc, argv);
  const int count = threads > 0 ? threads : tbb::info::default_concurrency();
  const tbb::global_control control(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(count));
  tbb::task_arena arena(count);
  const int status = arena.execute([&] { return commands.run(); });
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    throw std::runtime_error("standard output: cannot be written");
  return status;
}

}  // namespace
}  // namespace rowmill::tool

int main(int argc, char** argv) {
  rowmill::tool::open_standard_streams();
  rowmill::tool::catch_interrupts();
  try {
    return rowmill::tool::run(argc, argv);
  } catch (const rowmill::tool::Interrupted& interrupted) {
    rowmill::tool::say("\nrowmill: interrupted; nothing was written\n");
    rowmill::tool::end_by(interrupted.signal);
    return 128 + interrupted.signal;
  } catch (const std::exception& error) {
    const std::string_view what = error.what();
    rowmill::tool::say(fmt::format("{}{}\n", what.starts_with("rowmill: ") ? "" : "rowmill: ", what));
    return 1;
  }
}
