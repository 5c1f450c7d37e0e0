// SPDX-License-Identifier: Apache-2.0
// The benchmark suite; kUsage tells its options.
#include <benchmark/benchmark.h>
#include <tbb/task_arena.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <rowmill/rowmill.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "ceiling.hpp"
#include "ceiling_measure.hpp"
#include "machine.hpp"
#include "reporter.hpp"
#include "subject.hpp"
#include "workloads.hpp"

namespace bench {
namespace {

constexpr std::string_view kUsage =
    "usage: rowmill_bench [--all] [--quick] [--filter REGEX] [--benchmark_...]\n"
    "\n"
    "Measures the library against the best of a set of plain loops, on the 9088x256 table.\n"
    "  --all            every table, up to 10,000,000 rows\n"
    "  --quick          short measurements: a smoke test\n"
    "  --filter REGEX   only benchmarks whose name operation/table/batch/ids/threads matches\n"
    "  --benchmark_...  the options of Google Benchmark, such as --benchmark_out=FILE\n"
    "\n"
    "The environment variable ROWMILL_BENCH_TEXT names a text file (lines label<TAB>text) for the token ids.\n";

struct Arguments {
  bool all = false;
  bool quick = false;
  bool help = false;
  std::vector<std::string> rest;  // for Google Benchmark
};

std::optional<Arguments> parse(int argc, char** argv) {
  Arguments arguments;
  arguments.rest.emplace_back(argv[0]);
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--all") {
      arguments.all = true;
    } else if (argument == "--quick") {
      arguments.quick = true;
    } else if (argument == "--help" || argument == "-h") {
      arguments.help = true;
    } else if (argument == "--filter" && i + 1 < argc) {
      arguments.rest.push_back(std::string("--benchmark_filter=") + argv[++i]);
    } else if (argument.starts_with("--filter=")) {
      arguments.rest.push_back("--benchmark_" + std::string(argument.substr(2)));
    } else if (argument.starts_with("--benchmark_")) {
      arguments.rest.emplace_back(argument);
    } else {
      std::fprintf(stderr, "rowmill_bench: unknown or incomplete argument '%s'\n\n%s", argv[i], kUsage.data());
      return std::nullopt;
    }
  }
  return arguments;
}

/// One line of the table.
struct Case {
  Operation operation;
  Shape shape;
  IdSource source;
  int threads;

  [[nodiscard]] std::string name() const {
    return std::string(bench::name(operation)) + "/" + shape.table_name() + "/" + shape.batch_name() + "/" +
           std::string(bench::name(source)) + "/" + std::to_string(threads);
  }
};

class Suite {
 public:
  explicit Suite(const Arguments& arguments);
  void run(const Case& which, benchmark::State& state);
  [[nodiscard]] const TokenStream& tokens() const { return tokens_; }
  [[nodiscard]] const std::vector<std::string>& skipped() const { return skipped_; }
  [[nodiscard]] const std::vector<std::string>& failures() const { return failures_; }

 private:
  /// The table and ids of `which`: made when the case before had others.
  Subject& prepare(const Case& which);
  [[nodiscard]] Measurement measure_fairly(const Case& which, Subject& subject) const;

  TokenStream tokens_ = load_token_stream();
  std::size_t cache_bytes_ = last_level_cache();
  Effort effort_;
  std::unique_ptr<Subject> subject_;
  std::string subject_name_;
  std::string batches_name_;
  std::vector<std::string> skipped_;
  std::vector<std::string> failures_;
};

Suite::Suite(const Arguments& arguments) {
  if (arguments.quick) effort_ = {.seconds = 0.05, .least_rounds = 3, .sample_seconds = 1e-4, .finalists = 2};
  std::vector<int> thread_counts = {1};
  if (thread_count() > 1) thread_counts.push_back(thread_count());

  for (const Shape& shape : shapes(arguments.all)) {
    for (const Operation operation : kOperations) {
      const std::size_t needed = Subject::memory_required(operation, shape, batch_count(shape, cache_bytes_));
      if (static_cast<double>(needed) > 0.9 * static_cast<double>(available_memory())) {
        char line[200];
        std::snprintf(line, sizeof line, "skipped: %s on %s needs %.1f GB of memory; %.1f GB are available",
                      name(operation).data(), shape.table_name().c_str(), static_cast<double>(needed) * 1e-9,
                      static_cast<double>(available_memory()) * 1e-9);
        skipped_.emplace_back(line);
        continue;
      }
      for (const IdSource source : kIdSources) {
        if (operation == Operation::gather_int64 && source != IdSource::uniform) continue;
        for (const int threads : thread_counts) {
          const Case which{operation, shape, source, threads};
          benchmark::RegisterBenchmark(which.name().c_str(),
                                       [this, which](benchmark::State& state) { run(which, state); })
              ->UseManualTime()
              ->Iterations(1)
              ->Unit(benchmark::kMicrosecond);
        }
      }
    }
  }
}

