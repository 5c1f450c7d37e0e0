// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "ceiling.hpp"

namespace bench {

/// How long to measure.
struct Effort {
  double seconds = 0.7;          ///< rounds are repeated for this long,
  int least_rounds = 7;          ///< but at least so often
  double sample_seconds = 1e-3;  ///< a sample repeats batches for this long
  std::size_t finalists = 3;     ///< ceiling loops that are measured in every round
};

struct Measurement {
  double seconds = 0;          ///< the kernel's median time for one batch
  double ceiling_seconds = 0;  ///< that of the best plain loop
  double share = 0;            ///< median of the rounds' ratios, best plain loop / kernel
  double share_low = 0;        ///< the lower end of its 95 % interval
  double core_latency_ns = 0;  ///< the longest after a round; 0 with one thread
  std::string ceiling_loop;
};

/// Measures the kernel and the plain loops in turn, in rounds, over rotating batches: what disturbs the machine for a
/// while disturbs both. A short heat before picks the loops that can be the best one.
[[nodiscard]] Measurement measure(const std::function<void(std::size_t batch)>& kernel, const Ceiling& ceiling,
                                  std::size_t batch_count, const Effort& effort);

}  // namespace bench
