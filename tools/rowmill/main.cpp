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

const std::map<std::string, Format> kFormats = {{"f32", Format::f32}, {"bf16", Format::bf16}};
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
  convert_command->add_option("--format", convert_options.format, "Of the numbers in a safetensors file: f32 or bf16")
      ->transform(CLI::CheckedTransformer(kFormats));

  ConvertOptions quantize_options;
  CLI::App* const quantize_command = add_command("quantize", "Write a table with smaller numbers.",
                                                 "  rowmill quantize words.safetensors half.safetensors --format bf16",
                                                 [&] { return convert(quantize_options); });
  add_input(*quantize_command, quantize_options.input);
  quantize_command->add_option("OUTPUT", quantize_options.output, "Ends in .safetensors")->required();
  quantize_command->add_option("--format", quantize_options.format, "bf16")
      ->transform(CLI::CheckedTransformer(std::map<std::string, Format>{{"bf16", Format::bf16}}))
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
