// SPDX-License-Identifier: Apache-2.0
// Sums of gradients that do not fit into the loop over rows, and their mean squares.
#include "kernels/optimizer/gradient_kernels.hpp"
#include "kernels/optimizer/mean_square.hpp"
#include "kernels/plan/terms.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

// The contributions of one row are mostly contiguous: the processor sees them coming.
constexpr std::int64_t kMaxAhead = 16;
std::int64_t few(std::int64_t ahead) { return ahead < kMaxAhead ? ahead : kMaxAhead; }

/// Gradient rows of one pass, from column c on.
struct OnePass {
  using Storage = F32Format;
  const float* data;
  std::int64_t stride;

  OnePass(const GradientPass& pass, std::int64_t c)
      : data(static_cast<const float*>(pass.data) + c), stride(pass.stride) {}
  [[nodiscard]] const float* row(std::int64_t position) const { return data + position * stride; }
};

/// out = the sum of contributions begin .. end-1 in blocks: a group of columns, the first of which is column c of
/// `rows`. A function of its own, so that the compiler keeps pointers in registers, and adds no column to each address.
template <CacheLevel kInto, std::int64_t kVectors, class Rows, class Lanes>
[[gnu::noinline]] void sum_group(Rows rows, const Segments& segments, std::int64_t block_size, std::int64_t begin,
                                 std::int64_t end, std::int64_t c, Lanes lanes, float* out) {
  const std::int64_t ahead = segments.ahead;
  const std::int64_t* const last_ahead = segments.last_ahead;
  const std::int64_t* const positions = segments.positions;
  const auto sum_from = [&](std::int64_t block, Floats(&sum)[kVectors]) __attribute__((always_inline)) {
    const std::int64_t count = end - block < block_size ? end - block : block_size;
    sum_rows(
        rows, Unscaled(), positions + block, count, c, lanes, kInto,
        [=](const std::int64_t* p, const float* row)
            __attribute__((always_inline)) { return p < last_ahead ? rows.row(p[ahead]) : row; },
        sum);
    return block + count;
  };
  Floats total[kVectors];
  std::int64_t block = sum_from(begin, total);
  while (block < end) {
    Floats sum[kVectors];
    block = sum_from(block, sum);
    unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) { total[v] += sum[v]; });
  }
  unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) { store(out + v * kLanes, total[v], lanes); });
}

/// Several passes are rare: they have no loop for each level.
template <CacheLevel kInto>
inline void sum_in_blocks(const Segments& segments, const GradientArgs& g, std::int64_t s, float* out) {
  const std::int64_t begin = segments.begin[s];
  const std::int64_t end = segments.begin[s + 1];
  for_each_group(g.dim, [&]<std::int64_t kVectors>(std::int64_t c, auto lanes) {
    if (g.pass_count == 1) {
      sum_group<kInto, kVectors>(OnePass(g.passes[0], c), segments, g.block, begin, end, 0, lanes, out + c);
    } else {
      sum_group<CacheLevel::second, kVectors>(segments.gradients, segments, g.block, begin, end, c, lanes, out + c);
    }
  });
}

/// The same of contributions that are scaled or, for max, won: where a position did not win it contributes +0. In one
/// loop, which is shorter: a sum that starts from -0 is the same, because -0 + x is x.
template <bool kMax, class Gradients>
inline void sum_contributions(const Segments& segments, const Gradients& gradients, const Winners& winners,
                              std::int64_t block_size, std::int64_t s, float* out) {
  for_each_group<4>(segments.dim, [&]<std::int64_t kVectors>(std::int64_t c, auto lanes) {
    Floats total[kVectors];
    Floats sum[kVectors];
    const auto clear = [](Floats(&to)[kVectors]) __attribute__((always_inline)) {
      unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) { to[v] = Floats(-0.0F); });
    };
    clear(total);
    for (std::int64_t k = segments.begin[s]; k < segments.begin[s + 1];) {
      const std::int64_t end = segments.begin[s + 1] - k < block_size ? segments.begin[s + 1] : k + block_size;
      clear(sum);
      for (; k < end; ++k) {
        each_term<kMax, kVectors>(
            segments, gradients, winners, k, c,
            lanes, [&](std::int64_t v, Floats term) __attribute__((always_inline)) { sum[v] += term; });
      }
      unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) { total[v] += sum[v]; });
    }
    unrolled<kVectors>([&](std::int64_t v)
                           __attribute__((always_inline)) { store(out + c + v * kLanes, total[v], lanes); });
  });
}

/// Calls body(v, c, lanes) for each vector v of a row, at column c.
template <class Body>
[[gnu::always_inline]] inline void for_each_numbered(std::int64_t dim, Body body) {
  for_each_vector(
      dim, [&](std::int64_t c, auto lanes) __attribute__((always_inline)) { body(c / kLanes, c, lanes); });
}

