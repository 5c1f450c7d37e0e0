// SPDX-License-Identifier: Apache-2.0
#include "rowmill/optimizer.hpp"

#include <cmath>
#include <string>
#include <utility>

#include "kernels/core/checks.hpp"
#include "kernels/core/dispatch.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/memory/carve.hpp"
#include "rowmill/error.hpp"

namespace rowmill {
namespace {

void check_option(std::string_view optimizer, std::string_view option, double value, bool allowed,
                  std::string_view range) {
  if (allowed) return;
  throw Error(ErrorCode::invalid_argument, "rowmill: " + std::string(optimizer) + ": " + std::string(option) + " is " +
                                               std::to_string(value) + "; allowed: " + std::string(range));
}

void check_not_negative(std::string_view optimizer, std::string_view option, double value) {
  check_option(optimizer, option, value, value >= 0 && std::isfinite(value), "0 <= value < infinity");
}

void check_decay(std::string_view optimizer, std::string_view option, double value) {
  check_option(optimizer, option, value, value >= 0 && value < 1, "0 <= value < 1");
}

std::vector<Table> make_state(std::int64_t rows, std::int64_t dim, std::string_view name,
                              std::initializer_list<std::pair<const char*, float>> tables) {
  std::vector<Table> state;
  for (const auto& [suffix, value] : tables) {
    std::string full_name = std::string(name) + (name.empty() ? "" : ".") + suffix;
    state.emplace_back(rows, dim,
                       TableOptions{.name = std::move(full_name), .initializer = Initializer::constant(value)});
  }
  return state;
}

class Sgd final : public Optimizer {
 public:
  Sgd(const SgdOptions& options, std::int64_t rows, std::int64_t dim)
      : Optimizer("sgd", rows, dim, options.learning_rate, {}) {}

 private:
  void prepare_step() override {}
  void update(const KernelTable& k, const SegmentArgs& segments, const TableView& weights) override {
    k.sgd_f32({segments, weights.data(), weights.row_stride(), static_cast<float>(learning_rate())});
  }
};

class Adagrad final : public Optimizer {
 public:
  Adagrad(const AdagradOptions& options, std::int64_t rows, std::int64_t dim, std::string_view name)
      : Optimizer("adagrad", rows, dim, options.learning_rate,
                  make_state(rows, dim, name, {{"accumulator", static_cast<float>(options.initial_accumulator)}})),
        options_(options) {}

 private:
  void prepare_step() override {}
  void update(const KernelTable& k, const SegmentArgs& segments, const TableView& weights) override {
    k.adagrad_f32({segments, weights.data(), weights.row_stride(), state()[0].data(),
                   static_cast<float>(learning_rate()), static_cast<float>(options_.epsilon)});
  }

  AdagradOptions options_;
};

class Adam final : public Optimizer {
 public:
  Adam(const AdamOptions& options, std::int64_t rows, std::int64_t dim, std::string_view name)
      : Optimizer("adam", rows, dim, options.learning_rate, make_state(rows, dim, name, {{"m", 0.0F}, {"v", 0.0F}})),
        options_(options) {}

 private:
  void prepare_step() override {
    beta1_power_ *= options_.beta1;
    beta2_power_ *= options_.beta2;
    scalars_ = {
        .beta1 = static_cast<float>(options_.beta1),
        .one_minus_beta1 = static_cast<float>(1 - options_.beta1),
        .beta2 = static_cast<float>(options_.beta2),
        .one_minus_beta2 = static_cast<float>(1 - options_.beta2),
        .step_size = static_cast<float>(learning_rate() / (1 - beta1_power_)),
        .inverse_sqrt_bc2 = static_cast<float>(1 / std::sqrt(1 - beta2_power_)),
        .epsilon = static_cast<float>(options_.epsilon),
    };
  }
  void update(const KernelTable& k, const SegmentArgs& segments, const TableView& weights) override {
    k.adam_f32({segments, weights.data(), weights.row_stride(), state()[0].data(), state()[1].data(), scalars_});
  }

  AdamOptions options_;
  double beta1_power_ = 1;  // beta1^t
  double beta2_power_ = 1;  // beta2^t
  AdamScalars scalars_{};
};

/// A step's scratch memory: what to sum, and room for one gradient row per shard.
struct Scratch {
  GradientPass* passes;
  float* rows;
  std::int64_t row_stride;

