// SPDX-License-Identifier: Apache-2.0
// A step of an optimizer of f64 weights.
#include "kernels/core/dispatch.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/exact/row_sums.hpp"
#include "kernels/exact/step.hpp"
#include "kernels/optimizer/impl.hpp"

namespace rowmill {
namespace {

/// A step's scratch memory: the touched rows, by number, and their gradients.
struct F64Scratch {
  exact::RowSums sums;
  std::int64_t* rows;
  double* values;

  F64Scratch(std::int64_t id_count, std::int64_t unique, std::int64_t dim, std::int64_t passes, Carver& memory)
      : sums(id_count, unique, dim, passes, memory),
        rows(memory.take<std::int64_t>(unique)),
        values(memory.take<double>(unique, dim)) {}
};

}  // namespace

std::size_t exact::step_memory_required(std::int64_t id_count, std::int64_t unique, std::int64_t dim,
                                        std::int64_t passes) {
  Carver memory(nullptr);
  const F64Scratch scratch(id_count, unique, dim, passes, memory);
  return memory.used();
}

void Optimizer::Impl::step_f64(const TableView& weights, const Plan& plan, std::span<const ConstTableView> gradients,
                               const GradientOptions& options, Workspace* workspace) {
  (void)kernels();  // throws if ROWMILL_ISA is wrong, which a task may not
  Workspace own;
  Workspace& memory_of = workspace != nullptr ? *workspace : own;
  const std::int64_t unique = plan.unique_count();
  const std::int64_t passes = std::ssize(gradients);
  memory_of.reserve(exact::step_memory_required(plan.id_count(), unique, dim_, passes), name_);
  Carver memory(memory_of.data());
  F64Scratch scratch(plan.id_count(), unique, dim_, passes, memory);
  const auto tables = static_cast<std::int64_t>(1 + state_.size());
  const std::int64_t threads =
      concurrency_for((plan.id_count() / 2 + tables * unique) * dim_ * std::int64_t{sizeof(double)});

  // From here on nothing can fail.
  const bool trains = plan.id_count() > 0 && dim_ > 0;
  if (trains && !scratch.sums.sum(plan, gradients, options, threads, scratch.rows, {scratch.values, dim_, false})) {
    ++skipped_steps_;
    return;
  }
  const FpEnvironment environment;
  ++step_count_;
  prepare_step();
  if (!trains) return;
  exact::update_rows({options_, beta1_power_, beta2_power_, state_}, weights,
                     {scratch.rows, static_cast<std::size_t>(unique)}, scratch.values, threads);
}

}  // namespace rowmill
