// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>

#include "commands.hpp"
#include "rowmill/rowmill.hpp"

namespace rowmill::tool {
namespace {

/// Seconds of one call in the mean, over at least `seconds` and one call.
template <class F>
double time_of(double seconds, F f) {
  using Clock = std::chrono::steady_clock;
  f();  // pages and threads are there afterwards
  const Clock::time_point begin = Clock::now();
  std::chrono::duration<double> elapsed{};
  std::int64_t calls = 0;
  do {
    f();
    ++calls;
    elapsed = Clock::now() - begin;
  } while (elapsed.count() < seconds);
  return elapsed.count() / static_cast<double>(calls);
}

}  // namespace

int bench(const BenchOptions& options) {
  Table table(options.rows, options.dim, {.initializer = Initializer::uniform(-1, 1)});
  // Several batches in turn, so that the caches don't hold all that one needs.
  constexpr std::size_t kBatches = 16;
  std::mt19937_64 random(1);
  std::vector<std::vector<std::int64_t>> batches(kBatches,
                                                 std::vector<std::int64_t>(static_cast<std::size_t>(options.ids)));
  for (auto& batch : batches) {
    for (std::int64_t& id : batch) id = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(options.rows));
  }
  std::size_t next = 0;
  const auto batch = [&]() -> const std::vector<std::int64_t>& { return batches[next++ % kBatches]; };

  double seconds = 0;
  if (options.operation == "gather") {
    Table out(options.ids, options.dim);
    seconds = time_of(options.seconds, [&] { gather(table, batch(), out); });
  } else if (options.operation == "pool") {
    if (options.ids % options.bag != 0) {
      throw std::runtime_error(
          fmt::format("bench: --ids is {}; it must be a multiple of --bag, {}", options.ids, options.bag));
    }
    Table out(options.ids / options.bag, options.dim);
    seconds = time_of(options.seconds, [&] { pool(table, Bags(batch(), out.rows(), options.bag), out); });
  } else {
    const Table gradient(options.ids, options.dim, {.initializer = Initializer::constant(1e-3F)});
    Optimizer optimizer(AdamOptions{}, options.rows, options.dim);
    Plan plan;
    seconds = time_of(options.seconds, [&] {
      plan.build(Ids(batch()), options.rows);
      optimizer.step(table, plan, gradient);
    });
  }
  const double ns_per_id = 1e9 * seconds / static_cast<double>(options.ids);
  if (options.json) {
    fmt::print("{}\n", nlohmann::ordered_json({{"operation", options.operation},
                                               {"isa", isa_name()},
                                               {"rows", options.rows},
                                               {"dim", options.dim},
                                               {"ids", options.ids},
                                               {"seconds_per_call", seconds},
                                               {"ns_per_id", ns_per_id}})
                           .dump(2));
  } else {
    fmt::print("{} of {} ids in a {} x {} table, {}: {:.1f} us a call, {:.1f} ns an id\n", options.operation,
               options.ids, options.rows, options.dim, isa_name(), 1e6 * seconds, ns_per_id);
  }
  return 0;
}

}  // namespace rowmill::tool