  Scratch(std::int64_t pass_count, std::int64_t shard_count, std::int64_t dim, Carver& memory)
      : passes(memory.take<GradientPass>(pass_count)), rows(nullptr), row_stride((dim + 15) / 16 * 16) {
    rows = memory.take<float>(shard_count * row_stride);
  }
};

}  // namespace

Optimizer::Optimizer(std::string_view name, std::int64_t rows, std::int64_t dim, double learning_rate,
                     std::vector<Table> state)
    : name_(name), rows_(rows), dim_(dim), learning_rate_(learning_rate), state_(std::move(state)) {}

Optimizer::~Optimizer() = default;

void Optimizer::set_learning_rate(double learning_rate) {
  check_not_negative(name_, "learning_rate", learning_rate);
  learning_rate_ = learning_rate;
}

std::size_t Optimizer::memory_required(std::int64_t id_count, std::int64_t passes) const {
  Carver memory(nullptr);
  const Scratch scratch(passes, Plan::shard_count_for(id_count), dim_, memory);
  return memory.used();
}

void Optimizer::step(const TableView& weights, const Plan& plan, std::span<const ConstTableView> gradients,
                     Workspace* workspace) {
  check_writable(name_, "weights", weights);
  check_shape(name_, "weights", weights, rows_, dim_, "the shape this optimizer was made for");
  check_plan(name_, plan, weights);
  std::int64_t gradient_rows = 0;
  for (const ConstTableView& gradient : gradients) {
    check_view(name_, "gradient", gradient);
    check_shape(name_, "gradient", gradient, gradient.rows(), dim_, "the weights' dim");
    check_disjoint(name_, "weights", weights, "gradient", gradient);
    for (const Table& table : state_) check_disjoint(name_, "state", table.view(), "gradient", gradient);
    gradient_rows += gradient.rows();
  }
  if (gradient_rows != plan.id_count()) {
    throw Error(ErrorCode::shape_mismatch, "rowmill: " + std::string(name_) + ": the gradients have " +
                                               std::to_string(gradient_rows) + " rows for the " +
                                               std::to_string(plan.id_count()) + " ids of the plan");
  }
  if (plan.id_count() == 0) return;

  const KernelTable& k = kernels();
  Workspace own;
  Workspace& memory_of = workspace != nullptr ? *workspace : own;
  const auto passes = static_cast<std::int64_t>(gradients.size());
  memory_of.reserve(memory_required(plan.id_count(), passes));
  Carver memory(memory_of.data());
  const Scratch scratch(passes, plan.shard_count(), dim_, memory);
  std::int64_t end = 0;
  for (std::int64_t p = 0; p < passes; ++p) {
    const ConstTableView& gradient = gradients[static_cast<std::size_t>(p)];
    end += gradient.rows();
    scratch.passes[p] = {gradient.data(), gradient.row_stride(), end};
  }

  const FpEnvironment environment;
  ++step_count_;
  prepare_step();
  const auto tables = static_cast<std::int64_t>(1 + state_.size());
  const std::int64_t traffic =
      (plan.id_count() + 2 * tables * plan.unique_count()) * dim_ * std::int64_t{sizeof(float)};
  parallel_tasks(concurrency_for(traffic), plan.shard_count(), [&](std::int64_t s) {
    const Plan::Shard shard = plan.shard(s);
    const SegmentArgs segments{.rows = shard.rows.data(),
                               .begin = shard.segment_begin.data(),
                               .positions = shard.positions.data(),
                               .count = static_cast<std::int64_t>(shard.rows.size()),
                               .passes = scratch.passes,
                               .dim = dim_,
                               .scratch = scratch.rows + s * scratch.row_stride};
    update(k, segments, weights);
  });
}

std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options, std::int64_t rows, std::int64_t dim,
                                          std::string_view name) {
  struct Make {
    std::int64_t rows, dim;
    std::string_view name;

    std::unique_ptr<Optimizer> operator()(const SgdOptions& o) const {
      check_not_negative("sgd", "learning_rate", o.learning_rate);
      return std::make_unique<Sgd>(o, rows, dim);
    }
    std::unique_ptr<Optimizer> operator()(const AdagradOptions& o) const {
      check_not_negative("adagrad", "learning_rate", o.learning_rate);
      check_not_negative("adagrad", "initial_accumulator", o.initial_accumulator);
      check_not_negative("adagrad", "epsilon", o.epsilon);
      return std::make_unique<Adagrad>(o, rows, dim, name);
    }
    std::unique_ptr<Optimizer> operator()(const AdamOptions& o) const {
      check_not_negative("adam", "learning_rate", o.learning_rate);
      check_decay("adam", "beta1", o.beta1);
      check_decay("adam", "beta2", o.beta2);
      check_not_negative("adam", "epsilon", o.epsilon);
      return std::make_unique<Adam>(o, rows, dim, name);
    }
  };
  // Also for optimizers without state: a wrong shape is an error now, not at the first step.
  check_view("make_optimizer", "weights", ConstTableView(nullptr, 0, dim, 0, name));
  if (rows < 0) {
    throw Error(ErrorCode::invalid_argument,
                "rowmill: make_optimizer: rows is " + std::to_string(rows) + "; it must be at least 0");
  }
  return std::visit(Make{rows, dim, name}, options);
}

}  // namespace rowmill
