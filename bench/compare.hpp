// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <benchmark/benchmark.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "workloads.hpp"

namespace bench {

using Run = std::function<void(std::size_t batch)>;

[[nodiscard]] double seconds_of(const Run& run, std::size_t batch);
[[nodiscard]] double median(std::vector<double> values);

/// Measures the same work with and without something, in turn, and reports the time with it, and how many times as long
/// it takes without. A sample is `calls` of them: one call alone would find the second thread asleep that the other
/// side did not use.
void compare(benchmark::State& state, const Run& with, const Run& without, std::size_t batches, int rounds,
             std::size_t calls = 1);

/// Registers a benchmark whose body calls compare().
void add_comparison(const std::string& name, std::function<void(benchmark::State&)> body);

[[nodiscard]] std::string shape_name(const Shape& shape);

/// The rest of main().
[[nodiscard]] int run_comparisons(int argc, char** argv);

}  // namespace bench
