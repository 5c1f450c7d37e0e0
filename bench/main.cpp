// SPDX-License-Identifier: Apache-2.0
// The benchmark suite: every operation against its roofline.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
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

struct Options {
  bool all = false;
  bool quick = false;
  bool check = false;
  bool record = false;
  std::string filter;
  std::string json;

  [[nodiscard]] Extent extent() const { return all ? Extent::all : quick ? Extent::quick : Extent::standard; }
};

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
  bool wrong = false;
  // The first Ctrl-C ends the run after the workload that is being measured; the second ends it at once.
  std::signal(SIGINT, [](int signal) {
    interrupted = 1;
    std::signal(signal, SIG_DFL);
  });
  for (const Case& which : wanted) {
    if (interrupted != 0) break;
    if (const std::string why = suite.refusal(which); !why.empty()) {
      fmt::print(stderr, "skipped {}: {}\n", which.name(), why);
      continue;
    }
    try {
      results.push_back(suite.measure(which));
      print_row(results.back());
    } catch (const std::exception& error) {
      fmt::print(stderr, "FAILED {}: {}\n", which.name(), error.what());
      wrong = true;
    }
  }

  if (!options.json.empty() && !results.empty()) {
    write_file(options.json, record(results));
    fmt::print("Results: {}\n", options.json);
  }
  if (interrupted != 0) {
    fmt::print(stderr, "stopped after {} of {} workloads\n", results.size(), wanted.size());
    return kInterrupted;
  }
  if (wrong || results.empty()) return 1;
  fmt::print("{}\n", medians(results));
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