/// g = f(g) for each vector of a row; returns the sum of the squares of what it stored.
template <class F>
[[gnu::always_inline]] inline float rewrite_row(float* g, std::int64_t dim, F f) {
  LaneSums squares;
  for_each_numbered(
      dim, [&](std::int64_t v, std::int64_t c, auto lanes) __attribute__((always_inline)) {
        const Floats x = f(load(g + c, lanes));
        store(g + c, x, lanes);
        squares.add(v, x * x);
      });
  return squares.total();
}

}  // namespace

void sum_segment(const SegmentArgs& a, const GradientArgs& g, PrefetchArgs prefetch, std::int64_t s, float* out) {
  const Segments segments(a, g, few(prefetch.ahead));
  const Winners winners(a, g);
  const auto sum = [&](const auto& gradients) {
    if (winners.winners != nullptr) return sum_contributions<true>(segments, gradients, winners, g.block, s, out);
    sum_contributions<false>(segments, gradients, winners, g.block, s, out);
  };
  if (g.any_format) return sum(AnyGradients(g));
  if (winners.winners != nullptr || a.coefficients != nullptr) return sum(segments.gradients);
  with_level(prefetch.into, [&]<CacheLevel kInto>() { sum_in_blocks<kInto>(segments, g, s, out); });
}

void sum_segments_f32(const SumSegmentsArgs& args) {
  const SumSegmentsArgs a = args;  // a store may alias them
  for (std::int64_t s = 0; s < a.segments.count; ++s) {
    sum_segment(a.segments, a.gradients, a.prefetch, s, a.out + a.segments.rows[s] * a.stride);
  }
}

void sum_block_f32(const SumBlockArgs& a) {
  const std::int64_t begin[] = {0, a.count};
  GradientArgs gradients = a.gradients;
  gradients.block = a.count;
  const SegmentArgs segment{.rows = nullptr,
                            .begin = begin,
                            .positions = a.positions,
                            .count = 1,
                            .coefficients = a.coefficients,
                            .bag_positions = a.bag_positions};
  sum_segment(segment, gradients, a.prefetch, 0, a.out);
}

void mean_squares_f32(const MeanSquaresArgs& args) {
  const MeanSquaresArgs a = args;  // a store may alias them
  const Gradients gradients(a.gradients);
  const std::int64_t dim = a.gradients.dim;
  for (std::int64_t p = a.begin; p < a.end; ++p) {
    const Floats factor(a.factors == nullptr ? 1.0F : a.factors[p]);
    a.out[p] = mean_square(GradientInMemory{gradients.row(p), dim, factor});
  }
}

void guard_rows_f32(const GuardRowsArgs& args) {
  const GuardRowsArgs a = args;  // a store may alias them
  const Floats most(a.clip_value);
  const Floats least(-a.clip_value);
  Floats differences(0.0F);  // NaN in a lane that saw an infinity or a NaN
  for (std::int64_t k = a.begin; k < a.end; ++k) {
    float* const g = a.data + (a.rows != nullptr ? a.rows[k] : k) * a.stride;
    if (a.divisors != nullptr) {
      const Floats divisor(a.divisors[k]);
      for_each_vector(
          a.dim, [=](std::int64_t c, auto lanes)
                     __attribute__((always_inline)) { store(g + c, divide(load(g + c, lanes), divisor), lanes); });
    }
    float squares = rewrite_row(
        g, a.dim, [&](Floats x) __attribute__((always_inline)) {
          differences += x - x;
          return xsimd::select(x > most, most, xsimd::select(x < least, least, x));
        });
    const float norm = __builtin_sqrtf(squares);
    if (norm > a.clip_norm) {
      const Floats factor(a.clip_norm / norm);
      squares = rewrite_row(
          g, a.dim, [=](Floats x) __attribute__((always_inline)) { return x * factor; });
    }
    a.squares[k] = squares;
  }
  if (!xsimd::all(differences == differences)) *a.finite = false;
}

void scale_rows_f32(const ScaleRowsArgs& args) {
  const ScaleRowsArgs a = args;  // a store may alias them
  const Floats factor(a.factor);
  for (std::int64_t k = a.begin; k < a.end; ++k) {
    float* const g = a.data + (a.rows != nullptr ? a.rows[k] : k) * a.stride;
    for_each_vector(
        a.dim, [=](std::int64_t c, auto lanes)
                   __attribute__((always_inline)) { store(g + c, load(g + c, lanes) * factor, lanes); });
  }
}

}  // namespace rowmill::ROWMILL_ISA
