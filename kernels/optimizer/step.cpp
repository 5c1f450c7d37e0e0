// SPDX-License-Identifier: Apache-2.0
// The update engine: one step of any optimizer over a plan's shards.
#include "kernels/exact/step.hpp"

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>

#include "kernels/core/checks.hpp"
#include "kernels/core/choose_prefetch.hpp"
#include "kernels/core/dispatch.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/core/tuning.hpp"
#include "kernels/exact/exact.hpp"
#include "kernels/gradient/contributions.hpp"
#include "kernels/gradient/row_sums.hpp"
#include "kernels/memory/carve.hpp"
#include "kernels/memory/memory.hpp"
#include "kernels/optimizer/impl.hpp"
#include "kernels/optimizer/storage.hpp"
#include "kernels/optimizer/undo.hpp"
#include "rowmill/error.hpp"

namespace rowmill {
namespace {

/// A step's scratch memory: what to sum, some rows for each shard, and mean squares.
struct Scratch {
  Contributions contributions;
  std::int64_t row_stride;
  float* rows;
  float* mean_squares;  // of each gradient row, if they are computed beforehand

  Scratch(std::int64_t passes, std::int64_t id_count, std::int64_t dim, bool with_mean_squares, Carver& memory)
      : contributions(passes, id_count, dim, memory),
        row_stride((dim + 15) / 16 * 16),
        rows(memory.take<float>(Plan::shard_count_for(id_count) * kUpdateScratchRows, row_stride)),
        mean_squares(memory.take<float>(with_mean_squares ? id_count : 0)) {}
};

/// The finished sums of all touched rows, for steps that need them before the first update; as gradients of which each
/// segment has one.
struct SumsFirst {
  RowSums sums;
  std::int64_t* rows;
  std::int64_t* begin;  // 0, 1, 2, ...
  float* values;

