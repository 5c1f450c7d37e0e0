// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <benchmark/benchmark.h>

#include <cstddef>
#include <functional>
#include <string>

#include "measure.hpp"
#include "workloads.hpp"

namespace bench {

/// Measures the same work done in two ways, in turn, and reports the time of the first, and under the name `ratio` how
/// many times as long the second takes. A sample is `calls` of them: one call alone would find the second thread asleep
/// that the other side did not use.
void compare(benchmark::State& state, const std::string& ratio, const Run& first, const Run& second,
             std::size_t batches, int rounds, std::size_t calls = 1);

/// Registers a benchmark whose body calls compare().
void add_comparison(const std::string& name, std::function<void(benchmark::State&)> body);

[[nodiscard]] std::string shape_name(const Shape& shape);

/// The rest of main().
[[nodiscard]] int run_comparisons(int argc, char** argv);

}  // namespace bench
