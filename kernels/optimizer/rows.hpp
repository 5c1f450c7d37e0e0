// SPDX-License-Identifier: Apache-2.0
// What every optimizer's step does around its formula: it goes through the touched rows, sums each one's gradient, and
// asks ahead. Included by optimizer.isa.cpp only.
//
// The loops are functions with everything inlined but for what is rare or long. For rows of a usual width that lie
// close together they are compiled for that width: see docs/choices.md, Rows of a usual width.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/kernel_list.hpp"
#include "kernels/plan/segments.hpp"
#include "kernels/simd.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

/// A state table with a value for each weight.
struct State {
  float* data;
  std::int64_t dim;

  [[nodiscard]] float* row(std::int64_t r) const { return data + r * dim; }
  template <std::int64_t kColumns>
  [[nodiscard]] float* row_of(std::int64_t r) const {
    return data + r * kColumns;
  }
  template <CacheLevel kInto>
  static void ask(const float* row, std::int64_t c) {
    prefetch_column<kInto>(row, c);
  }
  template <CacheLevel kInto>
  void ask_row(std::int64_t r, std::int64_t bytes) const {
    prefetch<kInto>(row(r), bytes);
  }
};

/// A state table with a value for each row.
struct RowState {
  float* data;

  [[nodiscard]] float* row(std::int64_t r) const { return data + r; }
  template <std::int64_t kColumns>
  [[nodiscard]] float* row_of(std::int64_t r) const {
    return data + r;
  }
  template <CacheLevel kInto>
  static void ask(const float* value, std::int64_t c) {
    if (c == 0) prefetch_column<kInto>(value, c);
  }
  template <CacheLevel kInto>
  void ask_row(std::int64_t r, std::int64_t) const {
    ask<kInto>(row(r), 0);
  }
};

/// sum = the gradient of segment s, which has no more than a block of contributions, columns [c, c + kVectors *
/// kLanes).
template <CacheLevel kGradients, std::int64_t kVectors, class Load>
[[gnu::always_inline]] inline void sum_of_segment(const Segments& segments, std::int64_t s, std::int64_t c,
                                                  Load load_from, Floats (&sum)[kVectors]) {
  const std::int64_t position = segments.begin[s];
  sum_rows<kGradients>(
      segments.gradients, segments.positions + position, segments.begin[s + 1] - position, c, load_from,
      [&](std::int64_t k, const float* gradient)
          __attribute__((always_inline)) { return segments.later_gradient(position + k, gradient); },
      sum);
}

// A row's gradient is given to an update in one of three ways. Each calls body(c, g, load, store) for each vector g of
// it; the first two as often as they are asked to, and they have its mean square, or null where that is not known.

/// Of a row in memory.
struct GradientInMemory {
  const float* data;
  std::int64_t dim;
  const float* mean_square;

  template <class Body>
  [[gnu::always_inline]] void each_vector(Body body) const {
    for_each_vector(
        dim, [&](std::int64_t c, auto load_from, auto store_to)
                 __attribute__((always_inline)) { body(c, load_from(data + c), load_from, store_to); });
  }
};

/// Of a row of kVectors whole vectors.
template <std::int64_t kVectors>
struct GradientInRegisters {
  static constexpr std::int64_t dim = kVectors * kLanes;
  const Floats (&sum)[kVectors];
  const float* mean_square;

  template <class Body>
  [[gnu::always_inline]] void each_vector(Body body) const {
    unrolled<kVectors>([&](std::int64_t v)
                           __attribute__((always_inline)) { body(v * kLanes, sum[v], Whole{}, Whole{}); });
  }
};

/// Of a segment of no more than a block: summed in registers, group by group, for an update that goes through it once.
template <CacheLevel kGradients>
struct GradientOfSegment {
  const Segments& segments;
  std::int64_t s;

  template <class Body>
  [[gnu::always_inline]] void each_vector(Body body) const {
    for_each_group(
        segments.dim, [&]<std::int64_t kVectors>(std::int64_t c, auto load_from, auto store_to)
                          __attribute__((always_inline)) {
                            Floats sum[kVectors];
                            sum_of_segment<kGradients>(segments, s, c, load_from, sum);
                            unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) {
                              body(c + v * kLanes, sum[v], load_from, store_to);
                            });
                          });
  }
};

/// Of rows that are asked for before.
struct AskNothing {
  [[gnu::always_inline]] void operator()(std::int64_t) const {}
};

