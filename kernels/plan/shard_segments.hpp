// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iterator>

#include "kernels/plan/segment_args.hpp"
#include "rowmill/plan.hpp"

namespace rowmill {

/// Segments [first, last) of a shard, as leaf kernels take them.
inline SegmentArgs segments_of(const Plan::Shard& shard, std::int64_t first, std::int64_t last) {
  return {.rows = shard.rows.data() + first,
          .begin = shard.segment_begin.data() + first,
          .positions = shard.positions.data(),
          .count = last - first,
          .coefficients = shard.coefficients.data(),
          .bag_positions = shard.bag_positions.data()};
}
inline SegmentArgs segments_of(const Plan::Shard& shard) { return segments_of(shard, 0, std::ssize(shard.rows)); }

}  // namespace rowmill
