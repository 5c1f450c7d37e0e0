// SPDX-License-Identifier: Apache-2.0
#include "prefetch_sweep.hpp"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <map>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "huge_buffer.hpp"
#include "kernels/core/choices.hpp"
#include "machine.hpp"
#include "measure.hpp"
#include "parts.hpp"
#include "roofline_loops.hpp"
#include "subject.hpp"
#include "workloads.hpp"

namespace bench {

namespace {

constexpr Shape kShapes[] = {{1'000'000, 64, 2048, 20}, {4'000'000, 64, 2048, 20}, {2'000'000, 128, 1024, 20}};
constexpr std::int64_t kDistances[] = {0, 4, 8, 16, 32, 64};
constexpr Effort kEffort{.seconds = 1.5, .min_rounds = 15};

struct Loop {
  std::string_view name;
  int table_count;
  bool updates;
};
constexpr Loop kLoops[] = {
    {"rows read", 1, false}, {"rows updated", 1, true}, {"rows updated in three tables", 3, true}};

struct Way {
  std::string level;
  std::string distance;
};

/// A table of levels by distances: each time divided by the shortest.
void print_ways(const std::string& title, const std::vector<Way>& ways, std::vector<Contestant>& contestants,
                std::size_t batch_count) {
  const std::size_t calls = calls_per_sample(contestants.front().run, batch_count, kEffort.sample_seconds);
  measure_in_turn(contestants, batch_count, calls, kEffort);
  std::map<std::string, std::vector<double>> seconds;  // by level
  double best = std::numeric_limits<double>::max();
  for (std::size_t w = 0; w < ways.size(); ++w) {
    seconds[ways[w].level].push_back(median(contestants[w].samples));
    best = std::min(best, seconds[ways[w].level].back());
  }
  std::printf("%s; best %.0f us\n%-24s", title.c_str(), best * 1e6, "  rows ahead");
  for (const Way& way : ways) {
    if (way.level == ways.front().level) std::printf("%7s", way.distance.c_str());
  }
  for (const auto& [level, times] : seconds) {
    std::printf("\n  %-22s", level.c_str());
    for (const double time : times) std::printf("%7.2f", time / best);
  }
  std::printf("\n\n");
  std::fflush(stdout);
}

void sweep_loop(const Loop& which, const Shape& shape, const std::vector<std::vector<std::int32_t>>& batches) {
  std::vector<HugeBuffer> tables;
  Rows rows{};
  for (int t = 0; t < which.table_count; ++t) {
    tables.emplace_back(static_cast<std::size_t>(shape.rows * shape.dim));
    rows.tables[t] = tables.back().data();
  }
  rows.table_count = which.table_count;
  rows.dim = shape.dim;
  const RooflineLoops& loops = roofline_loops();
  auto* const loop = which.updates ? loops.update_rows : loops.read_rows;
  std::vector<Way> ways;
  std::vector<Contestant> contestants;
  for (const bool first_level : {true, false}) {
    for (const std::int64_t distance : kDistances) {
      ways.push_back({first_level ? "first level" : "second level", distance == 0 ? "none" : std::to_string(distance)});
      contestants.push_back({[=, &batches](std::size_t batch) {
        const std::vector<std::int32_t>& ids = batches[batch];
        for_each_part(thread_count(), std::ssize(ids), 1, [&](std::int64_t begin, std::int64_t end) {
          Rows part = rows;
          part.ids = ids.data() + begin;
          part.count = end - begin;
          part.prefetch = {distance, first_level};
          loop(part);
        });
      }});
    }
  }
  print_ways("plain loop, " + std::string(which.name) + ", " + shape.table_name() + ", uniform ids", ways, contestants,
             batches.size());
}

void sweep_library(Operation operation, const Shape& shape) {
  Subject subject(operation, shape, batch_count(shape, last_level_cache()));
  subject.set_batches(IdSource::uniform, {});
  const rowmill::Choices defaults;
  std::vector<Way> ways;
  std::vector<Contestant> contestants;
  for (const bool first_level : {true, false}) {
    ways.push_back({first_level ? "first level" : "second level", "own"});
    rowmill::Choices changed;
    changed.first_level_bytes = first_level ? 0 : std::numeric_limits<std::int64_t>::max();
    contestants.push_back({[=, &subject](std::size_t batch) {
      rowmill::choices = changed;
      subject.run(batch);
      rowmill::choices = defaults;
    }});
  }
  print_ways("library, " + std::string(name(operation)) + ", " + shape.table_name() + ", uniform ids", ways,
             contestants, subject.batch_count());
}

}  // namespace

void print_prefetch_sweep(const std::string& filter) {
  std::printf("Prefetch level and distance, %s, %d threads: time divided by the best of the table\n\n",
              cpu_model().c_str(), thread_count());
  const std::regex wanted(filter);
  for (const Shape& shape : kShapes) {
    const auto is_wanted = [&](std::string_view operation) {
      return std::regex_search(std::string(operation) + "/" + shape.table_name(), wanted);
    };
    const auto ids = make_batches(shape, IdSource::uniform, batch_count(shape, last_level_cache()), {});
    for (const Loop& loop : kLoops) {
      if (is_wanted(loop.name)) sweep_loop(loop, shape, ids);
    }
    for (const Operation operation : {Operation::pool, Operation::sgd, Operation::adam}) {
      if (is_wanted(name(operation))) sweep_library(operation, shape);
    }
  }
}

}  // namespace bench
