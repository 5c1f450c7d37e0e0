// SPDX-License-Identifier: Apache-2.0
// The library's tuning on this machine:
//
//     rowmill_tuning_bench prefetch [REGEX]
//     rowmill_tuning_bench [--benchmark_filter=REGEX] [...]
//
// The first shows which prefetch level and distance is the best for large tables. The second shows where the crossovers
// of the library's tuning lie (kernels/core/tuning.hpp): each constant set one way and the other, in turn, over sizes
// on both sides of it; "second/first" above 1 means that the way named first is the faster one.
#include <algorithm>
#include <cstdio>
#include <limits>
#include <memory>
#include <regex>
#include <rowmill/rowmill.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "compare.hpp"
#include "kernels/core/override_tuning.hpp"
#include "machine.hpp"
#include "measure.hpp"
#include "subject.hpp"

namespace bench {
namespace {

constexpr Shape kShapes[] = {{1'000'000, 64, 2048, 20}, {4'000'000, 64, 2048, 20}, {2'000'000, 128, 1024, 20}};
constexpr std::int64_t kDistances[] = {0, 4, 8, 16, 32, 64};
constexpr Effort kEffort{.seconds = 1.5, .min_rounds = 15};

/// How long an operation takes with each prefetch level and distance, and as the library chooses them itself: each time
/// divided by the shortest.
void sweep(const Operation& operation, const Shape& shape) {
  Subject subject(operation, shape, batch_count(shape, last_level_cache()));
  subject.set_batches(IdSource::uniform);
  const auto under = [&](const rowmill::Tuning& tuning) {
    return Contestant{[=, &subject](std::size_t batch) {
      rowmill::override_tuning(tuning);
      subject.run(batch);
      rowmill::override_tuning({});
    }};
  };
  std::vector<Contestant> ways = {under({})};
  for (const auto level : {rowmill::CacheLevel::first, rowmill::CacheLevel::second}) {
    for (const std::int64_t distance : kDistances) {
      ways.push_back(under({.prefetch_level = level, .prefetch_ahead = distance}));
    }
  }
  const std::size_t calls = calls_per_sample(ways.front().run, subject.batch_count(), kEffort.sample_seconds);
  measure_in_turn(ways, subject.batch_count(), calls, kEffort);
  std::vector<double> seconds;
  for (const Contestant& way : ways) seconds.push_back(median(way.samples));
  const double best = *std::ranges::min_element(seconds);
  std::printf("%s, %s, uniform ids; best %.0f us\n  %-22s%7.2f\n  %-22s", operation.name.data(),
              shape.table_name().c_str(), best * 1e6, "as the library chooses", seconds[0] / best, "rows ahead");
  for (const std::int64_t distance : kDistances) std::printf("%7ld", distance);
  for (std::size_t w = 1; w < ways.size(); ++w) {
    if (w % std::size(kDistances) == 1) std::printf("\n  %-22s", w == 1 ? "first level" : "second level");
    std::printf("%7.2f", seconds[w] / best);
  }
  std::printf("\n\n");
  std::fflush(stdout);
}

/// For tables whose name `operation/table` matches the regular expression.
void print_prefetch_sweep(const std::string& filter) {
  std::printf("Prefetch level and distance, %s, %d threads: time divided by the best of the table\n\n",
              cpu_model().c_str(), thread_count());
  const std::regex wanted(filter);
  for (const Shape& shape : kShapes) {
    for (const std::string_view name : {"gather", "pool", "sgd", "adam"}) {
      if (std::regex_search(std::string(name) + "/" + shape.table_name(), wanted)) sweep(operation(name), shape);
    }
  }
}

const std::string kRatio = "second/first";
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
const rowmill::Tuning kDefaults;

rowmill::Tuning with(std::int64_t rowmill::Tuning::*member, std::int64_t value) {
  rowmill::Tuning changed = kDefaults;
  changed.*member = value;
  return changed;
}

/// Compares an operation under two tunings.
void choose(benchmark::State& state, std::string_view operation, const Shape& shape, IdSource source,
            const rowmill::Tuning& first, const rowmill::Tuning& second) {
  Subject subject(bench::operation(operation), shape, batch_count(shape, last_level_cache()));
  subject.set_batches(source);
  const std::size_t calls = 1 + (std::size_t{8} << 20) / shape.batch_bytes();
  const int rounds = calls > 2 ? 301 : 101;
  const auto under = [&](const rowmill::Tuning& way) {
    return [&](std::size_t batch) {
      rowmill::override_tuning(way);
      subject.plan_and_run(batch);
      rowmill::override_tuning(kDefaults);
    };
  };
  compare(state, kRatio, under(first), under(second), subject.batch_count(), rounds, calls);
}

/// Gathers into one output again and again, or into others in turn, which no cache holds any more.
void stores(benchmark::State& state, const Shape& shape, bool one_output) {
  const rowmill::Table table(shape.rows, shape.dim);
  const auto batches = make_batches(shape, IdSource::zipf, 16);
  const std::size_t elements = shape.batch_bytes() / sizeof(float);
  const std::size_t outputs = one_output ? 1 : (std::size_t{256} << 20) / shape.batch_bytes();
  const auto by = [&](rowmill::Stores kind) {
    // Each way has outputs of its own: streaming stores drive a line out of the caches.
    const auto buffer =
        std::make_shared<rowmill::Table>(static_cast<std::int64_t>(outputs) * shape.id_count(), shape.dim);
    return [&, kind, buffer, next = std::size_t{0}](std::size_t batch) mutable {
      float* const out = buffer->data() + next++ % outputs * elements;
      rowmill::gather(table, batches[batch], rowmill::TableView(out, shape.id_count(), shape.dim), {.stores = kind});
    };
  };
  // Several in a row: what one way leaves in the caches is its own to find there.
  const std::size_t calls = 6 + (std::size_t{8} << 20) / shape.batch_bytes();
  compare(state, kRatio, by(rowmill::Stores::streaming), by(rowmill::Stores::ordinary), batches.size(), 101, calls);
}

/// Gathers from tables with huge pages and without.
void huge_pages(benchmark::State& state, const Shape& shape) {
  const auto batches = make_batches(shape, IdSource::uniform, batch_count(shape, last_level_cache()));
  rowmill::Table out(shape.id_count(), shape.dim);
  const auto by = [&](bool huge) {
    const auto table = std::make_shared<rowmill::Table>(
        shape.rows, shape.dim,
        rowmill::TableOptions{.initializer = rowmill::Initializer::uniform(-1, 1), .huge_pages = huge});
    return [&, table](std::size_t batch) { rowmill::gather(*table, batches[batch], out); };
  };
  compare(state, kRatio, by(true), by(false), batches.size(), 101);
}

void add_crossovers() {
  constexpr std::int64_t kAlways = 0;
  const auto add = [](const std::string& ways, std::string_view operation, const Shape& shape, IdSource source,
                      std::int64_t rowmill::Tuning::*size, std::int64_t first, std::int64_t second) {
    add_comparison(ways + "/" + std::string(operation) + "/" + shape.name() + "/" + std::string(name(source)),
                   [=](benchmark::State& state) {
                     choose(state, operation, shape, source, with(size, first), with(size, second));
                   });
  };
  for (const std::int64_t bags : {2, 4, 8, 16, 32, 64, 128}) {
    const Shape shape{9088, 256, bags, 16};
    for (const std::string_view operation : {"gather", "pool"}) {
      add("threads, alone", operation, shape, IdSource::zipf, &rowmill::Tuning::parallel_lookup_bytes, kAlways, kNever);
    }
    add("threads, alone", "sgd", shape, IdSource::zipf, &rowmill::Tuning::parallel_bytes, kAlways, kNever);
  }
  for (const std::int64_t bags : {64, 128, 256, 512, 1024}) {
    add("threads, alone", "plan", {9088, 256, bags, 16}, IdSource::zipf, &rowmill::Tuning::parallel_plan_ids, kAlways,
        kNever);
  }
  for (const Shape& shape : {Shape{9088, 256, 128, 32}, Shape{9088, 256, 1024, 64}, Shape{1'000'000, 64, 2048, 20}}) {
    for (const std::int64_t ids : {256, 512, 2048, 8192}) {
      add("shards of 1,024 ids, of " + std::to_string(ids), "pooled_sgd", shape, IdSource::zipf,
          &rowmill::Tuning::shard_ids, 1024, ids);
    }
  }
  for (const std::int64_t dim : {64, 256}) {
    for (const std::int64_t bags : {16, 32, 64, 128, 256}) {
      add("row by row, in order", "scatter_add", {9088, dim, bags, 16}, IdSource::zipf, &rowmill::Tuning::group_bytes,
          kAlways, kNever);
    }
    for (const std::int64_t bags : {64, 128, 256, 1024, 2048}) {
      for (const IdSource source : {IdSource::one_row, IdSource::zipf}) {
        add("hot rows shared, not shared", "sgd", {9088, dim, bags, 32}, source, &rowmill::Tuning::share_bytes, kAlways,
            kNever);
      }
    }
    const std::int64_t rows = dim == 64 ? 1'000'000 : 250'000;
    for (const std::int64_t kib : {128, 512, 1024, 2048, 8192, 32'768}) {
      add("bags' gradients not prefetched, prefetched", "pooled_sgd", {rows, dim, kib * 256 / dim, 16}, IdSource::zipf,
          &rowmill::Tuning::near_gradient_bytes, kNever, kAlways);
    }
    for (const std::int64_t length : {2, 4, 8, 32}) {
      add("mean squares beforehand, row by row", "pooled_row_wise_adagrad", {250'000, dim, 4096 / length, length},
          IdSource::uniform, &rowmill::Tuning::rows_per_mean_square, 1, rows);  // so many are never touched for each
    }
  }
  for (const std::int64_t bags : {16, 64, 128, 256, 512, 2048}) {
    for (const bool one_output : {true, false}) {
      const Shape shape{9088, 256, bags, 32};
      add_comparison(
          "streaming stores, ordinary/gather/" + shape.name() + (one_output ? "/one output" : "/many outputs"),
          [=](benchmark::State& state) { stores(state, shape, one_output); });
    }
  }
  for (const Shape& shape : {Shape{1'000'000, 64, 2048, 20}, Shape{250'002, 768, 8, 512}}) {
    add_comparison("huge pages, small/gather/" + shape.name(),
                   [=](benchmark::State& state) { huge_pages(state, shape); });
  }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "prefetch") {
    bench::print_prefetch_sweep(argc > 2 ? argv[2] : "");
    return 0;
  }
  bench::add_crossovers();
  return bench::run_comparisons(argc, argv);
}
