// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <tbb/parallel_for.h>
#include <tbb/partitioner.h>
#include <tbb/task_group.h>

#include <cstdint>
#include <vector>

#include "measure.hpp"
#include "subject.hpp"

namespace bench {

/// Calls f(begin, end) for `parts` equal parts of 0 .. count - 1, cut at multiples of `unit`, on the threads of the
/// arena: part p always on the same one.
template <class F>
void for_each_part(int parts, std::int64_t count, std::int64_t unit, const F& f) {
  if (parts == 1) return f(std::int64_t{0}, count);
  const auto cut = [=](int part) { return part == parts ? count : count * part / parts / unit * unit; };
  tbb::task_group_context context(tbb::task_group_context::isolated);  // cheaper than a bound one
  tbb::parallel_for(
      0, parts, [&](int part) { f(cut(part), cut(part + 1)); }, tbb::static_partitioner(), context);
}

/// The roofline of an operation: how long plain loops take to move its compulsory bytes, in the same memory, on the
/// same batches and threads. With n ids, of which u are distinct, in b bags, and rows of d floats, those are
///
///     gather        4 d (u + n)            each distinct row read once, each output row written once
///     pool          4 d (u + b)            the same, with a row for each bag
///     scatter_add   4 d (n + 2 u)          each value read once; each distinct row read and written once
///     sgd           4 d (n + 2 u)          the same, with gradients for values
///     adagrad       4 d (n + 4 u)          and the accumulator; row-wise: 8 u for the accumulator
///     adam          4 d (n + 6 u)          and both moments
///     pooled steps  b for n                ids and their weights are left out
///     plan          4 (n + n + u)          each id read; each position and each distinct row written
///     of 16 bits    2 for 4                rows of tables and of outputs; gradients are floats
///     quantised     the bytes of a row     for 4 d u; the loops read whole cache lines, as the hardware does
///
/// It is a yardstick and no law of nature. An operation that reads rows again, which most batches ask for, can't reach
/// it; one that overlaps what the loops do one after the other can be faster.
class Roofline {
 public:
  /// What one plain loop moves. It goes about it in several ways: on one thread or all, by ordinary or streaming
  /// stores, with one prefetch or another. The fastest counts.
  struct Part {
    double bytes;  ///< in the mean of all batches
    std::vector<Run> ways;
  };

  /// For use inside a task arena of `threads` threads. dim must be a multiple of 32. `subject` must outlive this.
  Roofline(Subject& subject, int threads);

  [[nodiscard]] const std::vector<Part>& parts() const { return parts_; }
  /// The compulsory bytes, in the mean of all batches.
  [[nodiscard]] double bytes() const;

 private:
  void add_sequential(bool writes);  // gradients or ids; an output or a plan
  void add_rows(bool updates);

  Subject& subject_;
  int threads_;
  std::vector<std::vector<std::int32_t>> distinct_;  // the distinct rows of each batch
  std::vector<Part> parts_;
};

}  // namespace bench
