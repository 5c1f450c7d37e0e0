// SPDX-License-Identifier: Apache-2.0
#include "subject.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>
#include <optional>

#include "kernels/reference/reference.hpp"

namespace bench {

namespace {

/// The optimizer of a step.
rowmill::OptimizerOptions optimizer_options(const Operation& operation) {
  if (operation.states == 2) return rowmill::AdamOptions{.learning_rate = 0.001};
  if (operation.states == 1) return rowmill::AdagradOptions{.learning_rate = 0.01};
  if (operation.row_state) return rowmill::RowWiseAdagradOptions{.learning_rate = 0.01};
  return rowmill::SgdOptions{.learning_rate = 0.01};
}

/// A table of that many rows. Quantised ones are made of a block of floats, again and again.
rowmill::Table make_weights(const Operation& operation, const Shape& shape) {
  const auto initializer = rowmill::Initializer::uniform(-0.05F, 0.05F);
  if (!rowmill::is_quantized(operation.format)) {
    return {shape.rows, shape.dim, {.initializer = initializer, .format = operation.format}};
  }
  rowmill::Table weights(shape.rows, shape.dim, {.format = operation.format});
  const rowmill::Table block(std::min<std::int64_t>(shape.rows, 1 << 14), shape.dim, {.initializer = initializer});
  const std::int64_t stride = rowmill::row_elements(operation.format, shape.dim);
  for (std::int64_t r = 0; r < shape.rows; r += block.rows()) {
    const std::int64_t rows = std::min(block.rows(), shape.rows - r);
    rowmill::convert({block.data(), rows, shape.dim}, {static_cast<std::byte*>(weights.bytes()) + r * stride,
                                                       operation.format, rows, shape.dim, stride});
  }
  return weights;
}

/// The rows of a batch's output or gradients; of a plan, of room for two values for each id.
std::int64_t buffer_rows(const Operation& operation, const Shape& shape) {
  if (operation.kind == Kind::plan) return 2 * shape.id_count() / shape.dim + 1;
  return operation.pooled ? shape.batch : shape.id_count();
}

/// A lookup writes one output again and again, as a layer does; an update finds new gradients with each batch.
std::int64_t buffer_count(const Operation& operation, std::size_t batch_count) {
  return operation.kind == Kind::update ? static_cast<std::int64_t>(batch_count) : 1;
}

/// One message about the first element whose bits differ, or nothing. Rows stand one after another in both tables.
std::string difference(const std::string& where, const rowmill::ConstTableView& got,
                       const rowmill::ConstTableView& expected) {
  const std::int64_t size = rowmill::element_size(got.format());
  const auto* const bytes = static_cast<const std::byte*>(got.bytes());
  const auto [at, other] =
      std::mismatch(bytes, bytes + got.rows() * got.dim() * size, static_cast<const std::byte*>(expected.bytes()));
  const std::int64_t i = (at - bytes) / size;
  if (i == got.rows() * got.dim()) return {};
  return "wrong result in " + where + ", row " + std::to_string(i / got.dim()) + ", column " +
         std::to_string(i % got.dim());
}

}  // namespace

Subject::Subject(const Operation& operation, const Shape& shape, std::size_t batch_count)
    : operation_(operation),
      shape_(shape),
      batch_count_(batch_count),
      weights_(make_weights(operation, shape)),
      buffer_(buffer_count(operation, batch_count) * buffer_rows(operation, shape), shape.dim,
              {.initializer = rowmill::Initializer::uniform(-0.001F, 0.001F),
               .format = operation.kind == Kind::lookup ? operation.out() : rowmill::Format::f32}) {
  if (operation.step) optimizer_.emplace(optimizer_options(operation), shape.rows, shape.dim);
  for (std::int64_t i = 0; operation.weighted && i < shape.id_count(); ++i) {
    sample_weights_.push_back(0.5F + static_cast<float>(i % 64) / 64);
  }
}

float* Subject::state(std::size_t number) {
  return static_cast<int>(number) < operation_.states ? optimizer_->state()[number].data() : nullptr;
}

float* Subject::row_state() { return operation_.row_state ? optimizer_->state()[0].data() : nullptr; }

std::int64_t Subject::floats_of(rowmill::Format format) const {
  return rowmill::row_elements(format, shape_.dim) * rowmill::element_size(format) / std::int64_t{sizeof(float)};
}

float* Subject::buffer(std::size_t batch) {
  const std::int64_t number = static_cast<std::int64_t>(batch) % buffer_count(operation_, batch_count_);
  return static_cast<float*>(buffer_.bytes()) + number * buffer_rows(operation_, shape_) * shape_.dim;
}

std::int64_t Subject::buffer_floats() const { return buffer_rows(operation_, shape_) * floats_of(buffer_.format()); }

void Subject::set_batches(IdSource source) {
  batches_ = make_batches(shape_, source, batch_count_);
  if (!operation_.step) return;
  plans_.resize(batch_count_);
  for (std::size_t b = 0; b < batch_count_; ++b) build(plans_[b], b);
}

rowmill::Bags Subject::bags_of(const std::vector<std::int32_t>& ids) const {
  const rowmill::Bags bags(ids, shape_.batch, shape_.length);
  return operation_.weighted ? bags.with_weights(sample_weights_) : bags;
}

void Subject::build(rowmill::Plan& plan, std::size_t batch) {
  const std::vector<std::int32_t>& ids = batches_[batch];
  if (operation_.pooled) {
    plan.build(bags_of(ids), shape_.rows);
  } else {
    plan.build(ids, shape_.rows);
  }
}

void Subject::plan_and_run(std::size_t batch) {
  if (!operation_.step) return run(batch);
  build(plan_, batch);
  const rowmill::ConstTableView gradients(buffer(batch), buffer_rows(operation_, shape_), shape_.dim);
  optimizer_->step(weights_, plan_, gradients, &workspace_);
}

void Subject::run(std::size_t batch) {
  const std::vector<std::int32_t>& ids = batches_[batch];
  const rowmill::TableView rows(buffer(batch), buffer_.format(), buffer_rows(operation_, shape_), shape_.dim,
                                shape_.dim);
  if (operation_.kind == Kind::plan) {
    build(plan_, batch);
  } else if (operation_.step) {
    optimizer_->step(weights_, plans_[batch], rows, &workspace_);
  } else if (operation_.kind == Kind::update) {
    rowmill::scatter_add(weights_, ids, rows, {}, &workspace_);
  } else if (operation_.pooled) {
    rowmill::pool(weights_, bags_of(ids), rows, {.pooling = operation_.pooling});
  } else {
    rowmill::gather(weights_, ids, rows);
  }
}

std::string Subject::check() {
  if (operation_.kind == Kind::plan) return {};  // the steps show whether plans are right
  return operation_.kind == Kind::lookup ? check_lookup() : check_update();
}

std::string Subject::check_lookup() {
  const std::vector<std::int32_t>& ids = batches_.front();
  const std::int64_t rows = buffer_rows(operation_, shape_);
  rowmill::Table expected(rows, shape_.dim, {.format = operation_.out()});
  if (!operation_.pooled) {
    rowmill::reference::gather(weights_, ids, expected, rowmill::OutOfRange::error);
  } else {
    rowmill::reference::pool(weights_, bags_of(ids), expected, {.pooling = operation_.pooling});
  }
  std::fill_n(buffer(0), buffer_floats(), 12345.0F);
  run(0);
  return difference("the output", buffer_, expected);
}

std::string Subject::check_update() {
  // Some hundred of the touched rows, as small tables; the reference leaves out all other ids, which become -1.
  constexpr std::size_t kSample = 300;
  const std::vector<std::int32_t>& ids = batches_.front();
  std::map<std::int32_t, std::int32_t> sample;  // a row, and its number in the small tables
  for (std::size_t i = 0; i < ids.size(); i += std::max<std::size_t>(1, ids.size() / kSample)) sample[ids[i]] = 0;
  std::int32_t sampled = 0;
  for (auto& [row, number] : sample) number = sampled++;
  std::vector<std::int32_t> sample_ids;
  for (const std::int32_t id : ids) {
    const auto found = sample.find(id);
    sample_ids.push_back(found != sample.end() ? found->second : -1);
  }

  std::vector<rowmill::TableView> tables = {weights_};
  if (operation_.step) {
    for (const rowmill::TableView& state : optimizer_->state()) tables.push_back(state);
  }
  const auto copy_sample = [&] {
    std::vector<rowmill::Table> copies;
    for (const rowmill::TableView& table : tables) {
      const std::int64_t row_bytes = table.dim() * rowmill::element_size(table.format());
      auto* const copy = static_cast<std::byte*>(
          copies.emplace_back(sampled, table.dim(), rowmill::TableOptions{.format = table.format()}).bytes());
      const auto* const rows = static_cast<const std::byte*>(table.bytes());
      for (const auto& [row, number] : sample) {
        std::copy_n(rows + row * row_bytes, row_bytes, copy + number * row_bytes);
      }
    }
    return copies;
  };

  std::vector<rowmill::Table> expected = copy_sample();
  constexpr auto kLeaveOut = rowmill::OutOfRange::zero;
  const rowmill::ConstTableView gradients(buffer(0), buffer_rows(operation_, shape_), shape_.dim);
  if (!operation_.step) {
    rowmill::reference::scatter_add(expected[0], sample_ids, gradients, kLeaveOut);
  } else {
    const std::vector<rowmill::TableView> states(expected.begin() + 1, expected.end());
    const auto step = [&](const auto& places) {
      rowmill::reference::optimizer_step(optimizer_options(operation_), optimizer_->step_count() + 1, expected[0],
                                         states, places, kLeaveOut, gradients);
    };
    if (operation_.pooled) {
      step(bags_of(sample_ids));
    } else {
      step(rowmill::Ids(sample_ids));
    }
  }

  run(0);
  const std::vector<rowmill::Table> got = copy_sample();
  for (std::size_t t = 0; t < got.size(); ++t) {
    const std::string where = t == 0 ? "the weights" : "state table " + std::to_string(t);
    std::string wrong = difference(where + " (of the sampled rows)", got[t], expected[t]);
    if (!wrong.empty()) return wrong;
  }
  return {};
}

}  // namespace bench
