// SPDX-License-Identifier: Apache-2.0
#include "measure.hpp"

#include <tbb/task_arena.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>

#include "core_latency.hpp"
#include "machine.hpp"

namespace bench {

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void Contestant::sample(std::size_t calls, std::size_t batch_count) {
  const double seconds = seconds_of([&] {
    for (std::size_t i = 0; i < calls; ++i) {
      run(next_batch);
      next_batch = (next_batch + 1) % batch_count;
    }
  });
  samples.push_back(seconds / static_cast<double>(calls));
}

std::size_t calls_per_sample(const Run& run, std::size_t batch_count, double sample_seconds) {
  constexpr double kLongSample = 0.01;
  double rotation = 0;
  for (int attempt = 0; attempt < 2; ++attempt) {  // the first warms up
    rotation = seconds_of([&] {
      for (std::size_t b = 0; b < batch_count; ++b) run(b);
    });
  }
  if (rotation < sample_seconds) return batch_count * static_cast<std::size_t>(std::ceil(sample_seconds / rotation));
  if (rotation < kLongSample) return batch_count;
  const double calls = std::ceil(kLongSample / rotation * static_cast<double>(batch_count));
  return std::min(batch_count, static_cast<std::size_t>(calls));
}

double measure_in_turn(std::vector<Contestant>& contestants, std::size_t batch_count, std::size_t calls,
                       const Effort& effort) {
  CoreWatch cores(tbb::this_task_arena::max_concurrency(), effort.patience_seconds);
  std::vector<Contestant*> order;
  for (Contestant& contestant : contestants) {
    contestant.samples.clear();
    // Spread over the rotation: none may find in a cache the rows of a batch that another has just read.
    contestant.next_batch = order.size() * batch_count / contestants.size();
    order.push_back(&contestant);
  }
  wake_threads();
  for (Contestant* contestant : order) {  // warms up
    contestant->sample(calls, batch_count);
    contestant->samples.clear();
  }
  std::mt19937 shuffle_words(1);
  int rounds = 0;
  for (double seconds = 0; rounds < effort.min_rounds || seconds < effort.seconds;) {
    std::shuffle(order.begin(), order.end(), shuffle_words);
    const double took = seconds_of([&] {
      for (Contestant* contestant : order) {
        wake_threads(2);  // the one before may have used a single thread
        contestant->sample(calls, batch_count);
      }
    });
    if (cores.accept()) {
      seconds += took;
      ++rounds;
    } else {
      for (Contestant* contestant : order) contestant->samples.pop_back();
    }
  }
  return cores.longest_ns();
}

}  // namespace bench
