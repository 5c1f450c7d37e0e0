// SPDX-License-Identifier: Apache-2.0
#include "subject.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>

namespace bench {

namespace {

const rowmill::SgdOptions kSgd{.learning_rate = 0.01};
const rowmill::AdagradOptions kAdagrad{.learning_rate = 0.01};
const rowmill::RowWiseAdagradOptions kRowWiseAdagrad{.learning_rate = 0.01};
const rowmill::AdamOptions kAdam{.learning_rate = 0.001};

std::unique_ptr<rowmill::Optimizer> make_optimizer(Operation operation, const Shape& shape) {
  switch (operation) {
    case Operation::sgd:
    case Operation::pooled_sgd:
      return std::make_unique<rowmill::Optimizer>(kSgd, shape.rows, shape.dim);
    case Operation::row_wise_adagrad:
    case Operation::pooled_row_wise_adagrad:
      return std::make_unique<rowmill::Optimizer>(kRowWiseAdagrad, shape.rows, shape.dim);
    case Operation::adagrad:
      return std::make_unique<rowmill::Optimizer>(kAdagrad, shape.rows, shape.dim);
    case Operation::adam:
      return std::make_unique<rowmill::Optimizer>(kAdam, shape.rows, shape.dim);
    default:
      return nullptr;
  }
}

/// A row's gradient: its contributions in position order, in blocks of 1,024 (docs/numerics.md).
std::vector<float> row_gradient(const float* gradients, const std::vector<std::int64_t>& positions, std::size_t dim) {
  constexpr std::size_t kBlock = 1024;
  std::vector<float> total;
  for (std::size_t begin = 0; begin < positions.size(); begin += kBlock) {
    const std::size_t end = std::min(begin + kBlock, positions.size());
    const float* first = gradients + static_cast<std::size_t>(positions[begin]) * dim;
    std::vector<float> sum(first, first + dim);
    for (std::size_t i = begin + 1; i < end; ++i) {
      for (std::size_t c = 0; c < dim; ++c) sum[c] += gradients[static_cast<std::size_t>(positions[i]) * dim + c];
    }
    if (begin == 0) {
      total = sum;
    } else {
      for (std::size_t c = 0; c < dim; ++c) total[c] += sum[c];
    }
  }
  return total;
}

/// The mean square of a gradient: its columns in 16 lanes, which combine as a tree (docs/numerics.md).
float mean_square(const std::vector<float>& gradient) {
  float lanes[16] = {};
  for (std::size_t c = 0; c < gradient.size(); ++c) lanes[c % 16] += gradient[c] * gradient[c];
  for (int width = 8; width > 0; width /= 2) {
    for (int k = 0; k < width; ++k) lanes[k] += lanes[k + width];
  }
  return lanes[0] / static_cast<float>(gradient.size());
}

/// A row of the weights and of the states.
using Rows = std::vector<std::vector<float>>;

/// The formulas of rowmill/optimizer.hpp for one row; scalars are double, rounded to float once.
void plain_step(Operation operation, std::int64_t step, const std::vector<float>& gradient, Rows& rows) {
  const auto power = [&](double beta) {
    double product = 1;
    for (std::int64_t i = 0; i < step; ++i) product *= beta;
    return product;
  };
  float rate = static_cast<float>(kSgd.learning_rate);
  if (has_row_state(operation)) {
    float& a = rows[1][0];
    a = a + mean_square(gradient);
    rate = static_cast<float>(kRowWiseAdagrad.learning_rate) /
           (std::sqrt(a) + static_cast<float>(kRowWiseAdagrad.epsilon));
  }
  const double correction1 = 1 - power(kAdam.beta1);
  const double correction2 = 1 - power(kAdam.beta2);
  for (std::size_t c = 0; c < gradient.size(); ++c) {
    const float g = gradient[c];
    float& w = rows[0][c];
    if (state_count(operation) == 0) {
      w = w - rate * g;
    } else if (operation == Operation::adagrad) {
      float& a = rows[1][c];
      a = a + g * g;
      w = w - (static_cast<float>(kAdagrad.learning_rate) * g) / (std::sqrt(a) + static_cast<float>(kAdagrad.epsilon));
    } else {
      float& m = rows[1][c];
      float& v = rows[2][c];
      m = static_cast<float>(kAdam.beta1) * m + static_cast<float>(1 - kAdam.beta1) * g;
      v = static_cast<float>(kAdam.beta2) * v + static_cast<float>(1 - kAdam.beta2) * (g * g);
      w = w - (static_cast<float>(kAdam.learning_rate / correction1) * m) /
                  (std::sqrt(v) * static_cast<float>(1 / std::sqrt(correction2)) + static_cast<float>(kAdam.epsilon));
    }
  }
}

/// The rows of a batch's output or gradients.
std::int64_t buffer_rows(Operation operation, const Shape& shape) {
  if (is_plan(operation)) return 0;
  return is_pooled(operation) ? shape.batch : shape.id_count();
}

/// A lookup writes one output again and again, as a layer does; an update finds new gradients with each batch.
std::int64_t buffer_count(Operation operation, int batch_count) { return is_lookup(operation) ? 1 : batch_count; }

}  // namespace

Subject::Subject(Operation operation, const Shape& shape, int batch_count)
    : operation_(operation),
      shape_(shape),
      weights_(shape.rows, shape.dim, {.initializer = rowmill::Initializer::uniform(-0.05F, 0.05F)}),
      optimizer_(make_optimizer(operation, shape)),
      buffer_(
          static_cast<std::size_t>(buffer_count(operation, batch_count) * buffer_rows(operation, shape) * shape.dim)),
      problem_{operation, weights_.data(), {}, nullptr, shape.rows, shape.dim, shape.length, &batches_, {}} {
  for (int s = 0; s < state_count(operation); ++s) {
    problem_.states[s] = optimizer_->state()[static_cast<std::size_t>(s)].data();
  }
  if (has_row_state(operation)) problem_.row_state = optimizer_->state()[0].data();
  for (int b = 0; b < batch_count; ++b) {
    const std::int64_t number = b % buffer_count(operation, batch_count);
    problem_.buffers.push_back(buffer_.data() + number * buffer_rows(operation, shape) * shape.dim);
  }
}

std::size_t Subject::memory_required(Operation operation, const Shape& shape, int batch_count) {
  const auto tables = static_cast<std::size_t>(1 + state_count(operation));
  const auto batches = static_cast<std::size_t>(batch_count);
  const auto buffers = static_cast<std::size_t>(buffer_count(operation, batch_count));
  constexpr std::size_t kPlanBytesPerId = 384;  // ids, the library's plan and three of the ceiling's
  return tables * shape.table_bytes() + (buffers + 3) * shape.batch_bytes() +
         batches * static_cast<std::size_t>(shape.id_count()) * kPlanBytesPerId;
}

void Subject::set_batches(IdSource source, const TokenStream& tokens) {
  batches_ = make_batches(shape_, source, static_cast<int>(batch_count()), tokens);
  wide_batches_.clear();
  if (operation_ == Operation::gather_int64) {
    for (const auto& batch : batches_) wide_batches_.emplace_back(batch.begin(), batch.end());
  }
  if (optimizer_ != nullptr) {
    plans_.resize(batch_count());
    for (std::size_t b = 0; b < batch_count(); ++b) build(plans_[b], b);
  }
}

void Subject::build(rowmill::Plan& plan, std::size_t batch) {
  const std::vector<std::int32_t>& ids = batches_[batch];
  if (is_pooled(operation_)) {
    plan.build(rowmill::Bags(ids, shape_.batch, shape_.length), shape_.rows);
  } else {
    plan.build(ids, shape_.rows);
  }
}

void Subject::plan_and_run(std::size_t batch) {
  if (optimizer_ == nullptr) return run(batch);
  build(plan_, batch);
  const rowmill::ConstTableView gradients(problem_.buffers[batch], buffer_rows(operation_, shape_), shape_.dim);
  optimizer_->step(weights_, plan_, gradients, &workspace_);
}

void Subject::run(std::size_t batch) {
  const std::vector<std::int32_t>& ids = batches_[batch];
  const rowmill::TableView buffer(problem_.buffers[batch], buffer_rows(operation_, shape_), shape_.dim);
  switch (operation_) {
    case Operation::gather:
      rowmill::gather(weights_, ids, buffer);
      break;
    case Operation::gather_int64:
      rowmill::gather(weights_, wide_batches_[batch], buffer);
      break;
    case Operation::scatter_add:
      rowmill::scatter_add(weights_, ids, buffer, {}, &workspace_);
      break;
    case Operation::pool:
      rowmill::pool(weights_, rowmill::Bags(ids, shape_.batch, shape_.length), buffer);
      break;
    case Operation::sgd:
    case Operation::adagrad:
    case Operation::row_wise_adagrad:
    case Operation::adam:
    case Operation::pooled_sgd:
    case Operation::pooled_row_wise_adagrad:
      optimizer_->step(weights_, plans_[batch], buffer, &workspace_);
      break;
    case Operation::plan:
    case Operation::plan_bags:
      build(plan_, batch);
      break;
  }
}

double Subject::mean_useful_bytes() const {
  double total = 0;
  for (const auto& batch : batches_) total += useful_bytes(operation_, batch, shape_.dim, shape_.length);
  return total / static_cast<double>(batches_.size());
}

std::string Subject::check() {
  if (operation_ == Operation::pool) return check_pool();
  if (is_plan(operation_)) return check_plan();
  return is_gather(operation_) ? check_gather() : check_update();
}

std::string Subject::check_plan() {
  run(0);
  PositionsByRow got;
  for (std::int64_t s = 0; s < plan_.shard_count(); ++s) {
    const rowmill::Plan::Shard shard = plan_.shard(s);
    for (std::size_t g = 0; g < shard.rows.size(); ++g) {
      std::vector<std::int64_t>& of_row = got[shard.rows[g]];
      of_row.insert(of_row.end(), shard.positions.begin() + shard.segment_begin[g],
                    shard.positions.begin() + shard.segment_begin[g + 1]);
    }
  }
  const bool right = got == positions_by_row(batches_.front(), is_pooled(operation_) ? shape_.length : 1);
  return right ? "" : "the plan does not say where each row's ids are";
}

std::string Subject::check_pool() {
  const std::vector<std::int32_t>& ids = batches_.front();
  const auto dim = static_cast<std::size_t>(shape_.dim);
  run(0);
  for (std::int64_t b = 0; b < shape_.batch; ++b) {
    std::vector<float> sum;
    for (std::int64_t i = b * shape_.length; i < (b + 1) * shape_.length; ++i) {
      const float* row = weights_.data() + ids[static_cast<std::size_t>(i)] * shape_.dim;
      if (sum.empty()) {
        sum.assign(row, row + dim);
      } else {
        for (std::size_t c = 0; c < dim; ++c) sum[c] += row[c];
      }
    }
    if (std::memcmp(problem_.buffers.front() + b * shape_.dim, sum.data(), dim * sizeof(float)) != 0) {
      return "wrong result in bag " + std::to_string(b);
    }
  }
  return {};
}

std::string Subject::check_gather() {
  const std::vector<std::int32_t>& ids = batches_.front();
  const auto dim = static_cast<std::size_t>(shape_.dim);
  float* out = problem_.buffers.front();
  std::fill_n(out, ids.size() * dim, 12345.0F);
  run(0);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (std::memcmp(out + i * dim, weights_.data() + ids[i] * shape_.dim, dim * sizeof(float)) != 0) {
      return "wrong result at position " + std::to_string(i) + " (id " + std::to_string(ids[i]) + ")";
    }
  }
  return {};
}

