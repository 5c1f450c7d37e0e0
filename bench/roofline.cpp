// SPDX-License-Identifier: Apache-2.0
#include "roofline.hpp"

#include <algorithm>
#include <set>

#include "roofline_loops.hpp"

namespace bench {

namespace {

constexpr std::int64_t kLineFloats = 16;
constexpr double kFloat = sizeof(float);

/// No prefetch, and what makes about 2, 4 and 16 KiB in flight, into each level.
std::vector<RowPrefetch> prefetches(std::int64_t dim) {
  std::vector<RowPrefetch> all = {{0, true}};
  std::set<std::int64_t> distances;
  for (const std::int64_t kib : {2, 4, 16}) {
    distances.insert(std::clamp<std::int64_t>(kib * 1024 / (dim * std::int64_t{sizeof(float)}), 1, 64));
  }
  for (const std::int64_t rows : distances) {
    all.push_back({rows, true});
    all.push_back({rows, false});
  }
  return all;
}

/// All threads; and one alone where waking others could take longer than the work.
std::vector<int> part_counts(int threads, double bytes) {
  constexpr double kManyBytes = 4 << 20;
  if (threads == 1 || bytes > kManyBytes) return {threads};
  return {1, threads};
}

/// The rows that each batch touches, each once, in order of first occurrence.
std::vector<std::vector<std::int32_t>> distinct_rows(const Subject& subject) {
  std::vector<std::vector<std::int32_t>> rows_of_batches;
  std::vector<std::size_t> last_batch(
      static_cast<std::size_t>(subject.shape().rows));  // in which a row occurred, from 1
  for (const std::vector<std::int32_t>& batch : subject.batches()) {
    std::vector<std::int32_t>& rows = rows_of_batches.emplace_back();
    for (const std::int32_t id : batch) {
      std::size_t& last = last_batch[static_cast<std::size_t>(id)];
      if (last != rows_of_batches.size()) rows.push_back(id);
      last = rows_of_batches.size();
    }
  }
  return rows_of_batches;
}

}  // namespace

const RooflineLoops& roofline_loops() {
#ifdef ROWMILL_BENCH_X86
  if (__builtin_cpu_supports("avx512f")) return avx512::roofline;
  if (__builtin_cpu_supports("avx2")) return avx2::roofline;
#endif
  return baseline::roofline;
}

Roofline::Roofline(Subject& subject, int threads)
    : subject_(subject), threads_(threads), distinct_(distinct_rows(subject)) {
  const Kind kind = subject.operation().kind;
  if (kind == Kind::plan) {
    add_sequential(false);
    add_sequential(true);
  } else if (kind == Kind::lookup) {
    add_rows(false);
    add_sequential(true);
  } else {
    add_sequential(false);
    add_rows(true);
  }
}

double Roofline::bytes() const {
  double total = 0;
  for (const Part& part : parts_) total += part.bytes;
  return total;
}

void Roofline::add_sequential(bool writes) {
  const bool plan = subject_.operation().kind == Kind::plan;
  const auto floats = [this, plan, writes](std::size_t b) {
    if (!plan) return subject_.buffer_floats();
    return subject_.shape().id_count() + (writes ? std::ssize(distinct_[b]) : 0);
  };
  Part part{};
  for (std::size_t b = 0; b < distinct_.size(); ++b) {
    part.bytes += kFloat * static_cast<double>(floats(b)) / static_cast<double>(distinct_.size());
  }
  const RooflineLoops& loops = roofline_loops();
  for (const int count : part_counts(threads_, part.bytes)) {
    for (auto* const store : {loops.write, loops.stream}) {
      if (!writes && store == loops.stream) continue;
      part.ways.push_back([this, plan, writes, floats, count, store](std::size_t b) {
        for_each_part(count, floats(b), kLineFloats, [&](std::int64_t begin, std::int64_t end) {
          const std::int64_t whole_lines = (end - begin) / kLineFloats * kLineFloats;
          if (writes) return store(subject_.buffer(b) + begin, whole_lines);
          const auto* const ids = reinterpret_cast<const float*>(subject_.batches()[b].data());
          roofline_loops().read((plan ? ids : subject_.buffer(b)) + begin, whole_lines);
        });
      });
    }
  }
  parts_.push_back(std::move(part));
}

void Roofline::add_rows(bool updates) {
  double rows_touched = 0;
  for (const auto& rows : distinct_) rows_touched += static_cast<double>(rows.size());
  rows_touched /= static_cast<double>(distinct_.size());
  const int tables = updates ? 1 + subject_.operation().states : 1;
  const double row_bytes = kFloat * static_cast<double>(subject_.row_floats() * tables +
                                                        (updates && subject_.operation().row_state ? 1 : 0));
  Part part{(updates ? 2 : 1) * row_bytes * rows_touched, {}};
  for (const int count : part_counts(threads_, part.bytes)) {
    for (const RowPrefetch prefetch : prefetches(subject_.row_floats())) {
      part.ways.push_back([this, updates, tables, count, prefetch](std::size_t b) {
        const RooflineLoops& loops = roofline_loops();
        for_each_part(count, std::ssize(distinct_[b]), 1, [&](std::int64_t begin, std::int64_t end) {
          (updates ? loops.update_rows
                   : loops.read_rows)({.tables = {subject_.weights(), subject_.state(0), subject_.state(1)},
                                       .table_count = tables,
                                       .row_values = updates ? subject_.row_state() : nullptr,
                                       .dim = subject_.row_floats(),
                                       .ids = distinct_[b].data() + begin,
                                       .count = end - begin,
                                       .prefetch = prefetch});
        });
      });
    }
  }
  parts_.push_back(std::move(part));
}

}  // namespace bench