Subject& Suite::prepare(const Case& which) {
  const std::string subject_name =
      which.shape.table_name() + "/" + which.shape.batch_name() + "/" + std::string(name(which.operation));
  if (subject_name != subject_name_) {
    subject_name_.clear();
    batches_name_.clear();
    subject_.reset();  // first: there may not be room for two
    subject_ = std::make_unique<Subject>(which.operation, which.shape, batch_count(which.shape, cache_bytes_));
    subject_name_ = subject_name;
  }
  if (name(which.source) != batches_name_) {
    subject_->set_batches(which.source, tokens_);
    batches_name_ = name(which.source);
  }
  return *subject_;
}

Measurement Suite::measure_fairly(const Case& which, Subject& subject) const {
  constexpr double kNoise = 1.05;
  const Ceiling ceiling(subject.problem(), which.threads);
  const auto kernel = [&](std::size_t batch) { subject.run(batch); };
  Measurement result = measure(kernel, ceiling, subject.batch_count(), effort_);
  if (result.share <= kNoise) return result;

  // Again, longer and with more of the plain loops, before the ceiling is called wrong.
  const Effort more{.seconds = 4, .least_rounds = 21, .finalists = 8};
  result = measure(kernel, ceiling, subject.batch_count(), more);
  if (result.share_low > kNoise) {
    char message[300];
    std::snprintf(
        message, sizeof message,
        "beats its ceiling: %.1f us, the best plain loop (%s) %.1f us. The ceiling is wrong: bench/ceiling.cpp "
        "must learn what the kernel does",
        result.seconds * 1e6, result.ceiling_loop.c_str(), result.ceiling_seconds * 1e6);
    throw std::runtime_error(message);
  }
  return result;
}

void Suite::run(const Case& which, benchmark::State& state) {
  try {
    tbb::task_arena arena(which.threads);
    const Measurement result = arena.execute([&] {
      Subject& subject = prepare(which);
      if (const std::string wrong = subject.check(); !wrong.empty()) throw std::runtime_error(wrong);
      return measure_fairly(which, subject);
    });
    for ([[maybe_unused]] auto _ : state) state.SetIterationTime(result.seconds);
    state.counters["rows/s"] = static_cast<double>(which.shape.id_count()) / result.seconds;
    state.counters["bytes/s"] = subject_->mean_useful_bytes() / result.seconds;
    state.counters["ceiling"] = result.share;
    state.counters["core_latency_ns"] = result.core_latency_ns;
    state.SetLabel("ceiling: " + result.ceiling_loop);
  } catch (const std::exception& error) {
    failures_.push_back(which.name() + ": " + error.what());
    state.SkipWithError(failures_.back().c_str());
  }
}

std::string header(const Suite& suite) {
  const std::string machine = cpu_model() + ", " + std::to_string(thread_count()) + " threads, kernels " +
                              std::string(rowmill::isa_name()) + ", ceiling " + std::string(ceiling_isa()) +
                              ", last-level cache " + std::to_string(last_level_cache() >> 20) + " MiB, huge pages " +
                              huge_page_setting();
  const std::string version = std::to_string(ROWMILL_VERSION_MAJOR) + "." + std::to_string(ROWMILL_VERSION_MINOR) +
                              "." + std::to_string(ROWMILL_VERSION_PATCH);
  benchmark::AddCustomContext("machine", machine);
  benchmark::AddCustomContext("rowmill_version", version);
  benchmark::AddCustomContext("tokens", suite.tokens().description);
  return "Rowmill " + version + ", " + today() + ", " + machine + "\ntokens: " + suite.tokens().description;
}

int run(int argc, char** argv) {
  std::optional<Arguments> arguments = parse(argc, argv);
  if (!arguments) return 2;
  if (arguments->help) {
    std::fputs(kUsage.data(), stdout);
    return 0;
  }
  if (const std::string wrong = check_ceiling(); !wrong.empty()) throw std::runtime_error(wrong);

  std::vector<char*> rest;
  for (std::string& argument : arguments->rest) rest.push_back(argument.data());
  int count = static_cast<int>(rest.size());
  rest.push_back(nullptr);
  benchmark::Initialize(&count, rest.data());
  if (benchmark::ReportUnrecognizedArguments(count, rest.data())) return 2;

  Suite suite(*arguments);
  TableReporter reporter(header(suite));
  const std::size_t matched = benchmark::RunSpecifiedBenchmarks(&reporter);
  std::printf("\n");
  for (const std::string& line : suite.skipped()) std::printf("%s\n", line.c_str());
  for (const std::string& line : suite.failures()) std::fprintf(stderr, "FAILED %s\n", line.c_str());
  if (matched == 0) std::fprintf(stderr, "rowmill_bench: no benchmark matches the filter\n");
  return suite.failures().empty() && matched != 0 ? 0 : 1;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  try {
    return bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rowmill_bench: %s\n", error.what());
    return 1;
  }
}