std::string Subject::check_update() {
  constexpr std::size_t kSample = 300;
  const std::vector<std::int32_t>& ids = batches_.front();
  const auto dim = static_cast<std::size_t>(shape_.dim);
  std::map<std::int32_t, std::vector<std::int64_t>> sample;
  for (std::size_t i = 0; i < ids.size(); i += std::max<std::size_t>(1, ids.size() / kSample)) sample[ids[i]] = {};
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (const auto found = sample.find(ids[i]); found != sample.end()) {
      found->second.push_back(static_cast<std::int64_t>(i));
    }
  }

  struct TableOfRows {
    const float* data;
    std::int64_t width;
  };
  std::vector<TableOfRows> tables = {{problem_.weights, shape_.dim}};
  for (int s = 0; s < state_count(operation_); ++s) tables.push_back({problem_.states[s], shape_.dim});
  if (has_row_state(operation_)) tables.push_back({problem_.row_state, 1});
  const float* gradients = problem_.buffers.front();
  std::map<std::int32_t, Rows> expected;
  for (auto& [id, positions] : sample) {
    Rows& rows = expected[id];
    for (const auto& [data, width] : tables) rows.emplace_back(data + id * width, data + (id + 1L) * width);
    if (is_pooled(operation_)) {
      for (std::int64_t& p : positions) p /= shape_.length;
    }
    if (operation_ == Operation::scatter_add) {
      for (const std::int64_t p : positions) {
        for (std::size_t c = 0; c < dim; ++c) rows[0][c] += gradients[static_cast<std::size_t>(p) * dim + c];
      }
    } else {
      plain_step(operation_, optimizer_->step_count() + 1, row_gradient(gradients, positions, dim), rows);
    }
  }

  run(0);
  for (const auto& [id, rows] : expected) {
    for (std::size_t t = 0; t < tables.size(); ++t) {
      const float* got = tables[t].data + id * tables[t].width;
      for (std::size_t c = 0; c < rows[t].size(); ++c) {
        if (std::memcmp(got + c, &rows[t][c], sizeof(float)) == 0) continue;
        char message[200];
        std::snprintf(message, sizeof message,
                      "wrong result in table %zu (0: weights), row %d, column %zu: %.9g, not %.9g", t, id, c,
                      static_cast<double>(got[c]), static_cast<double>(rows[t][c]));
        return message;
      }
    }
  }
  return {};
}

}  // namespace bench
