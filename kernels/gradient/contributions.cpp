// SPDX-License-Identifier: Apache-2.0
#include "kernels/gradient/contributions.hpp"

#include <algorithm>
#include <string>

#include "kernels/core/checks.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/core/tuning.hpp"
#include "kernels/plan/passes.hpp"
#include "rowmill/error.hpp"

namespace rowmill {
namespace {

/// Hot segments have at most so many blocks in all: each has more than one, and only its last may be partial.
std::int64_t max_hot_blocks(std::int64_t id_count) { return 2 * (id_count / kSumBlock); }

}  // namespace

void check_gradients(std::string_view op, const Plan& plan, std::span<const ConstTableView> gradients, std::int64_t dim,
                     std::string_view written_name, const ConstTableView& written) {
  const auto fail = [&](const std::string& what) {
    throw Error(ErrorCode::shape_mismatch, "rowmill: " + std::string(op) + ": " + what);
  };
  std::int64_t rows = 0;
  for (const ConstTableView& gradient : gradients) {
    check_view(op, "gradient", gradient);
    if (is_exact(written.format())) {
      check_format(op, "gradient", gradient, {written.format()});
    } else {
      check_format(op, "gradient", gradient, kFloatFormats);
    }
    check_shape(op, "gradient", gradient, gradient.rows(), dim, "the dim of what it is summed for");
    check_disjoint(op, written_name, written, "gradient", gradient);
    rows += gradient.rows();
  }
  if (rows != plan.gradient_rows()) {
    fail("the gradients have " + std::to_string(rows) + " rows; the plan's ids or bags need " +
         std::to_string(plan.gradient_rows()));
  }
  if (plan.pooling() != Pooling::max) return;
  const std::span<const std::int32_t> winners = plan.winners();
  if (dim == 0 ? !winners.empty() : std::ssize(winners) % dim != 0 || std::ssize(winners) / dim != rows) {
    fail("the plan has " + std::to_string(winners.size()) + " winners; its " + std::to_string(rows) + " bags of dim " +
         std::to_string(dim) + " need one for each column");
  }
  check_disjoint(op, written_name, written, "winners", Ids(winners));
}

Contributions::Contributions(std::int64_t passes, std::int64_t id_count, std::int64_t dim, Carver& memory)
    : dim_(dim),
      row_stride_((dim + 15) / 16 * 16),
      passes_(memory.take<GradientPass>(passes)),
      pass_index_(memory.take<std::int64_t>(max_index_size(passes))),
      hot_begin_(memory.take<std::int64_t>(id_count / kSumBlock + 1)),
      blocks_(memory.take<SumBlockArgs>(max_hot_blocks(id_count))),
      block_numbers_(memory.take<std::int64_t>(max_hot_blocks(id_count))),
      block_sums_(memory.take<float>(max_hot_blocks(id_count), row_stride_)) {}

void Contributions::set(const Plan& plan, std::span<const ConstTableView> gradients) {
  plan_ = &plan;
  hot_ = {};
  std::int64_t end = 0;
  bool any_format = false;
  for (std::size_t p = 0; p < gradients.size(); ++p) {
    end += gradients[p].rows();
    passes_[p] = {gradients[p].bytes(), gradients[p].row_stride(), end, gradients[p].format()};
    any_format = any_format || gradients[p].format() != Format::f32;
  }
  const std::int64_t passes = std::ssize(gradients);
  all_ = {.passes = passes_,
          .pass_count = passes,
          .index = end == 0 ? PassIndex{} : index_passes(passes_, passes, pass_index_),
          .dim = dim_,
          .block = kSumBlock,
          .prefetched = true,
          .mean_squares = nullptr,
          .any_format = any_format,
          .winners = plan.pooling() == Pooling::max ? plan.winners().data() : nullptr};
}

void Contributions::share_hot_segments(const KernelTable& k, PrefetchArgs prefetch, std::int64_t threads) {
  const std::int64_t bytes = plan_->id_count() * dim_ * std::int64_t{sizeof(float)};
  if (threads == 1 || bytes < tuning().share_bytes) return;
  hot_ = plan_->hot_segments();
  std::int64_t blocks = 0;
  std::int64_t h = 0;
  hot_begin_[0] = 0;
  for (const auto& [s, segment] : hot_) {
    const SegmentArgs segments = segments_of(plan_->shard(s));
    const std::int64_t* begin = segments.begin + segment;
    for (std::int64_t p = begin[0]; p < begin[1]; p += kSumBlock) {
      block_numbers_[blocks] = blocks;
      blocks_[blocks] = {.positions = segments.positions + p,
                         .count = std::min(kSumBlock, begin[1] - p),
                         .gradients = all_,
                         .prefetch = prefetch,
                         .out = block_sums_ + blocks * row_stride_,
                         .coefficients = segments.coefficients == nullptr ? nullptr : segments.coefficients + p,
                         .bag_positions = segments.bag_positions == nullptr ? nullptr : segments.bag_positions + p};
      ++blocks;
    }
    hot_begin_[++h] = blocks;
  }
  parallel_tasks(threads, blocks, [&](std::int64_t b) { k.sum_block_f32(blocks_[b]); });

  const std::int64_t max_blocks = max_hot_blocks(plan_->id_count());
  block_pass_ = {block_sums_, row_stride_, max_blocks};
  of_blocks_ = {.passes = &block_pass_,
                .pass_count = 1,
                .index = {},
                .dim = dim_,
                .block = max_blocks,
                .prefetched = true,
                .mean_squares = nullptr,
                .any_format = false,
                .winners = nullptr};
}

}  // namespace rowmill
