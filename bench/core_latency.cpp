// SPDX-License-Identifier: Apache-2.0
// Needs nothing but threads: bench/peers/run makes a shared library of this file alone.
#include "core_latency.hpp"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

namespace bench {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRoundTrips = 200;
constexpr int kSamples = 5;

void run_on(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  sched_setaffinity(0, sizeof set, &set);
}

/// The median over samples of the mean time of a passage.
double latency_between(int processor, int other) {
  alignas(64) std::atomic<int> line = -1;
  std::vector<double> nanoseconds;
  const auto pass = [&line](int from, int to) {
    while (line.load(std::memory_order_acquire) != from) {
    }
    line.store(to, std::memory_order_release);
  };
  std::thread there([&] {
    run_on(other);
    line.store(0, std::memory_order_release);
    for (int k = 0; k < (kSamples + 1) * kRoundTrips; ++k) pass(1, 0);
  });
  std::thread here([&] {
    run_on(processor);
    for (int sample = -1; sample < kSamples; ++sample) {  // the first warms up
      const auto start = Clock::now();
      for (int k = 0; k < kRoundTrips; ++k) pass(0, 1);
      const std::chrono::duration<double, std::nano> time = Clock::now() - start;
      if (sample >= 0) nanoseconds.push_back(time.count() / (2 * kRoundTrips));
    }
  });
  here.join();
  there.join();
  std::nth_element(nanoseconds.begin(), nanoseconds.begin() + kSamples / 2, nanoseconds.end());
  return nanoseconds[kSamples / 2];
}

bool near_once = false;   // so far in this process
bool never_near = false;  // and a whole patience has run out

}  // namespace

double core_latency_ns() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 0;
  std::vector<int> processors;
  for (int p = 0; p < CPU_SETSIZE; ++p) {
    if (CPU_ISSET(p, &set)) processors.push_back(p);
  }
  double longest = 0;
  for (std::size_t i = 1; i < processors.size(); ++i) {
    longest = std::max(longest, latency_between(processors[0], processors[i]));
  }
  return longest;
}

CoreWatch::CoreWatch(int threads, double patience_seconds)
    : watching_(threads > 1), patience_(never_near ? 0 : patience_seconds) {}

bool CoreWatch::accept() {
  constexpr std::chrono::milliseconds kPause(20);  // woken again, a processor may be given another core
  if (!watching_) return true;
  const double latency = core_latency_ns();
  const Clock::time_point begin = std::exchange(begin_, Clock::now());
  near_once |= latency <= kNearCoresNs;
  if (latency > kNearCoresNs && patience_ > 0) {
    std::this_thread::sleep_for(kPause);
    patience_ -= std::chrono::duration<double>(Clock::now() - begin).count();
    never_near = patience_ <= 0 && !near_once;
    return false;
  }
  longest_ = std::max(longest_, latency);
  return true;
}

}  // namespace bench

double rowmill_bench_core_latency_ns() { return bench::core_latency_ns(); }
