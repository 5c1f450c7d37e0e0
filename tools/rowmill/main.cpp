// SPDX-License-Identifier: Apache-2.0
// The `rowmill` tool: tables on disk, from the command line.
#include <fmt/format.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <functional>
#include <map>
#include <stdexcept>

#include "commands.hpp"
#include "interrupt.hpp"
#include "rowmill/version.hpp"

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

void add_input(CLI::App& command, InputOptions& input) {
  command
      .add_option("FILE", input.file, "A .safetensors, .npy, word2vec or GloVe file, also gzipped; - is standard input")
      ->required();
  command.add_option("--tensor", input.load.tensor, "The table of a safetensors file that holds several");
  command.add_option("--dim", input.load.text.dim, "Numbers of a line of a text file; 0: found out")
      ->check(CLI::Range(0, 1 << 24));
  command.add_option("--header", input.load.text.header, "Whether a text file begins with a line 'WORDS DIM'")
      ->transform(CLI::CheckedTransformer(kHeaders));
  command.add_option("--invalid-utf8", input.load.text.invalid_utf8, "Words that are not UTF-8")
      ->transform(CLI::CheckedTransformer(kUtf8));
  command.add_flag("--json", input.json, "Print JSON, for machines");
}

const std::map<std::string, WordVectorModel> kModels = {{"cbow", WordVectorModel::cbow},
                                                        {"skip-gram", WordVectorModel::skip_gram}};
const std::map<std::string, io::VectorsFormat> kVectorsFormats = {{"safetensors", io::VectorsFormat::safetensors},
                                                                  {"npy", io::VectorsFormat::npy},
                                                                  {"binary", io::VectorsFormat::word2vec_binary},
                                                                  {"text", io::VectorsFormat::text},
                                                                  {"glove", io::VectorsFormat::glove}};

