// SPDX-License-Identifier: Apache-2.0
// The gradients of f64 tables: sums, and the options that apply to them.
#include "kernels/exact/row_sums.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "kernels/core/parallel.hpp"
#include "kernels/exact/contributions.hpp"
#include "kernels/exact/lane_sums.hpp"
#include "kernels/plan/passes.hpp"

namespace rowmill::exact {
namespace {

void scale(double* g, std::int64_t dim, double factor) {
  for (std::int64_t c = 0; c < dim; ++c) g[c] = g[c] * factor;
}

/// Applies all options but clip_global_norm to the sum of a row of `count` contributions. Returns whether it was
/// finite.
bool apply_to_row(double* g, std::int64_t dim, std::int64_t count, const GradientOptions& options) {
  bool finite = true;
  for (std::int64_t c = 0; c < dim; ++c) {
    if (options.scale_grad_by_freq) g[c] = g[c] / static_cast<double>(count);
    finite = finite && std::isfinite(g[c]);
    if (!options.clip_value) continue;
    const double most = *options.clip_value;
    g[c] = g[c] > most ? most : g[c] < -most ? -most : g[c];
  }
  if (options.clip_row_norm) {
    const double norm = std::sqrt(sum_of_squares(g, dim));
    if (norm > *options.clip_row_norm) scale(g, dim, *options.clip_row_norm / norm);
  }
  return finite;
}

/// The sum of `values` in order, starting from the first.
double sum_in_order(const double* values, std::int64_t count) {
  double sum = values[0];
  for (std::int64_t i = 1; i < count; ++i) sum += values[i];
  return sum;
}

}  // namespace

RowSums::RowSums(std::int64_t id_count, std::int64_t unique, std::int64_t dim, std::int64_t passes, Carver& memory)
    : dim_(dim),
      order_(id_count, memory),
      passes_count_(passes),
      passes_(memory.take<Pass>(passes)),
      squares_(memory.take<double>(unique)) {}

const double* RowSums::gradient_row(std::int64_t position) const {
  const Pass* const pass = pass_of(passes_, passes_count_, position);
  const std::int64_t begin = pass == passes_ ? 0 : pass[-1].end;
  return pass->data + (position - begin) * pass->stride;
}

/// In blocks of 1,024 contributions, block sums then in order; a block of columns at a time.
void RowSums::sum_row(const ShardContributions& contributions, std::int64_t begin, std::int64_t end,
                      double* out) const {
  constexpr std::int64_t kColumns = 64;
  for (std::int64_t c0 = 0; c0 < dim_; c0 += kColumns) {
    const std::int64_t columns = std::min(kColumns, dim_ - c0);
    for (std::int64_t block = begin; block < end; block += kSumBlock) {
      double sum[kColumns];
      for (std::int64_t k = block; k < std::min(block + kSumBlock, end); ++k) {
        const Contribution of = contributions[k];
        const double* const g = gradient_row(of.position);
        for (std::int64_t c = 0; c < columns; ++c) {
          const double x = of.at(g, c0 + c);
          sum[c] = k == block ? x : sum[c] + x;
        }
      }
      for (std::int64_t c = 0; c < columns; ++c) {
        out[c0 + c] = block == begin ? sum[c] : out[c0 + c] + sum[c];
      }
    }
  }
}

bool RowSums::sum(const Plan& plan, std::span<const ConstTableView> gradients, const GradientOptions& options,
                  std::int64_t threads, std::int64_t* rows, const SumsOut& out) {
  std::int64_t end = 0;
  for (std::size_t p = 0; p < gradients.size(); ++p) {
    end += gradients[p].rows();
    passes_[p] = {end, gradients[p].data<double>(), gradients[p].row_stride()};
  }
  order_.find(plan, threads);
  std::atomic<bool> finite = true;
  parallel_tasks(threads, plan.shard_count(), [&](std::int64_t s) {
    const ShardContributions contributions(plan, s, dim_);
    const Plan::Shard& shard = contributions.shard();
    for (std::size_t g = 0; g < shard.rows.size(); ++g) {
      const std::int64_t begin = shard.segment_begin[g];
      const std::int64_t count = shard.segment_begin[g + 1] - begin;
      const std::int64_t number = order_.number(FirstOccurrence::position(shard, g));
      double* const row = out.data + (out.dense ? shard.rows[g] : number) * out.stride;
      rows[number] = shard.rows[g];
      sum_row(contributions, begin, begin + count, row);
      if (!apply_to_row(row, dim_, count, options)) finite.store(false, std::memory_order_relaxed);
      if (options.clip_global_norm) squares_[number] = sum_of_squares(row, dim_);
    }
  });
  if (options.skip_nonfinite && !finite) return false;
  if (options.clip_global_norm) clip_globally(plan.unique_count(), *options.clip_global_norm, threads, rows, out);
  return true;
}

void RowSums::clip_globally(std::int64_t unique, double limit, std::int64_t threads, const std::int64_t* rows,
                            const SumsOut& out) const {
  if (unique == 0) return;
  const FpEnvironment environment;
  constexpr std::int64_t kNormBlock = 1024;
  double total = 0;
  for (std::int64_t begin = 0; begin < unique; begin += kNormBlock) {
    const double sum = sum_in_order(squares_ + begin, std::min(kNormBlock, unique - begin));
    total = begin == 0 ? sum : total + sum;
  }
  const double norm = std::sqrt(total);
  if (!(norm > limit)) return;
  const double factor = limit / norm;
  parallel_chunks(threads, unique, rows_per_task(unique, dim_ * std::int64_t{sizeof(double)}, threads),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t k = begin; k < end; ++k) {
                      scale(out.data + (out.dense ? rows[k] : k) * out.stride, dim_, factor);
                    }
                  });
}

}  // namespace rowmill::exact
