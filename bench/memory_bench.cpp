// SPDX-License-Identifier: Apache-2.0
// What each measure about memory is worth: the same work with it and without, in turn, in one run. Huge pages,
// streaming stores and first touch are the library's own options; prefetches and non-temporal reads are compared in the
// plain loops of the ceiling, which have each of them.
#include <benchmark/benchmark.h>

#include <rowmill/rowmill.hpp>
#include <string>
#include <vector>

#include "ceiling.hpp"
#include "compare.hpp"
#include "machine.hpp"
#include "subject.hpp"
#include "workloads.hpp"

namespace bench {
namespace {

constexpr Shape kTall{1'000'000, 64, 2048, 20};
constexpr Shape kWide{250'002, 768, 8, 512};
constexpr Shape kSmall{9088, 256, 1024, 64};

struct Lookup {
  rowmill::Table table;
  rowmill::Table out;
  std::vector<std::vector<std::int32_t>> batches;

  Lookup(const Shape& shape, bool huge_pages)
      : table(shape.rows, shape.dim, {.initializer = rowmill::Initializer::uniform(-1, 1), .huge_pages = huge_pages}),
        out(shape.id_count(), shape.dim),
        batches(make_batches(shape, IdSource::uniform, batch_count(shape, last_level_cache()), {})) {}

  void run(std::size_t batch, rowmill::Stores stores = rowmill::Stores::automatic) {
    rowmill::gather(table, batches[batch], out, {.stores = stores});
  }
};

void huge_pages(benchmark::State& state, const Shape& shape) {
  Lookup on(shape, true);
  Lookup off(shape, false);
  compare(
      state, [&](std::size_t b) { on.run(b); }, [&](std::size_t b) { off.run(b); }, on.batches.size(), 101);
}

void streaming_stores(benchmark::State& state, const Shape& shape) {
  Lookup lookup(shape, true);
  compare(
      state, [&](std::size_t b) { lookup.run(b, rowmill::Stores::streaming); },
      [&](std::size_t b) { lookup.run(b, rowmill::Stores::ordinary); }, lookup.batches.size(), 101);
}

void first_touch(benchmark::State& state, const Shape& shape) {
  const auto make = [&](bool parallel) {
    const rowmill::Table table(
        shape.rows, shape.dim,
        {.initializer = rowmill::Initializer::scaled_uniform_fan_out(shape.dim), .parallel_first_touch = parallel});
    benchmark::DoNotOptimize(table.data());
  };
  compare(
      state, [&](std::size_t) { make(true); }, [&](std::size_t) { make(false); }, 1, 7);
}

/// The best of the plain loops whose name has `with` in it, against the best of those that have `without`.
void loops(benchmark::State& state, Operation operation, const Shape& shape, const std::string& with,
           const std::string& without) {
  Subject subject(operation, shape, batch_count(shape, last_level_cache()));
  subject.set_batches(IdSource::uniform, {});
  const Ceiling ceiling(subject.problem(), thread_count());
  const auto best = [&](const std::string& part) {
    const Ceiling::Loop* fastest = nullptr;
    double least = 0;
    for (const Ceiling::Loop& loop : ceiling.loops()) {
      if (loop.name.find(part) == std::string::npos) continue;
      std::vector<double> seconds;
      for (std::size_t i = 0; i < 5; ++i) seconds.push_back(seconds_of(loop.run, i % subject.batch_count()));
      if (fastest == nullptr || median(seconds) < least) {
        fastest = &loop;
        least = median(seconds);
      }
    }
    return fastest->run;
  };
  compare(state, best(with), best(without), subject.batch_count(), 101);
}

void register_all() {
  for (const Shape& shape : {kTall, kWide}) {
    add_comparison("huge_pages/gather/" + shape_name(shape), [=](auto& state) { huge_pages(state, shape); });
  }
  for (const Shape& shape : {kSmall, kWide, kTall}) {
    add_comparison("streaming_stores/gather/" + shape_name(shape),
                   [=](auto& state) { streaming_stores(state, shape); });
  }
  add_comparison("parallel_first_touch/table/" + shape_name(kTall), [](auto& state) { first_touch(state, kTall); });
  for (const Operation operation : {Operation::gather, Operation::sgd, Operation::adam}) {
    for (const Shape& shape : {kTall, kWide}) {
      add_comparison("prefetch/" + std::string(name(operation)) + "/" + shape_name(shape),
                     [=](auto& state) { loops(state, operation, shape, ", prefetch", "no prefetch"); });
    }
  }
  for (const Shape& shape : {kSmall, kTall}) {
    add_comparison("non_temporal_gradients/sgd/" + shape_name(shape),
                   [=](auto& state) { loops(state, Operation::sgd, shape, "(non-temporal)", "(L2)"); });
  }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  bench::register_all();
  return bench::run_comparisons(argc, argv);
}
