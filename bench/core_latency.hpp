// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace bench {

/// How long a cache line takes from one core to another, in nanoseconds: from the first of the processors that this
/// thread may run on to the farthest of the others; 0 if there is one only. Takes less than a millisecond for each.
///
/// A virtual machine's processors move between the cores of their host, which it is not told, from one second to the
/// next. Where they share no cache, work in which one core needs what another has written takes up to five times as
/// long: so it is measured in every round.
[[nodiscard]] double core_latency_ns();

/// Cores that are no farther than this are near. Cores that share a last-level cache took 26 on Zen 4 and 70 to 100 on
/// Emerald Rapids, those of two core complexes 160.
inline constexpr double kNearCoresNs = 130;

/// Keeps rounds of measuring to times when the cores are near each other, as long as its patience lasts. A machine
/// whose cores never are is measured as it is: once a whole patience ran out, and they had not been near yet, none is
/// left.
class CoreWatch {
 public:
  CoreWatch(int threads, double patience_seconds);

  /// After a round: whether it counts. If not, it is to be repeated.
  [[nodiscard]] bool accept();

  [[nodiscard]] double longest_ns() const { return longest_; }  ///< the longest latency of a round that counts

 private:
  using Clock = std::chrono::steady_clock;

  bool watching_;
  double patience_;  // seconds
  Clock::time_point begin_ = Clock::now();
  double longest_ = 0;
};

}  // namespace bench

/// core_latency_ns() for bench/peers/measure.py.
extern "C" double rowmill_bench_core_latency_ns();
