// SPDX-License-Identifier: Apache-2.0
#include "compare.hpp"

#include <utility>

namespace bench {

void compare(benchmark::State& state, const std::string& ratio, const Run& first, const Run& second,
             std::size_t batches, int rounds, std::size_t calls) {
  std::vector<Contestant> ways = {{first}, {second}};
  const double latency_ns =
      measure_in_turn(ways, batches, calls, {.seconds = 0, .min_rounds = rounds, .patience_seconds = 4});
  std::vector<double> ratios;
  for (std::size_t i = 0; i < ways[0].samples.size(); ++i) ratios.push_back(ways[1].samples[i] / ways[0].samples[i]);
  for ([[maybe_unused]] auto _ : state) state.SetIterationTime(median(ways[0].samples));
  state.counters[ratio] = median(ratios);
  state.counters["core_latency_ns"] = latency_ns;
}

void add_comparison(const std::string& name, std::function<void(benchmark::State&)> body) {
  benchmark::RegisterBenchmark(name.c_str(), std::move(body))
      ->UseManualTime()
      ->Iterations(1)
      ->Unit(benchmark::kMicrosecond);
}

std::string shape_name(const Shape& shape) { return shape.table_name() + "/" + shape.batch_name(); }

int run_comparisons(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace bench