  SumsFirst(std::int64_t id_count, std::int64_t unique, std::int64_t dim, Carver& memory)
      : sums(id_count, unique, dim, memory),
        rows(memory.take<std::int64_t>(unique)),
        begin(memory.take<std::int64_t>(unique + 1)),
        values(memory.take<float>(unique, dim)) {}
};

bool needs_sums_first(const GradientOptions& options, Pooling pooling) {
  return any(options) || pooling == Pooling::max;
}

/// The mean square of each gradient row times its factor.
void square_gradients(const KernelTable& k, const Plan& plan, const GradientArgs& gradients, float* out) {
  const std::int64_t row_bytes = gradients.dim * std::int64_t{sizeof(float)};
  const std::int64_t threads = concurrency_for(plan.gradient_rows() * row_bytes);
  const float* const factors = plan.factors().empty() ? nullptr : plan.factors().data();
  parallel_chunks(threads, plan.gradient_rows(), rows_per_task(plan.gradient_rows(), row_bytes, threads),
                  [&](std::int64_t begin, std::int64_t end) {
                    k.mean_squares_f32({gradients, begin, end, out, factors});
                  });
}

/// The finished sums as the gradients of a step.
GradientArgs gradients_of(const GradientPass& sums, std::int64_t dim) {
  return {.passes = &sums,
          .pass_count = 1,
          .index = {},
          .dim = dim,
          .block = kSumBlock,
          .prefetched = true,
          .mean_squares = nullptr,
          .any_format = false};
}

[[noreturn]] void throw_overflow(std::string_view op, const TableView& weights, const Place& place) {
  throw Error(ErrorCode::invalid_argument,
              "rowmill: " + std::string(op) + ": row " + std::to_string(place.row) + ", column " +
                  std::to_string(place.column) + " of " + describe("weights", weights) +
                  " would lie beyond 65504, the largest float16; the step changed nothing");
}

}  // namespace

std::size_t Optimizer::Impl::memory_required(std::int64_t id_count, std::int64_t unique, std::int64_t passes,
                                             bool sums_first) const {
  if (storage_.state_format == Format::f64) return exact::step_memory_required(id_count, unique, dim_, passes);
  Carver memory(nullptr);
  const Scratch scratch(passes, id_count, dim_, uses_mean_squares() && !sums_first, memory);
  if (sums_first) const SumsFirst sums(id_count, unique, dim_, memory);
  const Undo undo(storage_.overflow == Overflow::error, id_count, unique, saved_bytes_a_row(), memory);
  return memory.used();
}

std::size_t Optimizer::Impl::memory_required(std::int64_t id_count, std::int64_t passes, const GradientOptions& options,
                                             Pooling pooling) const {
  check_id_count(name_, id_count);
  check_count(name_, "passes", passes);
  return memory_required(id_count, id_count, passes, needs_sums_first(options, pooling));
}

void Optimizer::Impl::check_step(const TableView& weights, const Plan& plan, std::span<const ConstTableView> gradients,
                                 const GradientOptions& options) const {
  check_gradient_options(name_, options);
  check_writable(name_, "weights", weights);
  check_weights_format(name_, storage_, weights, has_16_bit_states());
  check_shape(name_, "weights", weights, rows_, dim_, "the shape this optimizer was made for");
  check_plan(name_, plan, weights);
  for (const TableView& state : state_) check_disjoint(name_, "weights", weights, "state", state);
  check_gradients(name_, plan, gradients, dim_, "weights", weights);
  for (const TableView& state : state_) check_gradients(name_, plan, gradients, dim_, "state", state);
  exact::check_coefficients(name_, plan, "weights", weights);
}

PrefetchArgs Optimizer::Impl::choose_prefetch(const TableView& weights, const Plan& plan) const {
  std::int64_t bytes_a_row = row_bytes(weights);
  for (const TableView& table : state_) bytes_a_row += row_bytes(table);
  const bool weights_alone = weights.format() == Format::f32 && 2 * plan.gradient_rows() <= plan.id_count() &&
                             bytes_a_row <= row_bytes(weights) + std::int64_t{sizeof(float)};
  return prefetch_for_update(rows_ * bytes_a_row, plan.unique_count() * bytes_a_row, row_bytes(weights), weights_alone);
}

void Optimizer::Impl::step(const TableView& weights, const Plan& plan, std::span<const ConstTableView> gradients,
                           const GradientOptions& options, Workspace* workspace) {
  check_step(weights, plan, gradients, options);
  if (weights.format() == Format::f64) return step_f64(weights, plan, gradients, options, workspace);

  const KernelTable& k = kernels();
  Workspace own;
  Workspace& scratch_memory = workspace != nullptr ? *workspace : own;
  const bool sums_first = needs_sums_first(options, plan.pooling());
  const std::int64_t passes = std::ssize(gradients);
  scratch_memory.reserve(memory_required(plan.id_count(), plan.unique_count(), passes, sums_first), name_);
  Carver memory(scratch_memory.data());
  Scratch scratch(passes, plan.id_count(), dim_, uses_mean_squares() && !sums_first, memory);
  Contributions& contributions = scratch.contributions;
  contributions.set(plan, gradients);

  const auto tables = static_cast<std::int64_t>(1 + state_.size());
  const std::int64_t traffic =
      (plan.id_count() / 2 + tables * plan.unique_count()) * dim_ * std::int64_t{sizeof(float)};
  const std::int64_t threads = concurrency_for(traffic);

  // From here on nothing can fail but a weight that overflows: the memory and the threads are there.
  std::optional<SumsFirst> sums;
  if (sums_first && plan.id_count() > 0 && dim_ > 0) {
    sums.emplace(plan.id_count(), plan.unique_count(), dim_, memory);
    sums->sums.number_rows(plan, threads, sums->rows);
    sums->sums.sum(k, plan, contributions, threads, sums->values, dim_, false);
    if (!sums->sums.apply(k, plan, options, threads, sums->values, dim_, false)) {
      ++skipped_steps_;
      return;
    }
    std::iota(sums->begin, sums->begin + plan.unique_count() + 1, std::int64_t{0});
  }

  const FpEnvironment environment;
  const OptimizerProgress before{step_count_, beta1_power_, beta2_power_};
  ++step_count_;
  prepare_step();
  if (plan.id_count() == 0 || dim_ == 0) return;
  const PrefetchArgs prefetch = choose_prefetch(weights, plan);
  const bool any_format = storage_.split || storage_.rounding == Rounding::stochastic || has_16_bit_states() ||
                          weights.format() == Format::f16 || (!sums && contributions.all().any_format);
  StorageArgs storage{};
  if (any_format) {
    storage = storage_args(storage_, weights, formula_states(), storage_.split ? state_.back().bytes() : nullptr,
                           step_count_);
  }
  Undo undo(storage_.overflow == Overflow::error, plan.id_count(), plan.unique_count(), saved_bytes_a_row(), memory);
  undo.save(plan, threads, weights, state_);
  const auto update_segments = [&](std::int64_t s, const SegmentArgs& segments, const GradientArgs& of) {
    StorageArgs own_storage = storage;
    own_storage.overflowed = undo.overflowed(s);
    update(k, weights.format(),
           {.segments = segments,
            .gradients = of,
            .prefetch = prefetch,
            .scratch = scratch.rows + s * kUpdateScratchRows * scratch.row_stride,
            .weights = weights.bytes(),
            .stride = weights.row_stride(),
            .storage = any_format ? &own_storage : nullptr});
  };

  if (sums) {
    const GradientPass values{sums->values, dim_, plan.unique_count()};
    const GradientArgs of_sums = gradients_of(values, dim_);
    parallel_tasks(threads, plan.shard_count(), [&](std::int64_t s) {
      const Plan::Shard shard = plan.shard(s);
      const SegmentArgs segments{.rows = shard.rows.data(),
                                 .begin = sums->begin,
                                 .positions = sums->sums.numbers(s),
                                 .count = std::ssize(shard.rows)};
      update_segments(s, segments, of_sums);
    });
  } else {
    contributions.share_hot_segments(k, prefetch, threads);
    // A row of one contribution has the mean square of its gradient row, if that has one coefficient.
    const auto one_factor = [&] { return plan.shard(0).coefficients.empty() || !plan.factors().empty(); };
    if (uses_mean_squares() && !contributions.all().any_format &&
        plan.unique_count() >= tuning().rows_per_mean_square * plan.gradient_rows() && one_factor()) {
      square_gradients(k, plan, contributions.all(), scratch.mean_squares);
      contributions.all().mean_squares = scratch.mean_squares;
    }
    const std::int64_t gradient_bytes = plan.gradient_rows() * dim_ * std::int64_t{sizeof(float)};
    const bool near_gradients =
        gradient_bytes <= tuning().near_gradient_bytes && plan.id_count() >= 2 * plan.gradient_rows();
    contributions.all().prefetched = !(near_gradients && prefetch.into == CacheLevel::second);
    parallel_tasks(threads, plan.shard_count(), [&](std::int64_t s) {
      contributions.for_each_part(s, [&](const SegmentArgs& segments, const GradientArgs& of, std::int64_t) {
        update_segments(s, segments, of);
      });
    });
  }
  if (!undo.needed(plan)) return;
  const Place place = find_infinite(plan, weights);
  undo.put_back(plan, threads, weights, state_);
  step_count_ = before.step_count;
  beta1_power_ = *before.beta1_power;
  beta2_power_ = *before.beta2_power;
  throw_overflow(name_, weights, place);
}

}  // namespace rowmill
