// SPDX-License-Identifier: Apache-2.0
#include "ceiling_measure.hpp"

#include <tbb/task_arena.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>
#include <vector>

#include "core_latency.hpp"
#include "machine.hpp"

namespace bench {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The lower end of the median's 95 % interval, by order statistics: rank n / 2 - 0.98 sqrt(n).
double median_low(std::vector<double> values) {
  const auto n = static_cast<double>(values.size());
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(std::max(0.0, n / 2 - 0.98 * std::sqrt(n)))];
}

struct Contestant {
  const std::function<void(std::size_t)>* run;
  const std::string* name;
  std::size_t next_batch;
  std::vector<double> samples = {};  // seconds per batch

  void sample(std::size_t calls, std::size_t batch_count) {
    const auto start = Clock::now();
    for (std::size_t i = 0; i < calls; ++i) {
      (*run)(next_batch);
      next_batch = (next_batch + 1) % batch_count;
    }
    samples.push_back(seconds_since(start) / static_cast<double>(calls));
  }
};

/// A sample is whole rotations over the batches, except where one rotation takes long.
std::size_t calls_per_sample(const std::function<void(std::size_t)>& kernel, std::size_t batch_count,
                             double sample_seconds) {
  constexpr double kLongSample = 0.015;
  double rotation = 0;
  for (int attempt = 0; attempt < 2; ++attempt) {  // the first warms up
    const auto start = Clock::now();
    for (std::size_t b = 0; b < batch_count; ++b) kernel(b);
    rotation = seconds_since(start);
  }
  if (rotation < sample_seconds) return batch_count * static_cast<std::size_t>(std::ceil(sample_seconds / rotation));
  if (rotation < kLongSample) return batch_count;
  const double calls = std::ceil(kLongSample / rotation * static_cast<double>(batch_count));
  return std::min(batch_count, static_cast<std::size_t>(calls));
}

void keep_fastest(std::vector<Contestant>& loops, std::size_t count) {
  std::sort(loops.begin(), loops.end(),
            [](const Contestant& a, const Contestant& b) { return median(a.samples) < median(b.samples); });
  loops.resize(std::min(loops.size(), count));
}

}  // namespace

Measurement measure(const std::function<void(std::size_t)>& kernel, const Ceiling& ceiling, std::size_t batch_count,
                    const Effort& effort) {
  CoreWatch cores(tbb::this_task_arena::max_concurrency(), 4 * effort.seconds);
  cores.wait();
  wake_threads();
  const std::size_t calls = calls_per_sample(kernel, batch_count, effort.sample_seconds);
  const std::string kernel_name;
  Contestant subject{&kernel, &kernel_name, 0};

  // Staggered starts: a sample shorter than a rotation must not find the batches that the sample before it used.
  std::vector<Contestant> loops;
  for (const Ceiling::Loop& loop : ceiling.loops()) {
    loops.push_back({&loop.run, &loop.name, (loops.size() + 1) * calls % batch_count});
  }
  for (Contestant& loop : loops) loop.sample(calls, batch_count);
  keep_fastest(loops, 2 * effort.finalists);
  for (int heat = 0; heat < 2; ++heat) {
    cores.wait();
    wake_threads(2);
    for (Contestant& loop : loops) loop.sample(calls, batch_count);
  }
  keep_fastest(loops, effort.finalists);
  for (Contestant& loop : loops) loop.samples.clear();

  // Shuffled, because a sample depends on the one before it: on what is in the caches and whether a second thread is
  // awake.
  std::vector<Contestant*> order = {&subject};
  for (Contestant& loop : loops) order.push_back(&loop);
  std::mt19937 shuffle_words(1);
  int rounds = 0;
  for (double seconds = 0; rounds < effort.least_rounds || seconds < effort.seconds;) {
    cores.wait();
    const auto start = Clock::now();
    std::shuffle(order.begin(), order.end(), shuffle_words);
    for (Contestant* contestant : order) {
      wake_threads(2);  // the one before may have used a single thread
      contestant->sample(calls, batch_count);
    }
    const double took = seconds_since(start);
    if (cores.accept()) {
      seconds += took;
      ++rounds;
    } else {
      for (Contestant* contestant : order) contestant->samples.pop_back();
    }
  }

  keep_fastest(loops, 1);
  const Contestant& best = loops.front();
  std::vector<double> ratios;
  for (std::size_t i = 0; i < best.samples.size(); ++i) ratios.push_back(best.samples[i] / subject.samples[i]);
  return {.seconds = median(subject.samples),
          .ceiling_seconds = median(best.samples),
          .share = median(ratios),
          .share_low = median_low(ratios),
          .core_latency_ns = cores.longest_ns(),
          .ceiling_loop = *best.name};
}

}  // namespace bench
