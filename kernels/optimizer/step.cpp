// SPDX-License-Identifier: Apache-2.0
// The update engine: one step of any optimizer over a plan's shards.
#include <algorithm>
#include <string>

#include "kernels/core/checks.hpp"
#include "kernels/core/choose_prefetch.hpp"
#include "kernels/core/dispatch.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/core/tuning.hpp"
#include "kernels/memory/carve.hpp"
#include "kernels/memory/memory.hpp"
#include "kernels/optimizer/impl.hpp"
#include "kernels/plan/passes.hpp"
#include "kernels/plan/shard_segments.hpp"
#include "rowmill/error.hpp"

namespace rowmill {
namespace {

/// Hot segments have at most so many blocks in all: each has more than one, and only its last may be partial.
std::int64_t max_hot_blocks(std::int64_t id_count) { return 2 * (id_count / kSumBlock); }

/// A step's scratch memory: what to sum, two rows for each shard, the block sums of hot segments, and mean
/// squares.
struct Scratch {
  std::int64_t pass_count;
  GradientPass* passes;
  std::int64_t* pass_index;
  std::int64_t row_stride;
  float* rows;
  std::int64_t* hot_begin;  // hot segment h has the blocks hot_begin[h] .. hot_begin[h+1] - 1
  SumBlockArgs* blocks;
  std::int64_t* block_numbers;  // 0, 1, 2, ...
  float* block_sums;
  float* mean_squares;  // of each gradient row, if they are computed beforehand

