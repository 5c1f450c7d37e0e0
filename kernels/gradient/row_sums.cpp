// SPDX-License-Identifier: Apache-2.0
#include "kernels/gradient/row_sums.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <string>

#include "kernels/core/checks.hpp"
#include "kernels/core/choose_prefetch.hpp"
#include "kernels/core/parallel.hpp"
#include "rowmill/error.hpp"

namespace rowmill {
namespace {

/// The squares of all rows are added in blocks of so many rows, block sums then in order.
constexpr std::int64_t kNormBlock = 1024;

/// The sum of `values` in order, starting from the first; 0 of none.
float sum_in_order(const float* values, std::int64_t count) {
  float sum = count == 0 ? 0 : values[0];
  for (std::int64_t i = 1; i < count; ++i) sum += values[i];
  return sum;
}

void check_limit(std::string_view op, std::string_view option, const std::optional<double>& limit) {
  if (!limit || (*limit >= std::numeric_limits<float>::min() && *limit <= std::numeric_limits<float>::max())) return;
  throw Error(ErrorCode::invalid_argument, "rowmill: " + std::string(op) + ": " + std::string(option) + " is " +
                                               to_text(*limit) + "; allowed: 1.2e-38 <= value <= 3.4e38");
}

float limit_of(const std::optional<double>& limit) {
  return limit ? static_cast<float>(*limit) : std::numeric_limits<float>::infinity();
}

}  // namespace

bool any(const GradientOptions& o) {
  return o.scale_grad_by_freq || o.skip_nonfinite || o.clip_value || o.clip_row_norm || o.clip_global_norm;
}

void check_gradient_options(std::string_view op, const GradientOptions& o) {
  check_limit(op, "clip_value", o.clip_value);
  check_limit(op, "clip_row_norm", o.clip_row_norm);
  check_limit(op, "clip_global_norm", o.clip_global_norm);
}

RowSums::RowSums(std::int64_t id_count, std::int64_t unique, std::int64_t dim, Carver& memory)
    : dim_(dim),
      order_(id_count, memory),
      shard_begin_(memory.take<std::int64_t>(Plan::shard_count_for(id_count))),
      numbers_(memory.take<std::int64_t>(unique)),
      counts_(memory.take<float>(unique)),
      squares_(memory.take<float>(unique)),
      block_sums_(memory.take<float>((unique + kNormBlock - 1) / kNormBlock)) {}

void RowSums::number_rows(const Plan& plan, std::int64_t threads, std::int64_t* rows) {
  rows_ = rows;
  order_.find(plan, threads);
  std::int64_t begin = 0;
  for (std::int64_t s = 0; s < plan.shard_count(); ++s) {
    shard_begin_[s] = begin;
    begin += std::ssize(plan.shard(s).rows);
  }
  parallel_tasks(threads, plan.shard_count(), [&](std::int64_t s) {
    const Plan::Shard shard = plan.shard(s);
    std::int64_t* const numbers = numbers_ + shard_begin_[s];
    for (std::size_t g = 0; g < shard.rows.size(); ++g) {
      const std::int64_t number = order_.number(FirstOccurrence::position(shard, g));
      numbers[g] = number;
      rows[number] = shard.rows[g];
      counts_[number] = static_cast<float>(shard.segment_begin[g + 1] - shard.segment_begin[g]);
    }
  });
}

void RowSums::sum(const KernelTable& k, const Plan& plan, Contributions& contributions, std::int64_t threads,
                  float* out, std::int64_t stride, bool dense) {
  const std::int64_t row_bytes = dim_ * std::int64_t{sizeof(float)};
  const std::int64_t sum_bytes = plan.unique_count() * row_bytes;
  const PrefetchArgs prefetch = prefetch_for_update(sum_bytes, sum_bytes, row_bytes);
  contributions.share_hot_segments(k, prefetch, threads);
  parallel_tasks(threads, plan.shard_count(), [&](std::int64_t s) {
    contributions.for_each_part(s, [&](SegmentArgs segments, const GradientArgs& gradients, std::int64_t first) {
      if (!dense) segments.rows = numbers(s) + first;
      k.sum_segments_f32(
          {.segments = segments, .gradients = gradients, .prefetch = prefetch, .out = out, .stride = stride});
    });
  });
}

bool RowSums::apply(const KernelTable& k, const Plan& plan, const GradientOptions& options, std::int64_t threads,
                    float* out, std::int64_t stride, bool dense) const {
  const std::int64_t unique = plan.unique_count();
  if (!any(options) || unique == 0) return true;
  const std::int64_t* const rows = dense ? rows_ : nullptr;
  const std::int64_t grain = rows_per_task(unique, dim_ * std::int64_t{sizeof(float)}, threads);
  std::atomic<bool> finite = true;
  parallel_chunks(threads, unique, grain, [&](std::int64_t begin, std::int64_t end) {
    bool all_finite = true;
    k.guard_rows_f32({.data = out,
                      .stride = stride,
                      .rows = rows,
                      .begin = begin,
                      .end = end,
                      .dim = dim_,
                      .divisors = options.scale_grad_by_freq ? counts_ : nullptr,
                      .clip_value = limit_of(options.clip_value),
                      .clip_norm = limit_of(options.clip_row_norm),
                      .squares = squares_,
                      .finite = &all_finite});
    if (!all_finite) finite.store(false, std::memory_order_relaxed);
  });
  if (options.skip_nonfinite && !finite) return false;
  if (!options.clip_global_norm) return true;

  const FpEnvironment environment;
  const std::int64_t blocks = (unique + kNormBlock - 1) / kNormBlock;
  parallel_tasks(blocks == 1 ? 1 : threads, blocks, [&](std::int64_t b) {
    block_sums_[b] = sum_in_order(squares_ + b * kNormBlock, std::min(kNormBlock, unique - b * kNormBlock));
  });
  const float limit = limit_of(options.clip_global_norm);
  const float norm = std::sqrt(sum_in_order(block_sums_, blocks));
  if (!(norm > limit)) return true;
  const float factor = limit / norm;
  parallel_chunks(threads, unique, grain, [&](std::int64_t begin, std::int64_t end) {
    k.scale_rows_f32(
        {.data = out, .stride = stride, .rows = rows, .begin = begin, .end = end, .dim = dim_, .factor = factor});
  });
  return true;
}

}  // namespace rowmill
