// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <benchmark/benchmark.h>

#include <string>
#include <utility>
#include <vector>

#include "measure.hpp"

namespace bench {

/// Measures the same work done in two ways, in turn, and reports the time of the first, and under the name `ratio` how
/// many times as long the second takes. A sample is `calls` of them: one call alone would find the second thread asleep
/// that the other side did not use.
inline void compare(benchmark::State& state, const std::string& ratio, const Run& first, const Run& second,
                    std::size_t batches, int rounds, std::size_t calls = 1) {
  std::vector<Contestant> ways = {{first}, {second}};
  const double latency_ns =
      measure_in_turn(ways, batches, calls, {.seconds = 0, .min_rounds = rounds, .patience_seconds = 4});
  std::vector<double> ratios;
  for (std::size_t i = 0; i < ways[0].samples.size(); ++i) ratios.push_back(ways[1].samples[i] / ways[0].samples[i]);
  for ([[maybe_unused]] auto _ : state) state.SetIterationTime(median(ways[0].samples));
  state.counters[ratio] = median(ratios);
  state.counters["core_latency_ns"] = latency_ns;
}

/// Registers a benchmark whose body calls compare().
inline void add_comparison(const std::string& name, std::function<void(benchmark::State&)> body) {
  benchmark::RegisterBenchmark(name.c_str(), std::move(body))
      ->UseManualTime()
      ->Iterations(1)
      ->Unit(benchmark::kMicrosecond);
}

/// The rest of main().
inline int run_comparisons(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace bench
