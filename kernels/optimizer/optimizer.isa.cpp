// SPDX-License-Identifier: Apache-2.0
// The fused sparse optimizers: each row's gradient is summed, then applied to the row and its state at once.
#include "kernels/kernel_list.hpp"
#include "kernels/simd.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

/// The gradient row of a position.
inline const float* contribution(const GradientPass* pass, std::int64_t position) {
  std::int64_t begin = 0;
  while (position >= pass->end) begin = (pass++)->end;
  return pass->data + (position - begin) * pass->stride;
}

/// sum = contributions [begin, end) added in order, columns [c, c + kVectors * kLanes). The first term is taken, not
/// added to zero, which would turn -0 into +0.
template <std::int64_t kVectors, class Load>
inline void sum_block(const SegmentArgs& a, std::int64_t begin, std::int64_t end, std::int64_t c, Load load_from,
                      Floats (&sum)[kVectors]) {
  const float* first = contribution(a.passes, a.positions[begin]) + c;
  for (std::int64_t v = 0; v < kVectors; ++v) sum[v] = load_from(first + v * kLanes);
  for (std::int64_t k = begin + 1; k < end; ++k) {
    const float* next = contribution(a.passes, a.positions[k]) + c;
    for (std::int64_t v = 0; v < kVectors; ++v) sum[v] += load_from(next + v * kLanes);
  }
}

/// Sums columns [c, c + kVectors * kLanes) of one row's contributions into scratch, block by block, in registers.
template <std::int64_t kVectors, class Load, class Store>
inline void sum_columns(const SegmentArgs& a, std::int64_t begin, std::int64_t end, std::int64_t c, Load load_from,
                        Store store_to) {
  const auto block_end = [end](std::int64_t block) { return end - block < kSumBlock ? end : block + kSumBlock; };
  Floats total[kVectors];
  sum_block(a, begin, block_end(begin), c, load_from, total);
  for (std::int64_t block = block_end(begin); block < end; block = block_end(block)) {
    Floats sum[kVectors];
    sum_block(a, block, block_end(block), c, load_from, sum);
    for (std::int64_t v = 0; v < kVectors; ++v) total[v] += sum[v];
  }
  for (std::int64_t v = 0; v < kVectors; ++v) store_to(a.scratch + c + v * kLanes, total[v]);
}

/// The gradient of segment s: its one contribution where it lies, or the sum of several, in scratch.
inline const float* segment_gradient(const SegmentArgs& a, std::int64_t s) {
  const std::int64_t begin = a.begin[s];
  const std::int64_t end = a.begin[s + 1];
  if (end - begin == 1) return contribution(a.passes, a.positions[begin]);
  std::int64_t c = 0;
  for (; c + 4 * kLanes <= a.dim; c += 4 * kLanes) sum_columns<4>(a, begin, end, c, load, store);
  for (; c + kLanes <= a.dim; c += kLanes) sum_columns<1>(a, begin, end, c, load, store);
  if (const std::int64_t n = a.dim - c; n > 0) {
    sum_columns<1>(
        a, begin, end, c, [n](const float* p) { return load_partial(p, n); },
        [n](float* p, Floats v) { store_partial(p, v, n); });
  }
  return a.scratch;
}

/// Calls update(row, gradient) for each segment, and asks ahead for the rows that prefetch_row(row) names and for the
/// contributions.
template <class PrefetchRow, class Update>
inline void for_each_segment(const SegmentArgs& a, PrefetchRow prefetch_row, Update update) {
  const std::int64_t row_bytes = a.dim * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t ahead = prefetch_distance(2 * row_bytes);
  constexpr std::int64_t kMostContributions = 4;  // a longer segment's own loop is ahead of its memory
  for (std::int64_t s = 0; s < a.count; ++s) {
    if (const std::int64_t t = s + ahead; t < a.count) {
      prefetch_row(a.rows[t]);
      const std::int64_t count = a.begin[t + 1] - a.begin[t];
      for (std::int64_t k = 0; k < (count < kMostContributions ? count : kMostContributions); ++k) {
        prefetch(contribution(a.passes, a.positions[a.begin[t] + k]), row_bytes);
      }
    }
    update(a.rows[s], segment_gradient(a, s));
  }
}

}  // namespace

void sgd_f32(const SgdArgs& a) {
  const std::int64_t dim = a.segments.dim;
  const std::int64_t row_bytes = dim * static_cast<std::int64_t>(sizeof(float));
  const Floats learning_rate(a.learning_rate);
  for_each_segment(
      a.segments, [&](std::int64_t row) { prefetch(a.weights + row * a.stride, row_bytes); },
      [&](std::int64_t row, const float* gradient) {
        float* w = a.weights + row * a.stride;
        for_each_vector(dim, [=](std::int64_t c, auto load_from, auto store_to) {
          store_to(w + c, load_from(w + c) - learning_rate * load_from(gradient + c));
        });
      });
}

void adagrad_f32(const AdagradArgs& a) {
  const std::int64_t dim = a.segments.dim;
  const std::int64_t row_bytes = dim * static_cast<std::int64_t>(sizeof(float));
  const Floats learning_rate(a.learning_rate);
  const Floats epsilon(a.epsilon);
  for_each_segment(
      a.segments,
      [&](std::int64_t row) {
        prefetch(a.weights + row * a.stride, row_bytes);
        prefetch(a.accumulator + row * dim, row_bytes);
      },
      [&](std::int64_t row, const float* gradient) {
        float* w = a.weights + row * a.stride;
        float* accumulator = a.accumulator + row * dim;
        for_each_vector(dim, [=](std::int64_t c, auto load_from, auto store_to) {
          const Floats g = load_from(gradient + c);
          const Floats sum = load_from(accumulator + c) + g * g;
          store_to(accumulator + c, sum);
          store_to(w + c, load_from(w + c) - (learning_rate * g) / (xsimd::sqrt(sum) + epsilon));
        });
      });
}

void adam_f32(const AdamArgs& a) {
  const std::int64_t dim = a.segments.dim;
  const std::int64_t row_bytes = dim * static_cast<std::int64_t>(sizeof(float));
  const Floats beta1(a.scalars.beta1);
  const Floats one_minus_beta1(a.scalars.one_minus_beta1);
  const Floats beta2(a.scalars.beta2);
  const Floats one_minus_beta2(a.scalars.one_minus_beta2);
  const Floats step_size(a.scalars.step_size);
  const Floats inverse_sqrt_bc2(a.scalars.inverse_sqrt_bc2);
  const Floats epsilon(a.scalars.epsilon);
  for_each_segment(
      a.segments,
      [&](std::int64_t row) {
        prefetch(a.weights + row * a.stride, row_bytes);
        prefetch(a.m + row * dim, row_bytes);
        prefetch(a.v + row * dim, row_bytes);
      },
      [&](std::int64_t row, const float* gradient) {
        float* w = a.weights + row * a.stride;
        float* m = a.m + row * dim;
        float* v = a.v + row * dim;
        for_each_vector(dim, [=](std::int64_t c, auto load_from, auto store_to) {
          const Floats g = load_from(gradient + c);
          const Floats new_m = beta1 * load_from(m + c) + one_minus_beta1 * g;
          const Floats new_v = beta2 * load_from(v + c) + one_minus_beta2 * (g * g);
          store_to(m + c, new_m);
          store_to(v + c, new_v);
          store_to(w + c, load_from(w + c) - (step_size * new_m) / (xsimd::sqrt(new_v) * inverse_sqrt_bc2 + epsilon));
        });
      });
}

}  // namespace rowmill::ROWMILL_ISA
