// SPDX-License-Identifier: Apache-2.0
// The gradients that a plan's rows sum, as kernels take them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/kernel_list.hpp"
#include "kernels/memory/carve.hpp"
#include "kernels/plan/segment_args.hpp"
#include "kernels/plan/shard_segments.hpp"
#include "rowmill/plan.hpp"
#include "rowmill/table_view.hpp"

namespace rowmill {

/// Gradients have `dim` columns and, together, a row for each of the plan's ids or bags; so have the plan's winners.
/// They share no element with `written`, which errors call by that name.
void check_gradients(std::string_view op, const Plan& plan, std::span<const ConstTableView> gradients, std::int64_t dim,
                     std::string_view written_name, const ConstTableView& written);

/// What a plan's rows are the sums of, as leaf kernels take it: the gradients of several passes, and block sums of rows
/// that are hot. One thread sums a hot segment where it stands; several share its blocks first. The bits are the same.
class Contributions {
 public:
  Contributions(std::int64_t passes, std::int64_t id_count, std::int64_t dim, Carver& memory);

  /// Takes checked gradients of this many passes.
  void set(const Plan& plan, std::span<const ConstTableView> gradients);
  /// Sums the blocks of hot segments on all `threads`, if that pays.
  void share_hot_segments(const KernelTable& k, PrefetchArgs prefetch, std::int64_t threads);
  /// All gradients. It may be changed until for_each_part() is called.
  [[nodiscard]] GradientArgs& all() { return all_; }
  [[nodiscard]] const GradientArgs& all() const { return all_; }

  /// Calls body(segments, gradients, first) for parts of shard s that cover it, in order; `first` is the number of the
  /// part's first segment. From many threads at once, for different shards.
  template <class Body>
  void for_each_part(std::int64_t s, Body body) const {
    const Plan::Shard shard = plan_->shard(s);
    std::int64_t done = 0;
    for (std::size_t h = 0; h < hot_.size(); ++h) {
      const std::int64_t segment = hot_[h].segment;
      if (hot_[h].shard != s) continue;
      body(segments_of(shard, done, segment), all_, done);
      body({.rows = shard.rows.data() + segment,
            .begin = hot_begin_ + h,
            .positions = block_numbers_,
            .count = 1,
            .coefficients = nullptr,
            .bag_positions = nullptr},
           of_blocks_, segment);
      done = segment + 1;
    }
    body(segments_of(shard, done, std::ssize(shard.rows)), all_, done);
  }

 private:
  std::int64_t dim_;
  std::int64_t row_stride_;  // of block sums
  GradientPass* passes_;
  std::int64_t* pass_index_;
  std::int64_t* hot_begin_;  // hot segment h has the blocks hot_begin_[h] .. hot_begin_[h+1] - 1
  SumBlockArgs* blocks_;
  std::int64_t* block_numbers_;  // 0, 1, 2, ...
  float* block_sums_;
  const Plan* plan_ = nullptr;
  GradientArgs all_{};
  std::span<const Plan::HotSegment> hot_;  // those whose blocks are shared
  GradientPass block_pass_{};
  GradientArgs of_blocks_{};  // a hot segment's gradient is the sum of its block sums, without blocks
};

}  // namespace rowmill