/// What a training may be told. Ranges are checked by the trainer.
void add_training(CLI::App& command, TrainVectorsOptions& options) {
  WordVectorOptions& training = options.training;
  command
      .add_option("INPUT", options.inputs,
                  "Texts, also gzipped; - is standard input. Words end at white space, sentences at the end of a line")
      ->required();
  command
      .add_option("-o,--output", options.output,
                  "Where the vectors go: ends in .safetensors, .npy, .bin (word2vec), .txt, .vec or .glove")
      ->required();
  command
      .add_option("--format", options.format,
                  "In place of what the output's name ends in: safetensors, npy, binary, text or glove")
      ->transform(CLI::CheckedTransformer(kVectorsFormats))
      ->option_text("FORMAT");
  command.add_option("--model", training.model, "cbow or skip-gram")
      ->transform(CLI::CheckedTransformer(kModels))
      ->option_text("MODEL=cbow");
  const auto add = [&command](const char* name, auto& value, const char* what) {
    command.add_option(name, value, what)->capture_default_str();
  };
  add("--dim", training.dim, "Numbers of a vector");
  add("--window", training.window, "The most words on each side of a word that predict it");
  add("--negative", training.negative, "What the negative samples of a word weigh together");
  add("--shared-negatives", training.shared_negatives, "How many are drawn for 16 words together: 8, 16, ... 64");
  add("--min-count", options.min_count, "Leave out words that occur less often");
  add("--max-vocabulary", options.max_vocabulary, "Keep only so many words, the most frequent; 0: all");
  add("--sample", training.sample, "Leave out some occurrences of words more frequent than this; 0: none");
  add("--alpha", training.alpha, "Learning rate at the start");
  add("--min-alpha", training.min_alpha, "Learning rate at the end");
  add("--epochs", training.epochs, "Passes over the text");
  add("--batch", training.batch,
      "Words that see the same vectors: 4, 8, ... 128, or 256, 512, ... 65536; 0: 1024, fewer for a small vocabulary");
  add("--seed", training.seed, "Another seed gives other vectors, as good");
  command.add_option("--checkpoint", options.checkpoint, "A file that --resume goes on from, with the same bits");
  add("--checkpoint-seconds", options.checkpoint_seconds, "Write it so often, and after SIGINT or SIGTERM");
  command.add_flag("--resume", options.resume, "Go on from the checkpoint; begin if there is none yet")
      ->needs("--checkpoint");
  command.add_flag("--json", options.json, "Print a summary as JSON, for machines");
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
  app.add_option("--threads", threads, "Threads to use; 0: all")->check(CLI::Range(0, 4096));
  std::function<int()> command;
  const auto add_command = [&](const char* name, const char* what, const char* examples, std::function<int()> f) {
    CLI::App* const added = app.add_subcommand(name, what);
    added->footer(std::string("\nExamples:\n") + examples);
    added->fallthrough();  // --threads may stand behind the command
    added->callback([&command, f = std::move(f)] { command = f; });
    return added;
  };

  InputOptions info_options;
  add_input(*add_command("info", "Say what is in a file.",
                         "  rowmill info words.safetensors\n  rowmill info words.npy --json",
                         [&] { return info(info_options); }),
            info_options);

  ConvertOptions convert_options;
  CLI::App* const convert_command =
      add_command("convert", "Write the table of a file, and its words, in another format: that of the new name's end.",
                  "  rowmill convert glove.6B.300d.txt words.safetensors\n"
                  "  zcat cc.en.300.vec.gz | rowmill convert - words.npy\n"
                  "  rowmill convert words.safetensors half.safetensors --format bf16",
                  [&] { return convert(convert_options); });
  add_input(*convert_command, convert_options.input);
  convert_command
      ->add_option("OUTPUT", convert_options.output,
                   "Ends in .safetensors, .npy, .bin (word2vec), .txt, .vec or .glove; text may be packed: .txt.gz")
      ->required();
  convert_command
      ->add_option(
          "--format", convert_options.format,
          "Of the numbers: f32, f64, bf16, f16, or int8, int4, int2, rows of codes with a scale and a bias each")
      ->transform(CLI::CheckedTransformer(kFormats));

  ConvertOptions quantize_options;
  CLI::App* const quantize_command =
      add_command("quantize", "Write a table with smaller numbers.",
                  "  rowmill quantize words.safetensors small.safetensors --format int8\n"
                  "  rowmill quantize words.npy half.npy --format f16",
                  [&] { return convert(quantize_options); });
  add_input(*quantize_command, quantize_options.input);
  quantize_command->add_option("OUTPUT", quantize_options.output, "Ends in .safetensors; f16 also in .npy")->required();
  quantize_command->add_option("--format", quantize_options.format, "int8, int4, int2, bf16 or f16")
      ->transform(CLI::CheckedTransformer(kSmallFormats))
      ->required();

  NearestOptions nearest_options;
  CLI::App* const nearest_command = add_command(
      "nearest", "Find the words whose vectors have the highest cosine with a word's, or with a sum of words.",
      "  rowmill nearest words.safetensors king\n"
      "  rowmill nearest words.safetensors king - man + woman -k 5\n"
      "  rowmill nearest words.safetensors --queries words.txt --json",
      [&] { return nearest(nearest_options); });
  add_input(*nearest_command, nearest_options.input);
  nearest_command->add_option("WORD", nearest_options.expression, "A word, or words with + and - between them");
  nearest_command->add_option("--queries", nearest_options.queries,
                              "A file with a query a line instead; - is standard input");
  nearest_command->add_option("-k,--count", nearest_options.count, "How many")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();

  TrainVectorsOptions training_options;
  add_training(
      *add_command("train-vectors",
                   "Train word vectors on texts (word2vec's CBOW or skip-gram with negative sampling). The same "
                   "seed gives the same file with any number of threads, on any processor.",
                   "  rowmill train-vectors text.txt -o words.safetensors\n"
                   "  zcat texts/*.gz | rowmill train-vectors - -o words.vec --dim 300 --epochs 10\n"
                   "  rowmill train-vectors big.txt -o big.bin --checkpoint big.safetensors --resume",
                   [&] { return train_vectors(training_options); }),
      training_options);

  InputOptions verify_options;
  add_input(*add_command("verify", "Check that a file is whole: its structure, its checksums, no NaN and no infinity.",
                         "  rowmill verify checkpoint.safetensors", [&] { return verify(verify_options); }),
            verify_options);

  BenchOptions bench_options;
  CLI::App* const bench_command = add_command("bench", "Time an operation on a table in memory.",
                                              "  rowmill bench --operation pool --rows 10000000 --dim 64 --ids 200000",
                                              [&] { return bench(bench_options); });
  bench_command->add_option("--operation", bench_options.operation, "gather, pool, or adam (plan and step)")
      ->check(CLI::IsMember({"gather", "pool", "adam"}))
      ->capture_default_str();
  const CLI::Range positive(std::int64_t{1}, std::int64_t{1} << 40);
  bench_command->add_option("--rows", bench_options.rows, "Rows of the table")->check(positive)->capture_default_str();
  bench_command->add_option("--dim", bench_options.dim, "Its columns")->check(positive)->capture_default_str();
  bench_command->add_option("--ids", bench_options.ids, "Ids of a call")->check(positive)->capture_default_str();
  bench_command->add_option("--bag", bench_options.bag, "Ids of a bag")->check(positive)->capture_default_str();
  bench_command->add_option("--seconds", bench_options.seconds, "How long to measure")->capture_default_str();
  bench_command->add_flag("--json", bench_options.json, "Print JSON, for machines");

  CLI11_PARSE(app, argc, argv);
  const int count = threads > 0 ? threads : tbb::info::default_concurrency();
  const tbb::global_control control(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(count));
  tbb::task_arena arena(count);
  const int status = arena.execute([&] { return command(); });
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    throw std::runtime_error("standard output: cannot be written");
  return status;
}

}  // namespace
}  // namespace rowmill::tool

int main(int argc, char** argv) {
  rowmill::tool::catch_interrupts();
  try {
    return rowmill::tool::run(argc, argv);
  } catch (const rowmill::tool::Interrupted& interrupted) {
    fmt::print(stderr, "\nrowmill: interrupted; nothing was written\n");
    rowmill::tool::end_by(interrupted.signal);
    return 128 + interrupted.signal;
  } catch (const std::exception& error) {
    const std::string_view what = error.what();
    fmt::print(stderr, "{}{}\n", what.starts_with("rowmill: ") ? "" : "rowmill: ", what);
    return 1;
  }
}
