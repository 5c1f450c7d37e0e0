// SPDX-License-Identifier: Apache-2.0
#include "compare.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core_latency.hpp"
#include "machine.hpp"

namespace bench {

double seconds_of(const Run& run, std::size_t batch) {
  const auto start = std::chrono::steady_clock::now();
  run(batch);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void compare(benchmark::State& state, const Run& with, const Run& without, std::size_t batches, int rounds,
             std::size_t calls) {
  const auto sample = [&](const Run& run, std::size_t batch) {
    return seconds_of(
               [&](std::size_t) {
                 for (std::size_t i = 0; i < calls; ++i) run((batch + i) % batches);
               },
               batch) /
           static_cast<double>(calls);
  };
  std::vector<double> with_seconds;
  std::vector<double> ratios;
  constexpr double kPatienceSeconds = 4;
  constexpr int kRoundsAtOnce = 10;
  CoreWatch cores(thread_count(), kPatienceSeconds);
  for (int round = -2; round < rounds;) {  // the first two warm up
    cores.wait();
    wake_threads(3);
    const std::size_t kept = ratios.size();
    const int first = round;
    for (const int last = std::min(round + kRoundsAtOnce, rounds); round < last; ++round) {
      const auto batch = static_cast<std::size_t>(round + 2) % batches;
      const double a = sample(with, batch);
      const double b = sample(without, (batch + batches / 2) % batches);
      if (round < 0) continue;
      with_seconds.push_back(a);
      ratios.push_back(b / a);
    }
    if (cores.accept()) continue;
    with_seconds.resize(kept);
    ratios.resize(kept);
    round = first;
  }
  for ([[maybe_unused]] auto _ : state) state.SetIterationTime(median(with_seconds));
  state.counters["without/with"] = median(ratios);
  state.counters["core_latency_ns"] = cores.longest_ns();
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
