// SPDX-License-Identifier: Apache-2.0
#include "suite.hpp"

#include <fmt/format.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <stdexcept>

#include "machine.hpp"
#include "roofline.hpp"

namespace bench {

namespace {

using rowmill::Format;

/// The way of a part that took least in a short heat: those that are close to the best are tried a second time.
Run fastest_way(const Roofline::Part& part, std::size_t batch_count, std::size_t calls) {
  constexpr double kClose = 1.3;
  std::vector<Contestant> ways;
  for (const Run& way : part.ways) ways.push_back({way});
  const auto least = [](const Contestant& way) { return *std::ranges::min_element(way.samples); };
  for (int heat = 0; heat < 2; ++heat) {
    wake_threads(1);
    for (Contestant& way : ways) way.sample(calls, batch_count);
    const double best = least(*std::ranges::min_element(ways, {}, least));
    std::erase_if(ways, [&](const Contestant& way) { return least(way) > kClose * best; });
  }
  return std::ranges::min_element(ways, {}, least)->run;
}

}  // namespace

std::string Case::name() const {
  return fmt::format("{}/{}/{}/{}", operation->name, shape.name(), bench::name(source), threads);
}

std::vector<Case> cases(Extent extent) {
  const bool all = extent == Extent::all;
  std::vector<Shape> tables = shapes(all);
  if (extent == Extent::quick) tables.resize(1);
  std::vector<int> thread_counts = {thread_count()};
  if (all && thread_count() > 1) thread_counts.push_back(1);
  std::vector<Case> result;
  for (const Shape& shape : tables) {
    for (const Operation& operation : kOperations) {
      const bool below = !operation.plain() || (operation.kind == Kind::lookup && operation.format != Format::f32);
      if (extent == Extent::standard && below) continue;
      for (const IdSource source : kIdSources) {
        if (!all && source == IdSource::one_row) continue;
        for (const int threads : thread_counts) result.push_back({&operation, shape, source, threads});
      }
    }
  }
  if (extent == Extent::quick) return result;
  for (const Shape& shape : pooled_shapes()) {
    const bool among_tables = std::ranges::find(tables, shape) != tables.end();
    for (const Operation& operation : kOperations) {
      const bool other_format = operation.kind == Kind::lookup && operation.format != Format::f32;
      const bool wanted = operation.pooled ? operation.kind != Kind::plan : operation.kind == Kind::lookup;
      if (!wanted || (shape.dim < 64 && (other_format || !operation.pooled))) continue;
      if (among_tables && (all || (operation.plain() && !other_format))) continue;
      for (const int threads : thread_counts) result.push_back({&operation, shape, IdSource::uniform, threads});
    }
  }
  return result;
}

Suite::Suite(Extent extent) : cache_bytes_(last_level_cache()) {
  if (extent == Extent::quick) effort_ = {.seconds = 0, .min_rounds = 3, .sample_seconds = 1e-4, .patience_seconds = 0};
}

std::string Suite::refusal(const Case& which) const {
  constexpr double kSafety = 1.2;  // ids, plans and distinct rows
  const auto batches = static_cast<double>(batch_count(which.shape, cache_bytes_));
  const double needed = kSafety * (static_cast<double>(which.shape.table_bytes()) * (1 + which.operation->states) +
                                   static_cast<double>(which.shape.batch_bytes()) * batches);
  const std::size_t held = subject_ == nullptr ? 0 : subject_->shape().table_bytes();  // is freed first
  const auto available = static_cast<double>(available_memory() + held);
  if (needed <= available) return {};
  return fmt::format("needs {:.1f} GB of memory; {:.1f} GB are available", needed * 1e-9, available * 1e-9);
}

Subject& Suite::prepare(const Case& which) {
  const std::size_t batches = batch_count(which.shape, cache_bytes_);
  if (subject_ == nullptr || &subject_->operation() != which.operation || subject_->shape() != which.shape) {
    subject_.reset();  // first: there may not be room for two
    subject_ = std::make_unique<Subject>(*which.operation, which.shape, batches);
    source_.reset();
  }
  if (source_ != which.source) subject_->set_batches(which.source);
  source_ = which.source;
  return *subject_;
}

Result Suite::measure(const Case& which) {
  tbb::task_arena arena(which.threads);
  return arena.execute([&] {
    Subject& subject = prepare(which);
    if (const std::string wrong = subject.check(); !wrong.empty()) throw std::runtime_error(wrong);
    const std::size_t batches = subject.batch_count();
    const Roofline roofline(subject, which.threads);
    const Run operation = [&](std::size_t batch) { subject.run(batch); };
    const std::size_t calls = calls_per_sample(operation, batches, effort_.sample_seconds);
    std::vector<Contestant> contestants = {{operation}};
    for (const Roofline::Part& part : roofline.parts()) {
      contestants.push_back({fastest_way(part, batches, calls)});
    }
    const double latency_ns = measure_in_turn(contestants, batches, calls, effort_);

    Result result{.which = which, .bytes = roofline.bytes(), .core_latency_ns = latency_ns};
    result.seconds = median(contestants[0].samples);
    std::vector<double> ratios(contestants[0].samples.size());
    for (auto loop = contestants.begin() + 1; loop != contestants.end(); ++loop) {
      result.roofline_seconds += median(loop->samples);
      for (std::size_t i = 0; i < ratios.size(); ++i) ratios[i] += loop->samples[i] / contestants[0].samples[i];
    }
    result.share = median(ratios);
    return result;
  });
}

}  // namespace bench
