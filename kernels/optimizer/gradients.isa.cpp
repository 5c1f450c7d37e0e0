// SPDX-License-Identifier: Apache-2.0
// Sums of gradients that do not fit into the loop over rows, and their mean squares.
#include "kernels/optimizer/gradient_kernels.hpp"
#include "kernels/optimizer/mean_square.hpp"
#include "kernels/plan/segments.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

template <CacheLevel kInto>
inline void sum_in_blocks(const SegmentArgs& a, const GradientArgs& g, std::int64_t ahead, std::int64_t s, float* out) {
  // The contributions of one row are mostly contiguous: the processor sees them coming.
  constexpr std::int64_t kMaxAhead = 16;
  const Segments segments(a, g, ahead < kMaxAhead ? ahead : kMaxAhead);
  const std::int64_t end = a.begin[s + 1];
  for_each_group(g.dim, [&]<std::int64_t kVectors>(std::int64_t c, auto lanes) {
    const auto sum_from = [&](std::int64_t block, Floats(&sum)[kVectors]) __attribute__((always_inline)) {
      const std::int64_t count = end - block < g.block ? end - block : g.block;
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
                           __attribute__((always_inline)) { store(out + c + v * kLanes, total[v], lanes); });
  });
}

}  // namespace

void sum_segment(const SegmentArgs& segments, const GradientArgs& gradients, PrefetchArgs prefetch, std::int64_t s,
                 float* out) {
  with_level(prefetch.into,
             [&]<CacheLevel kInto>() { sum_in_blocks<kInto>(segments, gradients, prefetch.ahead, s, out); });
}

void sum_block_f32(const SumBlockArgs& a) {
  const std::int64_t begin[] = {0, a.count};
  const SegmentArgs segment{.rows = nullptr, .begin = begin, .positions = a.positions, .count = 1};
  GradientArgs gradients = a.gradients;
  gradients.block = a.count;
  sum_segment(segment, gradients, a.prefetch, 0, a.out);
}

void mean_squares_f32(const MeanSquaresArgs& args) {
  const MeanSquaresArgs a = args;  // a store may alias them
  const Gradients gradients(a.gradients);
  const std::int64_t dim = a.gradients.dim;
  for (std::int64_t p = a.begin; p < a.end; ++p) a.out[p] = mean_square(GradientInMemory{gradients.row(p), dim});
}

}  // namespace rowmill::ROWMILL_ISA
