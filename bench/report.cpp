// SPDX-License-Identifier: Apache-2.0
#include "report.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <ranges>
#include <stdexcept>

#include "machine.hpp"
#include "roofline_loops.hpp"

namespace bench {

namespace {

std::string version() {
  return fmt::format("{}.{}.{}", ROWMILL_VERSION_MAJOR, ROWMILL_VERSION_MINOR, ROWMILL_VERSION_PATCH);
}

std::string today() { return fmt::format("{:%F}", fmt::localtime(std::time(nullptr))); }

/// The median share of the roofline, in percent; 0 of nothing.
double median_percent(const std::vector<Result>& results, auto&& wanted) {
  std::vector<double> shares;
  for (const Result& result : results) {
    if (wanted(result.which)) shares.push_back(result.share);
  }
  return shares.empty() ? 0 : 100 * median(shares);
}

double rounded(double value) { return std::stod(fmt::format("{:.4g}", value)); }

}  // namespace

void print_header(std::size_t case_count) {
  fmt::print(
      "Rowmill {}, {} build, {}, {}\n"
      "{}, {} threads, kernels {}, plain loops {}, last-level cache {} MiB, huge pages {}\n"
      "\n"
      "{} workloads. Each result is first compared with the scalar reference.\n"
      "  table       rows x columns of 32-bit floats\n"
      "  batch       bags x ids in each; operations without bags take the ids one by one\n"
      "  ids         uniform: every row alike; zipf: few rows are most of the ids; one_row: all ids are one row\n"
      "  time        microseconds for a batch, the median\n"
      "  GB/s        compulsory bytes a second: each distinct row, each output and each gradient counts once\n"
      "  roofline    how much of the time plain loops take to move those bytes once, in the same memory: 100 % is\n"
      "              memory speed. Below it: a row that is asked for again costs time, but no compulsory byte. Above "
      "it:\n"
      "              the operation overlaps what the loops do one after the other\n"
      "\n"
      "{:<33}{:<13}{:<9}{:<9}{:>8}{:>12}{:>14}{:>8}{:>10}\n",
      version(), ROWMILL_BENCH_BUILD_TYPE, ROWMILL_BENCH_COMPILER, today(), cpu_model(), thread_count(),
      rowmill::isa_name(), roofline_loops().isa, last_level_cache() >> 20, huge_page_setting(), case_count, "operation",
      "table", "batch", "ids", "threads", "time (us)", "ids/s (M)", "GB/s", "roofline");
}

void print_row(const Result& result) {
  const Case& which = result.which;
  fmt::print("{:<33}{:<13}{:<9}{:<9}{:>8}{:>12.1f}{:>14.1f}{:>8.1f}{:>9.0f}%\n", which.operation->name,
             which.shape.table_name(), which.shape.batch_name(), name(which.source), which.threads,
             result.seconds * 1e6, static_cast<double>(which.shape.id_count()) / result.seconds * 1e-6,
             result.bytes / result.seconds * 1e-9, 100 * result.share);
  std::fflush(stdout);
}

std::string medians(const std::vector<Result>& results) {
  std::int64_t largest = 0;
  for (const Result& result : results) largest = std::max(largest, result.which.shape.rows);
  const auto of = [&](Kind kind, bool by_memory) {
    return median_percent(results, [=](const Case& c) {
      return c.operation->kind == kind && (!by_memory || (c.shape.rows == largest && c.source == IdSource::uniform));
    });
  };
  return fmt::format(
      "Medians of the roofline: lookups {:.0f} % and updates {:.0f} % where rows come from all over the largest table "
      "({} "
      "rows, uniform ids), which memory alone limits; {:.0f} % and {:.0f} % of all workloads.",
      of(Kind::lookup, true), of(Kind::update, true), largest, of(Kind::lookup, false), of(Kind::update, false));
}

std::string record(const std::vector<Result>& results) {
  using Json = nlohmann::ordered_json;
  const Json head = {{"machine", machine_kind()},
                     {"processor", cpu_model()},
                     {"threads", thread_count()},
                     {"last_level_cache", last_level_cache()},
                     {"huge_pages", huge_page_setting()},
                     {"date", today()},
                     {"rowmill", version()},
                     {"build_type", ROWMILL_BENCH_BUILD_TYPE},
                     {"compiler", ROWMILL_BENCH_COMPILER},
                     {"instruction_set", rowmill::isa_name()},
                     {"what", "microseconds of a batch, and of the plain loops of its roofline"}};
  std::string json = "{\n";
  for (const auto& [key, value] : head.items()) json += fmt::format("  \"{}\": {},\n", key, value.dump());

  Json cells = Json::object();  // a line for each operation, table, batch and thread count
  for (const Result& result : results) {
    const Case& c = result.which;
    const std::string line =
        fmt::format("{}/{}/{}/{}", c.operation->name, c.shape.table_name(), c.shape.batch_name(), c.threads);
    cells[line][std::string(name(c.source))] = {rounded(result.seconds * 1e6), rounded(result.roofline_seconds * 1e6)};
  }
  json += "  \"cells\": {";
  const char* separator = "\n";
  for (const auto& [line, times] : cells.items()) {
    json += fmt::format("{}    \"{}\": {}", separator, line, times.dump());
    separator = ",\n";
  }
  return json + "\n  }\n}\n";
}

std::map<std::string, Times> read_record(const std::string& path) {
  std::ifstream file(path);
  if (!file)
    throw std::runtime_error("there is no record '" + path + "' that can be read: bench/run --record stores one");
  std::map<std::string, Times> times;
  try {
    const nlohmann::json json = nlohmann::json::parse(file);
    for (const auto& [line, sources] : json.at("cells").items()) {
      const std::size_t cut = line.rfind('/');
      for (const auto& [source, values] : sources.items()) {
        times[line.substr(0, cut) + "/" + source + line.substr(cut)] = {
            values.at(0).get<double>(), values.size() > 1 ? values.at(1).get<double>() : 0};
      }
    }
  } catch (const nlohmann::json::exception& error) {
    throw std::runtime_error("the record '" + path + "' is not one of bench/run: " + error.what());
  }
  return times;
}

}  // namespace bench
