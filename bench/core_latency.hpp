// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace bench {

/// How long a cache line takes from one core to another, in nanoseconds: from the first of the processors that this
/// thread may run on to the farthest of the others; 0 if there is one only. Takes less than a millisecond for each
/// processor that no other process has.
///
/// Cores that share a last-level cache took 26, those of two core complexes 160, and work in which one core reads or
/// writes next what another has written up to five times as long (docs/design/performance.md). It is measured in every
/// round, because it may change from one second to the next: a virtual machine's processors move between the cores of
/// their host, which the machine is not told.
[[nodiscard]] double core_latency_ns();

/// Cores that are no farther than this are near.
inline constexpr double kNearCoresNs = 70;

/// Keeps rounds of measuring to times when the cores are near each other, as long as its patience lasts. A machine
/// whose cores never are is measured as it is: once a whole patience ran out, and they had not been near yet, none is
/// left.
class CoreWatch {
 public:
  CoreWatch(int threads, double patience_seconds);

  /// Before a round: waits until the cores are near.
  void wait();
  /// After it: whether they still are, so that it counts. If not, it is to be repeated.
  [[nodiscard]] bool accept();

  [[nodiscard]] double longest_ns() const { return longest_; }  ///< the longest latency of a round that counts

 private:
  void spend();  // the time since begin_

  bool watching_;
  double patience_;  // seconds
  std::chrono::steady_clock::time_point begin_;
  double longest_ = 0;
};

}  // namespace bench

/// core_latency_ns() for bench/peers/measure.py.
extern "C" double rowmill_bench_core_latency_ns();