/// Rows of a usual width that lie one after another, as their gradients do: kVectors whole vectors, whose gradients
/// stay in registers, as do most other values that the loop needs: see docs/choices.md, Loops that read no stack.
template <std::int64_t kVectors, CacheLevel kInto, CacheLevel kGradients, class Update, class... States>
[[gnu::noinline]] inline void for_each_usual_row(const UpdateArgs& a, Update update, States... states) {
  constexpr std::int64_t kColumns = kVectors * kLanes;
  constexpr std::int64_t kRowBytes = kColumns * std::int64_t{sizeof(float)};
  constexpr std::int64_t kAhead = update_distance(kRowBytes, kInto);
  const std::int64_t* const rows = a.segments.rows;
  const std::int64_t* const begin = a.segments.begin;
  const std::int64_t* const positions = a.segments.positions;
  const std::int64_t count = a.segments.count;
  const std::int64_t end = begin[count];
  const std::int64_t block = a.segments.block;
  const CloseGradients<kColumns> gradients{a.segments.passes[0].data};
  float* const weights = a.weights;
  const float* const mean_squares = a.segments.mean_squares;
  const auto ask_row = [=](std::int64_t row) __attribute__((always_inline)) {
    prefetch<kInto>(weights + row * kColumns, kRowBytes);
    (states.template ask_row<kInto>(row, kRowBytes), ...);
  };
  Segments(a.segments).template ask_first<kGradients>(kRowBytes, ask_row);
  std::int64_t position = begin[0];
  for (std::int64_t s = 0; s < count; ++s) {
    const std::int64_t row = rows[s];
    const std::int64_t contributions = begin[s + 1] - position;
    ask_row(rows[s + kAhead < count ? s + kAhead : s]);
    Floats sum[kVectors];
    if (contributions <= block) [[likely]] {
      const std::int64_t* const of_row = positions + position;
      const std::int64_t left = end - position - kAhead;
      sum_rows<kGradients>(
          gradients, of_row, contributions, 0, Whole{},
          [&](std::int64_t k, const float* gradient)
              __attribute__((always_inline)) { return k < left ? gradients.row(of_row[k + kAhead]) : gradient; },
          sum);
    } else {
      sum_segment<kGradients>(a.segments, s);
      unrolled<kVectors>([&](std::int64_t v)
                             __attribute__((always_inline)) { sum[v] = load(a.segments.scratch + v * kLanes); });
    }
    const float* const mean_square =
        contributions == 1 && mean_squares != nullptr ? mean_squares + positions[position] : nullptr;
    position += contributions;
    update(AskNothing{}, GradientInRegisters<kVectors>{sum, mean_square}, weights + row * kColumns,
           states.template row_of<kColumns>(row)...);
  }
}

/// Updates a row without states, of several contributions, from the registers that hold their sum.
template <CacheLevel kInto, CacheLevel kGradients, class Update>
[[gnu::noinline]] inline void update_by_sum(const Segments& of, std::int64_t s, Update update, const float* later,
                                            float* w) {
  const Segments segments = of;  // a store may alias it
  const auto ask = [=](std::int64_t c) __attribute__((always_inline)) { prefetch_column<kInto>(later, c); };
  update(ask, GradientOfSegment<kGradients>{segments, s}, w);
}

/// Rows of any other width, or apart from each other.
template <CacheLevel kInto, CacheLevel kGradients, class Update, class... States>
[[gnu::noinline]] inline void for_each_other_row(const UpdateArgs& a, Update update, States... states) {
  const std::int64_t dim = a.segments.dim;
  const std::int64_t row_bytes = dim * static_cast<std::int64_t>(sizeof(float));
  const Segments segments(a.segments);
  float* const weights = a.weights;
  const std::int64_t stride = a.stride;
  const std::int64_t block = a.segments.block;
  float* const scratch = a.segments.scratch;
  const float* const mean_squares = a.segments.mean_squares;
  const auto ask_row = [=](std::int64_t row) __attribute__((always_inline)) {
    prefetch<kInto>(weights + row * stride, row_bytes);
    (states.template ask_row<kInto>(row, row_bytes), ...);
  };
  const bool long_rows = row_bytes >= kLongRowBytes;
  segments.ask_first<kGradients>(row_bytes, ask_row);
  for (std::int64_t s = 0; s < segments.count; ++s) {
    const std::int64_t row = segments.rows[s];
    const std::int64_t later_row = segments.later_row(s);
    const std::int64_t position = segments.begin[s];
    const std::int64_t contributions = segments.begin[s + 1] - position;
    if constexpr (sizeof...(States) == 0) {
      if (contributions > 1 && contributions <= block) {
        update_by_sum<kInto, kGradients>(segments, s, update, weights + later_row * stride, weights + row * stride);
        continue;
      }
    }
    const float* gradient = scratch;
    const float* mean_square = nullptr;
    const float* later = scratch;
    if (contributions == 1) {
      const std::int64_t p = segments.positions[position];
      gradient = segments.gradients.row(p);
      if (mean_squares != nullptr) mean_square = mean_squares + p;
      later = segments.later_gradient(position, gradient);
    } else {
      sum_segment<kGradients>(a.segments, s);
    }
    if (long_rows) {
      const auto ask = [ later, w = weights + later_row * stride, ... state = states.row(later_row) ](std::int64_t c)
          __attribute__((always_inline)) {
        prefetch_column<kGradients>(later, c);
        prefetch_column<kInto>(w, c);
        (States::template ask<kInto>(state, c), ...);
      };
      update(ask, GradientInMemory{gradient, dim, mean_square}, weights + row * stride, states.row(row)...);
    } else {
      ask_row(later_row);
      if (later != gradient) prefetch<kGradients>(later, row_bytes);
      update(AskNothing{}, GradientInMemory{gradient, dim, mean_square}, weights + row * stride, states.row(row)...);
    }
  }
}

/// Calls update(ask, gradient, w, row of each state...) for each touched row. An update is to call ask(c) once for each
/// of the columns c at which its vectors begin: that asks for what a long row will need between the loads of another,
/// which so many prefetches in a row would keep waiting. Short rows are asked for before, at once; and so are longer
/// ones of a usual width, if no state is as long.
template <class Update, class... States>
inline void for_each_row(const UpdateArgs& a, Update update, States... states) {
  constexpr bool kShortOnly = (std::is_same_v<States, State> || ...);
  constexpr std::int64_t kMost = kShortOnly ? kLongRowColumns - 1 : kLongRowColumns;
  with_levels(a.segments, [&]<CacheLevel kInto, CacheLevel kGradients>() {
    with_width<kMost>(lie_close(a.segments, a.stride) ? a.segments.dim : 0, [&]<std::int64_t kVectors>() {
      if constexpr (kVectors > 0) {
        for_each_usual_row<kVectors, kInto, kGradients>(a, update, states...);
      } else {
        for_each_other_row<kInto, kGradients>(a, update, states...);
      }
    });
  });
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
