// SPDX-License-Identifier: Apache-2.0
// The library's tuning on this machine:
//
//     rowmill_tuning_bench [prefetch | crossovers | memory] [--benchmark_filter=REGEX] [...]
//
//   prefetch    which prefetch level and distance is the best for large tables
//   crossovers  where the crossovers of the library's choices lie (kernels/core/choices.hpp): each choice made one way
//               and the other, in turn, over sizes on both sides of it
//   memory      what huge pages and parallel first touch are worth
//
// Without a word: all of them. "second/first" above 1 means that the way named first is the faster one.
#include <cstdio>
#include <limits>
#include <memory>
#include <rowmill/rowmill.hpp>
#include <string>
#include <string_view>

#include "compare.hpp"
#include "huge_buffer.hpp"
#include "kernels/core/choices.hpp"
#include "machine.hpp"
#include "prefetch_sweep.hpp"
#include "subject.hpp"

namespace bench {
namespace {

const std::string kRatio = "second/first";
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
const rowmill::Choices kDefaults;

template <class T>
rowmill::Choices with(T rowmill::Choices::*member, T value) {
  rowmill::Choices changed = kDefaults;
  changed.*member = value;
  return changed;
}

/// Compares an operation under two choices.
void choose(benchmark::State& state, Operation operation, const Shape& shape, IdSource source,
            const rowmill::Choices& first, const rowmill::Choices& second) {
  Subject subject(operation, shape, batch_count(shape, last_level_cache()));
  subject.set_batches(source, {});
  const std::size_t calls = 1 + (std::size_t{8} << 20) / shape.batch_bytes();
  const int rounds = calls > 2 ? 301 : 101;
  const auto under = [&](const rowmill::Choices& way) {
    return [&](std::size_t batch) {
      rowmill::choices = way;
      subject.plan_and_run(batch);
      rowmill::choices = kDefaults;
    };
  };
  compare(state, kRatio, under(first), under(second), subject.batch_count(), rounds, calls);
}

void add_choice(const std::string& ways, Operation operation, const Shape& shape, IdSource source,
                const rowmill::Choices& first, const rowmill::Choices& second) {
  add_comparison(ways + "/" + std::string(name(operation)) + "/" + shape_name(shape) + "/" + std::string(name(source)),
                 [=](benchmark::State& state) { choose(state, operation, shape, source, first, second); });
}

void add_threads() {
  for (const Operation operation : {Operation::gather, Operation::pool, Operation::sgd}) {
    for (const std::int64_t bags : {2, 4, 8, 16, 32, 64, 128}) {
      add_choice("threads, alone", operation, {9088, 256, bags, 16}, IdSource::zipf,
                 with(&rowmill::Choices::parallel_bytes, std::int64_t{0}),
                 with(&rowmill::Choices::parallel_bytes, kNever));
    }
  }
}

void add_grouping() {
  for (const std::int64_t dim : {64, 256}) {
    for (const std::int64_t bags : {16, 32, 64, 128, 256}) {
      add_choice("row by row, in order", Operation::scatter_add, {9088, dim, bags, 16}, IdSource::zipf,
                 with(&rowmill::Choices::group_bytes, std::int64_t{0}), with(&rowmill::Choices::group_bytes, kNever));
    }
  }
}

void add_shards() {
  for (const Shape& shape : {Shape{9088, 256, 128, 32}, Shape{9088, 256, 1024, 64}, Shape{1'000'000, 64, 2048, 20}}) {
    for (const std::int64_t ids : {256, 512, 2048, 8192}) {
      add_choice("shards of 1,024 ids, of " + std::to_string(ids), Operation::pooled_sgd, shape, IdSource::zipf,
                 kDefaults, with(&rowmill::Choices::shard_ids, ids));
    }
  }
}

void add_hot_rows() {
  for (const IdSource source : {IdSource::one_row, IdSource::zipf}) {
    for (const std::int64_t dim : {64, 256}) {
      for (const std::int64_t bags : {64, 128, 256, 1024, 2048}) {
        add_choice("hot rows shared, not shared", Operation::sgd, {9088, dim, bags, 32}, source,
                   with(&rowmill::Choices::share_bytes, std::int64_t{0}), with(&rowmill::Choices::share_bytes, kNever));
      }
    }
  }
}

void add_near_gradients() {
  for (const std::int64_t dim : {64, 256}) {
    for (const std::int64_t kib : {128, 512, 1024, 2048, 8192, 32'768}) {
      const Shape shape{dim == 64 ? 1'000'000 : 250'000, dim, kib * 256 / dim, 16};
      add_choice("bags' gradients not asked for, asked for", Operation::pooled_sgd, shape, IdSource::zipf,
                 with(&rowmill::Choices::near_gradient_bytes, kNever),
                 with(&rowmill::Choices::near_gradient_bytes, std::int64_t{0}));
    }
  }
}

void add_mean_squares() {
  for (const std::int64_t dim : {64, 256}) {
    for (const std::int64_t length : {2, 4, 8, 32}) {
      const Shape shape{250'000, dim, 4096 / length, length};
      add_choice("mean squares beforehand, row by row", Operation::pooled_row_wise_adagrad, shape, IdSource::uniform,
                 with(&rowmill::Choices::rows_per_mean_square, std::int64_t{1}),
                 with(&rowmill::Choices::rows_per_mean_square, shape.rows));  // so many are never touched for each
    }
  }
}

void add_levels() {
  for (const Shape& shape : {Shape{9088, 256, 128, 32}, Shape{9088, 256, 1024, 64}, Shape{250'002, 768, 8, 512},
                             Shape{1'000'000, 64, 2048, 20}}) {
    for (const Operation operation : {Operation::gather, Operation::pool, Operation::scatter_add, Operation::sgd,
                                      Operation::adam, Operation::pooled_sgd}) {
      // The library's own way into the first level, for lookups in a table that is near.
      const bool near = is_lookup(operation) && shape.rows == 9088;
      rowmill::Choices second = with(&rowmill::Choices::first_level_bytes, kNever);
      second.near_table_bytes = 0;
      add_choice("into the first level, second", operation, shape, IdSource::zipf,
                 near ? kDefaults : with(&rowmill::Choices::first_level_bytes, std::int64_t{0}), second);
    }
  }
}

/// Gathers into one output again and again, or into others in turn, which no cache holds any more.
void stores(benchmark::State& state, const Shape& shape, bool one_output) {
  const rowmill::Table table(shape.rows, shape.dim, {});
  const auto batches = make_batches(shape, IdSource::zipf, 16, {});
  const std::size_t elements = shape.batch_bytes() / sizeof(float);
  const std::size_t outputs = one_output ? 1 : (std::size_t{256} << 20) / shape.batch_bytes();
  const auto by = [&](rowmill::Stores kind) {
    // Each way has outputs of its own: streaming stores drive a line out of the caches.
    const auto buffer = std::make_shared<HugeBuffer>(outputs * elements);
    return [&, kind, buffer, next = std::size_t{0}](std::size_t batch) mutable {
      float* const out = buffer->data() + next++ % outputs * elements;
      rowmill::gather(table, batches[batch], rowmill::TableView(out, shape.id_count(), shape.dim), {.stores = kind});
    };
  };
  // Several in a row: what one way leaves in the caches is its own to find there.
  const std::size_t calls = 6 + (std::size_t{8} << 20) / shape.batch_bytes();
  compare(state, kRatio, by(rowmill::Stores::streaming), by(rowmill::Stores::ordinary), batches.size(), 101, calls);
}

void add_stores() {
  for (const bool one_output : {true, false}) {
    for (const std::int64_t bags : {16, 64, 128, 256, 512, 2048}) {
      const Shape shape{9088, 256, bags, 32};
      add_comparison(
          "streaming stores, ordinary/gather/" + shape_name(shape) + (one_output ? "/one output" : "/many outputs"),
          [=](benchmark::State& state) { stores(state, shape, one_output); });
    }
  }
}

/// Gathers from tables with huge pages and without.
void huge_pages(benchmark::State& state, const Shape& shape) {
  const auto batches = make_batches(shape, IdSource::uniform, batch_count(shape, last_level_cache()), {});
  rowmill::Table out(shape.id_count(), shape.dim);
  const auto by = [&](bool huge) {
    const auto table = std::make_shared<rowmill::Table>(
        shape.rows, shape.dim,
        rowmill::TableOptions{.initializer = rowmill::Initializer::uniform(-1, 1), .huge_pages = huge});
    return [&, table](std::size_t batch) { rowmill::gather(*table, batches[batch], out); };
  };
  compare(state, kRatio, by(true), by(false), batches.size(), 101);
}

void first_touch(benchmark::State& state, const Shape& shape) {
  const auto make = [&](bool parallel) {
    return [&, parallel](std::size_t) {
      const rowmill::Table table(
          shape.rows, shape.dim,
          {.initializer = rowmill::Initializer::scaled_uniform_fan_out(shape.dim), .parallel_first_touch = parallel});
      benchmark::DoNotOptimize(table.data());
    };
  };
  compare(state, kRatio, make(true), make(false), 1, 7);
}

void add_memory() {
  for (const Shape& shape : {Shape{1'000'000, 64, 2048, 20}, Shape{250'002, 768, 8, 512}}) {
    add_comparison("huge pages, small/gather/" + shape_name(shape),
                   [=](benchmark::State& state) { huge_pages(state, shape); });
    add_comparison("first touch by all threads, one/table/" + shape.table_name(),
                   [=](benchmark::State& state) { first_touch(state, shape); });
  }
}

void add_crossovers() {
  add_threads();
  add_grouping();
  add_shards();
  add_hot_rows();
  add_near_gradients();
  add_mean_squares();
  add_levels();
  add_stores();
}

int run(int argc, char** argv) {
  std::string_view section = "all";
  if (argc > 1 && argv[1][0] != '-') {
    section = argv[1];
    argv[1] = argv[0];
    ++argv;
    --argc;
  }
  if (section != "all" && section != "prefetch" && section != "crossovers" && section != "memory") {
    std::fprintf(stderr, "rowmill_tuning_bench: unknown section '%s' (known: prefetch, crossovers, memory)\n",
                 std::string(section).c_str());
    return 2;
  }
  const bool all = section == "all";
  if (all || section == "prefetch") {
    int count = argc;
    std::vector<char*> arguments(argv, argv + argc);
    benchmark::Initialize(&count, arguments.data());
    print_prefetch_sweep(benchmark::GetBenchmarkFilter());
  }
  if (all || section == "crossovers") add_crossovers();
  if (all || section == "memory") add_memory();
  return section == "prefetch" ? 0 : run_comparisons(argc, argv);
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) { return bench::run(argc, argv); }
