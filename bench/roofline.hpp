// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "measure.hpp"
#include "operations.hpp"

namespace bench {

/// The roofline of an operation: how long plain loops take to move its compulsory bytes, in the same memory, on the
/// same batches and threads. With n ids, of which u are distinct, in b bags, and rows of d floats, those are
///
///     gather        4 d (u + n)            each distinct row read once, each output row written once
///     pool          4 d (u + b)            the same, with a row for each bag
///     scatter_add   4 d (n + 2 u)          each value read once; each distinct row read and written once
///     sgd           4 d (n + 2 u)          the same, with gradients for values
///     adagrad       4 d (n + 4 u)          and the accumulator; row-wise: 8 u for the accumulator
///     adam          4 d (n + 6 u)          and both moments
///     pooled steps  b for n
///     plan          4 (n + n + u)          each id read; each position and each distinct row written
///
/// It is a yardstick and no law of nature. An operation that reads rows again, which most batches ask for, can't reach
/// it; one that overlaps what the loops do one after the other can be faster.
class Roofline {
 public:
  /// What one plain loop moves. It goes about it in several ways: on one thread or all, by ordinary or streaming
  /// stores, with one prefetch or another. The fastest counts.
  struct Part {
    std::string name;
    double bytes;  ///< in the mean of all batches
    std::vector<Run> ways;
  };

  /// For use inside a task arena of `threads` threads. dim must be a multiple of 16. `problem` must outlive this.
  Roofline(const Problem& problem, int threads);

  [[nodiscard]] const std::vector<Part>& parts() const { return parts_; }
  /// The compulsory bytes, in the mean of all batches.
  [[nodiscard]] double bytes() const;

 private:
  void add_sequential_read(const std::string& name);
  void add_sequential_write(const std::string& name);
  void add_rows(const std::string& name, bool updates);

  const Problem& problem_;
  int threads_;
  std::vector<std::vector<std::int32_t>> distinct_;  // the distinct rows of each batch
  std::vector<Part> parts_;
};

}  // namespace bench
