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
  Subject(const Operation& operation, const Shape& shape, std::size_t batch_count);

  void set_batches(IdSource source);

  /// Runs the operation on one batch; an optimizer's step with a plan that set_batches made.
  void run(std::size_t batch);

  /// The same, but plans the ids first, as Embedding::step does.
  void plan_and_run(std::size_t batch);

  /// Runs the operation on the first batch and compares with the scalar reference, bit by bit; an update, in some
  /// hundred of the rows it touches; a plan, not. Returns what is wrong, or nothing.
  [[nodiscard]] std::string check();

  [[nodiscard]] const Operation& operation() const { return operation_; }
  [[nodiscard]] const Shape& shape() const { return shape_; }
  [[nodiscard]] std::size_t batch_count() const { return batch_count_; }
  [[nodiscard]] const std::vector<std::vector<std::int32_t>>& batches() const { return batches_; }

  // Memory as floats: two values of 16 bits take the place of one, and so do four bytes of a quantised row.

  [[nodiscard]] float* weights() { return static_cast<float*>(weights_.bytes()); }
  [[nodiscard]] std::int64_t row_floats() const { return floats_of(operation_.format); }
  /// A state table as large as the weights; null beyond their number.
  [[nodiscard]] float* state(std::size_t number);
  /// One state value for each row, or null.
  [[nodiscard]] float* row_state();
  /// A row for each id or bag of a batch: the gradients of an update, or the one output of all lookups. For a plan,
  /// memory of the size of what it writes.
  [[nodiscard]] float* buffer(std::size_t batch);
  [[nodiscard]] std::int64_t buffer_floats() const;

 private:
  [[nodiscard]] std::string check_lookup();
  [[nodiscard]] std::string check_update();
  void build(rowmill::Plan& plan, std::size_t batch);
  [[nodiscard]] rowmill::Bags bags_of(const std::vector<std::int32_t>& ids) const;
  [[nodiscard]] std::int64_t floats_of(rowmill::Format format) const;

  const Operation& operation_;
  Shape shape_;
  std::size_t batch_count_;
  rowmill::Table weights_;
  std::optional<rowmill::Optimizer> optimizer_;
  rowmill::Plan plan_;                // of the batch planned last
  std::vector<rowmill::Plan> plans_;  // of each batch, for an optimizer's steps
  rowmill::Workspace workspace_;
  rowmill::Table buffer_;
  std::vector<std::vector<std::int32_t>> batches_;
  std::vector<float> sample_weights_;  // one for each id of a batch, for operations with weights
};

}  // namespace bench