  Scratch(std::int64_t passes_of_step, std::int64_t id_count, std::int64_t dim, bool with_mean_squares, Carver& memory)
      : pass_count(passes_of_step),
        passes(memory.take<GradientPass>(pass_count)),
        pass_index(memory.take<std::int64_t>(max_index_size(pass_count))),
        row_stride((dim + 15) / 16 * 16),
        rows(memory.take<float>(Plan::shard_count_for(id_count) * 2 * row_stride)),
        hot_begin(memory.take<std::int64_t>(id_count / kSumBlock + 1)),
        blocks(memory.take<SumBlockArgs>(max_hot_blocks(id_count))),
        block_numbers(memory.take<std::int64_t>(max_hot_blocks(id_count))),
        block_sums(memory.take<float>(max_hot_blocks(id_count) * row_stride)),
        mean_squares(memory.take<float>(with_mean_squares ? id_count : 0)) {}
};

/// Sums the blocks of the plan's hot segments, each block a task of its own.
void sum_hot_blocks(const KernelTable& k, const Plan& plan, const Scratch& scratch, const GradientArgs& gradients,
                    PrefetchArgs prefetch, std::int64_t threads) {
  std::int64_t blocks = 0;
  std::int64_t h = 0;
  scratch.hot_begin[0] = 0;
  for (const auto& [s, segment] : plan.hot_segments()) {
    const Plan::Shard shard = plan.shard(s);
    const std::int64_t* begin = shard.segment_begin.data() + segment;
    for (std::int64_t p = begin[0]; p < begin[1]; p += kSumBlock) {
      scratch.block_numbers[blocks] = blocks;
      scratch.blocks[blocks] = {.positions = shard.positions.data() + p,
                                .count = std::min(kSumBlock, begin[1] - p),
                                .gradients = gradients,
                                .prefetch = prefetch,
                                .out = scratch.block_sums + blocks * scratch.row_stride};
      ++blocks;
    }
    scratch.hot_begin[++h] = blocks;
  }
  parallel_tasks(threads, blocks, [&](std::int64_t b) { k.sum_block_f32(scratch.blocks[b]); });
}

/// The mean square of each gradient row.
void square_gradients(const KernelTable& k, const Plan& plan, const GradientArgs& gradients, float* out) {
  const std::int64_t row_bytes = gradients.dim * std::int64_t{sizeof(float)};
  const std::int64_t threads = concurrency_for(plan.gradient_rows() * row_bytes);
  parallel_chunks(threads, plan.gradient_rows(), rows_per_task(plan.gradient_rows(), row_bytes, threads),
                  [&](std::int64_t begin, std::int64_t end) {
                    k.mean_squares_f32({gradients, begin, end, out});
                  });
}

/// Together they have a row for each of the plan's ids or bags, and share no element with what is written.
void check_gradients(std::string_view op, const TableView& weights, std::span<const TableView> state, const Plan& plan,
                     std::span<const ConstTableView> gradients) {
  std::int64_t rows = 0;
  for (const ConstTableView& gradient : gradients) {
    check_view(op, "gradient", gradient);
    check_format(op, "gradient", gradient, {Format::f32});
    check_shape(op, "gradient", gradient, gradient.rows(), weights.dim(), "the weights' dim");
    check_disjoint(op, "weights", weights, "gradient", gradient);
    for (const TableView& table : state) check_disjoint(op, "state", table, "gradient", gradient);
    rows += gradient.rows();
  }
  if (rows == plan.gradient_rows()) return;
  throw Error(ErrorCode::shape_mismatch, "rowmill: " + std::string(op) + ": the gradients have " +
                                             std::to_string(rows) + " rows; the plan's ids or bags need " +
                                             std::to_string(plan.gradient_rows()));
}

}  // namespace

std::size_t Optimizer::Impl::memory_required(std::int64_t id_count, std::int64_t passes) const {
  Carver memory(nullptr);
  const Scratch scratch(passes, id_count, dim_, uses_mean_squares(), memory);
  return memory.used();
}

void Optimizer::Impl::step(const TableView& weights, const Plan& plan, std::span<const ConstTableView> gradients,
                           Workspace* workspace) {
  check_writable(name_, "weights", weights);
  check_format(name_, "weights", weights, {Format::f32, Format::bf16});
  check_shape(name_, "weights", weights, rows_, dim_, "the shape this optimizer was made for");
  check_plan(name_, plan, weights);
  for (const TableView& state : state_) check_disjoint(name_, "weights", weights, "state", state);
  check_gradients(name_, weights, state_, plan, gradients);

  const KernelTable& k = kernels();
  Workspace own;
  Workspace& memory_of = workspace != nullptr ? *workspace : own;
  const auto passes = static_cast<std::int64_t>(gradients.size());
  memory_of.reserve(memory_required(plan.id_count(), passes), name_);
  Carver memory(memory_of.data());
  const Scratch scratch(passes, plan.id_count(), dim_, uses_mean_squares(), memory);
  std::int64_t end = 0;
  for (std::int64_t p = 0; p < passes; ++p) {
    const ConstTableView& gradient = gradients[static_cast<std::size_t>(p)];
    end += gradient.rows();
    scratch.passes[p] = {gradient.data(), gradient.row_stride(), end};
  }

  const auto tables = static_cast<std::int64_t>(1 + state_.size());
  const std::int64_t traffic =
      (plan.id_count() / 2 + tables * plan.unique_count()) * dim_ * std::int64_t{sizeof(float)};
  const std::int64_t threads = concurrency_for(traffic);

  // From here on nothing can fail: the memory and the threads are there. So the step counts.
  const FpEnvironment environment;
  ++step_count_;
  prepare_step();
  if (plan.id_count() == 0 || dim_ == 0) return;
  std::int64_t columns = dim_;
  for (const auto& table : state_) columns += table.dim();
  const PrefetchArgs prefetch = prefetch_for_update(rows_ * columns * std::int64_t{sizeof(float)}, dim_);
  const std::int64_t gradient_bytes = plan.gradient_rows() * dim_ * std::int64_t{sizeof(float)};
  const bool near_gradients =
      gradient_bytes <= tuning().near_gradient_bytes && plan.id_count() >= 2 * plan.gradient_rows();
  GradientArgs all{.passes = scratch.passes,
                   .pass_count = passes,
                   .index = index_passes(scratch.passes, passes, scratch.pass_index),
                   .dim = dim_,
                   .block = kSumBlock,
                   .prefetched = true,
                   .mean_squares = nullptr};

  // One thread sums a hot segment where it stands; several share its blocks first. The bits are the same.
  std::span<const Plan::HotSegment> hot;
  if (threads > 1 && plan.id_count() * dim_ * std::int64_t{sizeof(float)} >= tuning().share_bytes) {
    hot = plan.hot_segments();
  }
  if (!hot.empty()) sum_hot_blocks(k, plan, scratch, all, prefetch, threads);
  if (uses_mean_squares() && plan.unique_count() >= tuning().rows_per_mean_square * plan.gradient_rows()) {
    square_gradients(k, plan, all, scratch.mean_squares);
    all.mean_squares = scratch.mean_squares;
  }
  all.prefetched = !(near_gradients && prefetch.into == CacheLevel::second);

  // The gradient of a hot segment is the sum of its block sums, without blocks.
  const std::int64_t max_blocks = max_hot_blocks(plan.id_count());
  const GradientPass block_sums{scratch.block_sums, scratch.row_stride, max_blocks};
  const GradientArgs of_blocks{.passes = &block_sums,
                               .pass_count = 1,
                               .index = {},
                               .dim = dim_,
                               .block = max_blocks,
                               .prefetched = true,
                               .mean_squares = nullptr};

  parallel_tasks(threads, plan.shard_count(), [&](std::int64_t s) {
    const Plan::Shard shard = plan.shard(s);
    const auto update_segments = [&](const SegmentArgs& segments, const GradientArgs& of) {
      update(k, weights.format(),
             {.segments = segments,
              .gradients = of,
              .prefetch = prefetch,
              .scratch = scratch.rows + s * 2 * scratch.row_stride,
              .weights = weights.bytes(),
              .stride = weights.row_stride()});
    };
    std::int64_t done = 0;
    for (std::size_t h = 0; h < hot.size(); ++h) {
      if (hot[h].shard != s) continue;
      update_segments(segments_of(shard, done, hot[h].segment), all);
      update_segments({.rows = shard.rows.data() + hot[h].segment,
                       .begin = scratch.hot_begin + h,
                       .positions = scratch.block_numbers,
                       .count = 1},
                      of_blocks);
      done = hot[h].segment + 1;
    }
    update_segments(segments_of(shard, done, std::ssize(shard.rows)), all);
  });
}

}  // namespace rowmill
