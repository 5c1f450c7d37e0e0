// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

namespace bench {

/// Work on one of the batches that a workload rotates over.
using Run = std::function<void(std::size_t batch)>;

[[nodiscard]] double seconds_of(const std::function<void()>& work);
[[nodiscard]] double median(std::vector<double> values);

/// How long to measure.
struct Effort {
  double seconds = 0.25;          ///< rounds are repeated for this long,
  int min_rounds = 7;             ///< but at least so often
  double sample_seconds = 1e-3;   ///< a sample repeats batches for this long
  double patience_seconds = 1.6;  ///< how long to wait in all for cores that are near each other
};

/// One of several that are measured in turn.
struct Contestant {
  Run run;
  std::vector<double> samples = {};  ///< seconds for one batch, one sample in each round
  std::size_t next_batch = 0;

  void sample(std::size_t calls, std::size_t batch_count);
};

/// How many calls make a sample: whole rotations over the batches, except where one rotation takes long.
[[nodiscard]] std::size_t calls_per_sample(const Run& run, std::size_t batch_count, double sample_seconds);

/// Measures all contestants in rounds, in a new order each time, with all threads of the arena awake: what disturbs the
/// machine for a while disturbs all of them. A round after which the cores are far apart is repeated, for some time.
/// Returns the longest core latency of the rounds that count, in nanoseconds; 0 with one thread.
double measure_in_turn(std::vector<Contestant>& contestants, std::size_t batch_count, std::size_t calls,
                       const Effort& effort);

}  // namespace bench
