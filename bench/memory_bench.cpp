// SPDX-License-Identifier: Apache-2.0
// What each measure about memory is worth: the same work with it and without, in turn, in one run. Huge pages,
// streaming stores and first touch are the library's own options; prefetches and non-temporal reads are compared in the
// plain loops of the ceiling, which have each of them.
#include <benchmark/benchmark.h>
#include <tbb/blocked_range.h>
#include <tbb/parallel_reduce.h>

#include <functional>
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
      [&](std::size_t b) { lookup.run(b, rowmill::Stores::ordinary); }, lookup.batches.size(), 51,
      6);  // in a row: what one way leaves in the caches is its own to find there
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

double sum_of_squares(const float* values, std::int64_t count) {
  return tbb::parallel_reduce(
      tbb::blocked_range<std::int64_t>(0, count, 1 << 14), 0.0,
      [=](const tbb::blocked_range<std::int64_t>& range, double sum) {
        float lanes[64] = {};  // enough that the compiler's vectors do not wait for each other
        std::int64_t i = range.begin();
        for (; i + 64 <= range.end(); i += 64) {
          for (std::int64_t k = 0; k < 64; ++k) lanes[k] += values[i + k] * values[i + k];
        }
        for (; i < range.end(); ++i) lanes[0] += values[i] * values[i];
        for (const float lane : lanes) sum += static_cast<double>(lane);
        return sum;
      },
      std::plus<>());
}

/// A step, and a step after a pass that reads all its gradients: the least that clipping by a global norm would cost.
void global_norm(benchmark::State& state, Operation operation, const Shape& shape) {
  Subject subject(operation, shape, batch_count(shape, last_level_cache()));
  subject.set_batches(IdSource::zipf, {});
  const auto with_norm = [&](std::size_t b) {
    benchmark::DoNotOptimize(sum_of_squares(subject.problem().buffers[b], shape.id_count() * shape.dim));
    subject.plan_and_run(b);
  };
  compare(
      state, [&](std::size_t b) { subject.plan_and_run(b); }, with_norm, subject.batch_count(), 101);
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
      add_comparison("into the first level, second/" + std::string(name(operation)) + "/" + shape_name(shape),
                     [=](auto& state) { loops(state, operation, shape, "(L1)", "(L2)"); });
    }
  }
  for (const Operation operation : {Operation::gather, Operation::pool, Operation::sgd}) {
    add_comparison("64 rows ahead, 16/" + std::string(name(operation)) + "/" + shape_name(kTall),
                   [=](auto& state) { loops(state, operation, kTall, "prefetch 64 (L1)", "prefetch 16 (L1)"); });
  }
  for (const Operation operation : {Operation::sgd, Operation::adam}) {
    for (const Shape& shape : {kSmall, kTall, kWide}) {
      add_comparison("without a global norm, with/" + std::string(name(operation)) + "/" + shape_name(shape),
                     [=](auto& state) { global_norm(state, operation, shape); });
    }
  }
  for (const Shape& shape : {kSmall, kTall}) {
    add_comparison("non_temporal_gradients/sgd/" + shape_name(shape),
                   [=](auto& state) { loops(state, Operation::sgd, shape, "(non-temporal)", "(L1)"); });
  }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  bench::register_all();
  return bench::run_comparisons(argc, argv);
}
