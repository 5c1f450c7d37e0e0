// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <rowmill/rowmill.hpp>
#include <string>
#include <vector>

#include "operations.hpp"
#include "workloads.hpp"

namespace bench {

/// The library's side of a measurement: a table, what an operation needs beside it, and batches to run it on.
class Subject {
 public:
  Subject(const Operation& operation, const Shape& shape, int batch_count);

  void set_batches(IdSource source);

  /// Runs the operation on one batch; an optimizer's step with a plan that set_batches made.
  void run(std::size_t batch);

  /// The same, but plans the ids first, as Embedding::step does.
  void plan_and_run(std::size_t batch);

  /// Runs the operation on the first batch and compares with the scalar reference, bit by bit; an update, in some
  /// hundred of the rows it touches. Returns what is wrong, or nothing.
  [[nodiscard]] std::string check();

  [[nodiscard]] const Problem& problem() const { return problem_; }
  [[nodiscard]] std::size_t batch_count() const { return problem_.buffers.size(); }

 private:
  [[nodiscard]] std::string check_lookup();
  [[nodiscard]] std::string check_update();
  [[nodiscard]] std::string check_plan();
  void build(rowmill::Plan& plan, std::size_t batch);
  [[nodiscard]] rowmill::Bags bags_of(const std::vector<std::int32_t>& ids) const;

  const Operation& operation_;
  Shape shape_;
  rowmill::Table weights_;
  std::optional<rowmill::Optimizer> optimizer_;
  rowmill::Plan plan_;                // of the batch planned last
  std::vector<rowmill::Plan> plans_;  // of each batch, for an optimizer's steps
  rowmill::Workspace workspace_;
  rowmill::Table buffer_;
  std::vector<std::vector<std::int32_t>> batches_;
  std::vector<float> sample_weights_;  // one for each id of a batch, for operations with weights
  Problem problem_;
};

}  // namespace bench
