// SPDX-License-Identifier: Apache-2.0
// Sums of gradients that do not fit into the loop over rows, and their mean squares.
#include "kernels/optimizer/gradient_kernels.hpp"
#include "kernels/optimizer/mean_square.hpp"
#include "kernels/plan/segments.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

template <CacheLevel kInto>
inline void sum_in_blocks(const SegmentArgs& a, std::int64_t s) {
  const Segments segments(a, sum_distance(row_bytes_of(a)));
  const std::int64_t end = a.begin[s + 1];
  for_each_group(a.dim, [&]<std::int64_t kVectors>(std::int64_t c, auto lanes) {
    const auto sum_from = [&](std::int64_t block, Floats(&sum)[kVectors]) __attribute__((always_inline)) {
      const std::int64_t count = end - block < a.block ? end - block : a.block;
      sum_rows(
          segments.gradients, a.positions + block, count, c, lanes, kInto,
          [&](const std::int64_t* p, const float* row) { return segments.later_gradient(p, row); }, sum);
      return block + count;
    };
    Floats total[kVectors];
    std::int64_t block = sum_from(a.begin[s], total);
    while (block < end) {
      Floats sum[kVectors];
      block = sum_from(block, sum);
      unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) { total[v] += sum[v]; });
    }
    unrolled<kVectors>([&](std::int64_t v)
                           __attribute__((always_inline)) { store(a.scratch + c + v * kLanes, total[v], lanes); });
  });
}

}  // namespace

void sum_segment(const SegmentArgs& a, std::int64_t s) {
  with_level(a.prefetch_into, [&]<CacheLevel kInto>() { sum_in_blocks<kInto>(a, s); });
}

void sum_block_f32(const SumBlockArgs& a) {
  const std::int64_t begin[] = {0, a.count};
  sum_segment({.rows = nullptr,
               .begin = begin,
               .positions = a.positions,
               .count = 1,
               .block = a.count,
               .passes = a.passes,
               .pass_count = a.pass_count,
               .dim = a.dim,
               .prefetch_into = a.prefetch_into,
               .near_gradients = false,
               .scratch = a.out,
               .mean_squares = nullptr},
              0);
}

void mean_squares_f32(const MeanSquaresArgs& args) {
  const MeanSquaresArgs a = args;  // a store may alias them
  const Gradients gradients{a.passes, a.pass_count};
  for (std::int64_t p = a.begin; p < a.end; ++p) a.out[p] = mean_square(GradientInMemory{gradients.row(p), a.dim});
}

}  // namespace rowmill::ROWMILL_ISA
