// SPDX-License-Identifier: Apache-2.0
// The benchmark suite: every operation against its roofline.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

#include "machine.hpp"
#include "report.hpp"
#include "suite.hpp"

namespace bench {
namespace {

constexpr double kLost = 1.1;  // an operation that takes so many times its recorded time has lost
constexpr int kInterrupted = 130;

volatile std::sig_atomic_t interrupted = 0;

/// The first Ctrl-C ends the run after the workload that is being measured; the second ends it at once.
void interrupt(int signal) {
  interrupted = 1;
  std::signal(signal, SIG_DFL);
}

struct Options {
  bool all = false;
  bool quick = false;
  bool check = false;
  bool record = false;
  std::string filter;
  std::string json;

  [[nodiscard]] Extent extent() const { return all ? Extent::all : quick ? Extent::quick : Extent::standard; }
};

/// On the terminal, what is being measured and about how long the rest will take.
void show_progress(std::size_t done, std::size_t count, double elapsed, const std::string& name) {
  const auto finished = static_cast<double>(done);
  const double left = done == 0 ? 0 : elapsed / finished * (static_cast<double>(count) - finished);
  fmt::print(stderr, "\r\033[K{} of {}{}: {}", done + 1, count,
             done == 0 ? "" : fmt::format(", about {:.0f} s left", left), name);
  std::fflush(stderr);
}

/// Compares with the record of this kind of machine. What has lost is measured again, twice at most: processors and
/// neighbours have slow moments. A machine whose memory is slower today, as the roofline tells, is not the library's
/// loss.
int check(Suite& suite, const std::vector<Result>& results) {
  const std::string path = record_path();
  const std::map<std::string, Times> recorded = read_record(path);
  const auto loss = [](const Result& result, const Times& before) {
    const double by_time = result.seconds * 1e6 / before.us;
    return before.roofline_us > 0 ? std::min(by_time, before.roofline_us / before.us / result.share) : by_time;
  };
  int compared = 0;
  int lost = 0;
  for (const Result& result : results) {
    const auto before = recorded.find(result.which.name());
    if (before == recorded.end()) continue;
    ++compared;
    double times_as_long = loss(result, before->second);
    for (int again = 0; again < 2 && times_as_long > kLost; ++again) {
      times_as_long = std::min(times_as_long, loss(suite.measure(result.which), before->second));
    }
    if (times_as_long <= kLost) continue;
    ++lost;
    fmt::print(stderr, "SLOWER {}: {:.2f} times its recorded time of {:.1f} us\n", result.which.name(), times_as_long,
               before->second.us);
  }
  if (compared == 0) throw std::runtime_error("none of these workloads is in the record '" + path + "'");
  fmt::print("Compared {} workloads with {}: {} lost more than {:.0f} %.\n", compared, path, lost, 100 * (kLost - 1));
  return lost == 0 ? 0 : 1;
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text << std::flush;
  if (!file) throw std::runtime_error("cannot write '" + path + "'");
}

int run(const Options& options) {
  std::vector<Case> wanted = cases(options.extent());
  const std::regex filter(options.filter);
  std::erase_if(wanted, [&](const Case& which) { return !std::regex_search(which.name(), filter); });
  if (wanted.empty()) throw CLI::ValidationError("--filter", "no workload matches '" + options.filter + "'");

  Suite suite(options.extent());
  print_header(wanted.size());
  std::vector<Result> results;
  std::vector<std::string> notes;
  bool wrong = false;
  std::string group;
  const bool terminal = isatty(STDERR_FILENO) == 1;
  const auto start = std::chrono::steady_clock::now();
  std::size_t done = 0;
  std::signal(SIGINT, interrupt);
  for (const Case& which : wanted) {
    if (interrupted != 0) break;
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    if (terminal) show_progress(done++, wanted.size(), elapsed.count(), which.name());
    std::string note = suite.refusal(which);
    if (!note.empty()) {
      note = "skipped " + which.name() + ": " + note;
    } else {
      try {
        results.push_back(suite.measure(which));
      } catch (const std::exception& error) {
        note = "FAILED " + which.name() + ": " + error.what();
        wrong = true;
      }
    }
    if (terminal) fmt::print(stderr, "\r\033[K");
    if (!note.empty()) {
      notes.push_back(note);
      continue;
    }
    const std::string of_row = which.shape.table_name() + which.shape.batch_name();
    if (of_row != group) fmt::print("\n");
    group = of_row;
    print_row(results.back());
  }

  fmt::print("\n");
  for (const std::string& note : notes) fmt::print(stderr, "{}\n", note);
  if (!options.json.empty() && !results.empty()) {
    write_file(options.json, record(results));
    fmt::print("Results: {}\n", options.json);
  }
  if (interrupted != 0) {
    fmt::print(stderr, "stopped after {} of {} workloads\n", results.size(), wanted.size());
    return kInterrupted;
  }
  if (const std::string text = meaning(results); !text.empty() && !options.quick) fmt::print("\n{}\n", text);
  if (wrong) return 1;
  if (options.record) {
    write_file(record_path(), record(results));
    fmt::print("Recorded for this kind of machine: {}\n", record_path());
  }
  return options.check ? check(suite, results) : 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  bench::Options options;
  CLI::App app("Measures every operation of Rowmill and compares it with what this machine's memory allows.");
  app.add_flag("--all", options.all, "every table, up to 10,000,000 rows, all sources of ids, also one thread");
  app.add_flag("--quick", options.quick, "one workload for a moment: a smoke test")->excludes("--all");
  app.add_flag("--check", options.check,
               "exit with 1 if an operation is 10 % slower than this machine's stored record");
  app.add_flag("--record", options.record, "store the results as the record of this kind of machine")
      ->excludes("--check");
  app.add_option("--filter", options.filter, "only workloads whose name operation/table/batch/ids/threads matches")
      ->type_name("REGEX");
  app.add_option("--json", options.json, "write the results to this file")->type_name("FILE");
  CLI11_PARSE(app, argc, argv);
  try {
    return bench::run(options);
  } catch (const CLI::Error& error) {
    return app.exit(error);
  } catch (const std::exception& error) {
    fmt::print(stderr, "rowmill_bench: {}\n", error.what());
    return 2;
  }
}
