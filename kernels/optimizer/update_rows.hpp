// SPDX-License-Identifier: Apache-2.0
// What every optimizer's step does around its formula: the loop over a plan's segments, that is, over the touched rows.
// For each it sums the row's gradient, applies weight decay, calls the formula for each vector of the row, and
// prefetches what later rows will need. Included by formulas/*.isa.cpp only.
//
// A formula is a type with
//   Args                      the arguments of its kernels
//   kStates                   how many state tables it has with a value for each weight: args.state[0], ...
//   kIsCommon                 whether each level of prefetch has a loop of its own in rows of 64 columns and more
//   kUsesMeanSquare           whether it needs the mean square of a row's gradient, and so has a state for each row
//   Formula(args)             broadcasts its scalars
//   row(mean_square, r)       what is the same for all columns of row r; without mean squares, row() gives Nothing
//   (w, g, row, state)        the updated weights, from the decayed weights and gradient; updates state[0], ... too
//
// There are two layouts. Rows of a fixed width whose tables and gradients are packed have a loop of their own, compiled
// for each width: gradients stay in registers, short rows are prefetched at once, and next to nothing is read from the
// stack. All others take the loop for any width: gradients of more than one contribution are summed in memory first,
// but for SGD, and prefetches stand between the loads. What each is worth: docs/design/performance.md.
//
// A formula knows nothing of weight decay: decoupled decay scales the weights, L2 adds to the finished gradient, before
// the formula sees either.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/optimizer/mean_square.hpp"
#include "kernels/optimizer/update_args.hpp"
#include "kernels/plan/segments.hpp"
#include "kernels/simd/formats.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

struct Nothing {};

/// One row of each state table that has a value for each weight.
template <std::int64_t kStates>
struct StateRows {
  float* row[kStates > 0 ? kStates : 1];
};
template <class Formula>
[[gnu::always_inline]] inline StateRows<Formula::kStates> state_rows(const Formula& formula, std::int64_t row,
                                                                     std::int64_t dim) {
  StateRows<Formula::kStates> rows{};
  if constexpr (Formula::kStates > 0) {
    unrolled<Formula::kStates>([&](std::int64_t i)
                                   __attribute__((always_inline)) { rows.row[i] = formula.states[i] + row * dim; });
  }
  return rows;
}

/// What the formula needs of row r beside its columns. `known` is the gradient's mean square, or null.
template <class Formula, class Gradient>
[[gnu::always_inline]] inline auto row_scalars(const Formula& formula, const Gradient& gradient, const float* known,
                                               std::int64_t r) {
  if constexpr (Formula::kUsesMeanSquare) {
    return formula.row(known != nullptr ? *known : mean_square(gradient), r);
  } else {
    return Nothing{};
  }
}

/// Decay of the weights: w * factor, where the factor is 1 unless decay is decoupled; or, where there is no decay, w.
struct Decayed {
  Floats factor;

  explicit Decayed(const UpdateArgs& a) : factor(a.decay == WeightDecay::decoupled ? a.decay_factor : 1.0F) {}
  Floats operator()(Floats w) const { return w * factor; }
};
struct Undecayed {
  explicit Undecayed(const UpdateArgs&) {}
  Floats operator()(Floats w) const { return w; }
};

/// A row of weights of one format.
template <class Of>
struct WeightRow {
  typename Of::Value* p;

  template <std::int64_t n, class Lanes>
  [[gnu::always_inline]] void load(std::int64_t c, Floats (&v)[n], Lanes lanes) const {
    load_vectors<Of>(p + c, v, lanes);
  }
  template <std::int64_t n, class Lanes>
  [[gnu::always_inline]] void store(std::int64_t c, const Floats (&v)[n], Lanes lanes) const {
    store_vectors<Of>(p + c, v, lanes);
  }
};

/// Weights as a format stores them, in rows of kColumns that are packed, or, if it is 0, with a stride.
template <class Of, std::int64_t kColumns>
struct PlainWeights {
  using Value = typename Of::Value;
  Value* data;
  std::int64_t stride;

  explicit PlainWeights(const UpdateArgs& a) : data(static_cast<Value*>(a.weights)), stride(a.stride) {}

  [[nodiscard]] [[gnu::always_inline]] Value* row(std::int64_t r) const {
    return data + r * (kColumns > 0 ? kColumns : stride);
  }
  /// The row of segment s, which is rows[s]. Is called for s = 0, 1, ... count - 1.
  [[nodiscard]] [[gnu::always_inline]] WeightRow<Of> next(const std::int64_t* rows, std::int64_t s, std::int64_t,
                                                          std::int64_t) const {
    return {row(rows[s])};
  }
  [[gnu::always_inline]] void prefetch_row(std::int64_t r, std::int64_t dim, CacheLevel into) const {
    prefetch(row(r), dim * std::int64_t{sizeof(Value)}, into);
  }
  [[gnu::always_inline]] void prefetch_column(std::int64_t r, std::int64_t c, CacheLevel into) const {
    ROWMILL_ISA::prefetch_column(row(r), c, into);
  }
};

/// The formula, with the states of a table of any format.
template <class Formula>
[[gnu::always_inline]] inline Formula formula_of(const typename Formula::Args& args) {
  Formula formula(args);
  if constexpr (Formula::kStates > 0) {
    const StorageArgs* const storage = args.update.storage;
    if (storage != nullptr) {
      unrolled<Formula::kStates>([&](std::int64_t i) __attribute__((always_inline)) {
        formula.states[i] = static_cast<float*>(storage->states[i].data);
      });
    }
  }
  return formula;
}

/// Updates one row; prefetch_at(c) is called once for each vector, before its loads.
template <class Formula, class Decay, class Gradient, class Row, class Weights, class Prefetch>
[[gnu::always_inline]] inline void update_row(const Formula& formula, Decay decay, const Gradient& gradient, Row row,
                                              const Weights& weights, const StateRows<Formula::kStates>& states,
                                              Prefetch prefetch_at) {
  gradient.each_group([&]<std::int64_t n>(std::int64_t first, const Floats(&g)[n],
                                          auto lanes) __attribute__((always_inline)) {
    Floats w[n];
    unrolled<n>([&](std::int64_t v) __attribute__((always_inline)) { prefetch_at(first + v * kLanes); });
    weights.load(first, w, lanes);
    unrolled<n>([&](std::int64_t v) __attribute__((always_inline)) {
      const std::int64_t c = first + v * kLanes;
      Floats state[Formula::kStates > 0 ? Formula::kStates : 1];
      unrolled<Formula::kStates>([&](std::int64_t i)
                                     __attribute__((always_inline)) { state[i] = load(states.row[i] + c, lanes); });
      w[v] = formula(decay(w[v]), g[v], row, state);
      unrolled<Formula::kStates>([&](std::int64_t i)
                                     __attribute__((always_inline)) { store(states.row[i] + c, state[i], lanes); });
    });
    weights.store(first, w, lanes);
  });
}

/// Prefetches row r of the states.
template <class Formula>
[[gnu::always_inline]] inline void prefetch_states(const Formula& formula, std::int64_t r, std::int64_t dim,
                                                   CacheLevel into) {
  if constexpr (Formula::kStates > 0) {
    unrolled<Formula::kStates>([&](std::int64_t i) __attribute__((always_inline)) {
      prefetch(formula.states[i] + r * dim, dim * std::int64_t{sizeof(float)}, into);
    });
  }
  if constexpr (Formula::kUsesMeanSquare) {
    prefetch_line(reinterpret_cast<const char*>(formula.row_state + r), into);
  }
}

/// Prefetches row r of the weights and the states.
template <class Formula, class Weights>
[[gnu::always_inline]] inline void prefetch_row(const Formula& formula, const Weights& weights, std::int64_t r,
                                                std::int64_t dim, CacheLevel into) {
  weights.prefetch_row(r, dim, into);
  prefetch_states(formula, r, dim, into);
}

/// Rows of kVectors full vectors, packed, as their gradients are, which are stored as `Of` says. Level is CacheLevel
/// or, for a loop without a branch on it, a constant of that.
template <class Formula, class Weights, class Decay, std::int64_t kVectors, class Of, class Level>
[[gnu::noinline]] inline void update_packed_rows(const typename Formula::Args& args, Level level) {
  constexpr std::int64_t kColumns = kVectors * kLanes;
  // Where rows and their states have many lines, these are prefetched between the loads: all at once would fill the
  // queue of misses and stop the loads behind them.
  constexpr bool kSpread = Formula::kStates > 0 && kColumns >= 64;
  using Gradient = typename Of::Value;
  const UpdateArgs& a = args.update;
  const Formula formula = formula_of<Formula>(args);
  const Decay decay(a);
  const std::int64_t* const rows = a.segments.rows;
  const std::int64_t* const begin = a.segments.begin;
  const std::int64_t count = a.segments.count;
  const CacheLevel into = level;
  // Of the shortest rows it is a constant, the same one: that leaves a register for the loop, which is up to a tenth.
  constexpr bool kKnown = !std::is_same_v<Level, CacheLevel>;
  const std::int64_t ahead = kKnown && kColumns <= 32 ? (into == CacheLevel::first ? 16 : 32) : a.prefetch.ahead;
  const PackedGradients<kColumns, Of> gradients{static_cast<const Gradient*>(a.gradients.passes[0].data)};
  Weights weights(a);
  const float* const mean_squares = a.gradients.mean_squares;
  for (std::int64_t p = begin[0]; a.gradients.prefetched && p < begin[0] + ahead && p < begin[count]; ++p) {
    prefetch(gradients.row(a.segments.positions[p]), kColumns * std::int64_t{sizeof(Gradient)}, into);
  }
  for (std::int64_t s = 0; s < ahead && s < count; ++s) prefetch_row(formula, weights, rows[s], kColumns, into);
  const bool l2 = std::is_same_v<Decay, Decayed> && a.decay == WeightDecay::l2;
  // Rows of at most so many contributions take the short way: all of them, mostly.
  const std::int64_t max_contributions = a.segments.coefficients != nullptr ? 0 : a.gradients.block;
  const std::int64_t* position = a.segments.positions + begin[0];
  const std::int64_t* const last_ahead = a.gradients.prefetched ? a.segments.positions + begin[count] - ahead : nullptr;
  for (std::int64_t s = 0; s < count; ++s) {
    const std::int64_t row = rows[s];
    const auto w = weights.next(rows, s, count, kColumns);
    const std::int64_t contributions = begin[s + 1] - begin[s];
    const std::int64_t later_row = rows[s + ahead < count ? s + ahead : s];
    if constexpr (!kSpread) prefetch_row(formula, weights, later_row, kColumns, into);
    Floats sum[kVectors];
    const auto later = [&](const std::int64_t* p, const Gradient* gradient) __attribute__((always_inline)) {
      return p < last_ahead ? gradients.row(p[ahead]) : gradient;
    };
    if (contributions <= max_contributions) [[likely]] {
      sum_rows(gradients, Unscaled(), position, contributions, 0, FullVector{}, into, later, sum);
    } else if (contributions <= a.gradients.block) {
      const float* const coefficients = a.segments.coefficients + (position - a.segments.positions);
      sum_rows(gradients, Scaled{coefficients}, position, contributions, 0, FullVector{}, into, later, sum);
    } else {
      sum_segment(a.segments, a.gradients, a.prefetch, s, a.scratch);
      load_floats_as<Of>(a.scratch, sum);
    }
    if (l2) [[unlikely]] {
      constexpr std::int64_t n = kVectors > 1 ? 2 : 1;
      const Floats factor(a.decay_factor);
      unrolled<kVectors / n>([&](std::int64_t i) __attribute__((always_inline)) {
        Floats weight[n];
        w.load(n * i * kLanes, weight, FullVector{});
        unrolled<n>([&](std::int64_t v)
                        __attribute__((always_inline)) { sum[n * i + v] = sum[n * i + v] + factor * weight[v]; });
      });
    }
    const float* const known = contributions == 1 && mean_squares != nullptr ? mean_squares + *position : nullptr;
    position += contributions;
    const GradientInRegisters<kVectors, Of> gradient{sum};
    update_row(
        formula, decay, gradient, row_scalars(formula, gradient, known, row), w,
        state_rows(formula, row, kColumns), [&](std::int64_t c) __attribute__((always_inline)) {
          if constexpr (kSpread) {
            weights.prefetch_column(later_row, c, into);
            const auto later_states = state_rows(formula, later_row, kColumns);
            unrolled<Formula::kStates>([&](std::int64_t i) __attribute__((always_inline)) {
              prefetch_column(later_states.row[i], c, into);
            });
            if constexpr (Formula::kUsesMeanSquare) {
              if (c == 0) prefetch_line(reinterpret_cast<const char*>(formula.row_state + later_row), into);
            }
          }
        });
  }
}

/// out = gradient + decay * w: L2 decay.
template <class Gradient, class Weights>
[[gnu::noinline]] inline void add_decay(Gradient gradient, Weights w, float decay, float* out) {
  const Floats decays(decay);
  gradient.each_vector([=](std::int64_t c, Floats g, auto lanes) __attribute__((always_inline)) {
    Floats weight[1];
    w.load(c, weight, lanes);
    store(out + c, g + decays * weight[0], lanes);
  });
}

/// The gradient of segment s, which has no more than a block of contributions, without coefficients: summed in
/// registers, group by group, for an update that goes through it once.
struct GradientOfSegment {
  const Segments& segments;
  std::int64_t s;
  CacheLevel into;

  template <class Body>
  [[gnu::always_inline]] void each_group(Body body) const {
    const std::int64_t position = segments.begin[s];
    const std::int64_t contributions = segments.begin[s + 1] - position;
    for_each_group(
        segments.dim, [&]<std::int64_t kVectors>(std::int64_t c, auto lanes) __attribute__((always_inline)) {
          Floats sum[kVectors];
          sum_rows(
              segments.gradients, Unscaled(), segments.positions + position, contributions, c, lanes, into,
              [&](const std::int64_t* p, const float* row)
                  __attribute__((always_inline)) { return segments.later_gradient(p, row); },
              sum);
          body(c, sum, lanes);
        });
  }
};

/// Updates a row without states, of several contributions, from the registers that hold their sum.
template <class Formula>
[[gnu::noinline]] inline void update_from_sum(const Segments& of, const UpdateArgs& a, std::int64_t s, Formula formula,
                                              const float* later, float* w) {
  const Segments segments = of;  // a store may alias it
  const CacheLevel into = a.prefetch.into;
  update_row(
      formula, Decayed(a), GradientOfSegment{segments, s, into}, Nothing{}, WeightRow<F32Format>{w},
      {}, [=](std::int64_t c) __attribute__((always_inline)) { prefetch_column(later, c, into); });
}

/// Rows of any width and stride.
template <class Formula>
[[gnu::noinline]] inline void update_strided_rows(const typename Formula::Args& args) {
  const UpdateArgs& a = args.update;
  const Formula formula(args);
  const Decayed decay(a);
  const bool l2 = a.decay == WeightDecay::l2;
  const std::int64_t dim = a.gradients.dim;
  const CacheLevel into = a.prefetch.into;
  const Segments segments(a.segments, a.gradients, a.prefetch.ahead);
  const PlainWeights<F32Format, 0> weights(a);
  const bool sums_in_registers =
      Formula::kStates == 0 && !Formula::kUsesMeanSquare && !l2 && segments.coefficients == nullptr;
  const std::int64_t block = a.gradients.block;
  float* const scratch = a.scratch;
  const float* const mean_squares = a.gradients.mean_squares;
  segments.prefetch_first(dim * std::int64_t{sizeof(float)}, into,
                          [&](std::int64_t r) { prefetch_row(formula, weights, r, dim, into); });
  for (std::int64_t s = 0; s < segments.count; ++s) {
    const std::int64_t row = segments.rows[s];
    float* const w = weights.row(row);
    const std::int64_t later_row = segments.later_row(s);
    const float* const later_w = weights.row(later_row);
    const std::int64_t position = segments.begin[s];
    const std::int64_t contributions = segments.begin[s + 1] - position;
    if constexpr (Formula::kStates == 0 && !Formula::kUsesMeanSquare) {
      if (sums_in_registers && contributions > 1 && contributions <= block) {
        update_from_sum(segments, a, s, formula, later_w, w);
        continue;
      }
    }
    GradientInMemory gradient{scratch, dim, Floats(1.0F)};
    const float* known = nullptr;
    const float* later = scratch;
    if (contributions == 1) {
      const std::int64_t p = segments.positions[position];
      gradient.data = segments.gradients.row(p);
      gradient.factor = Floats(segments.coefficient(position));
      if (mean_squares != nullptr) known = mean_squares + p;
      later = segments.later_gradient(segments.positions + position, gradient.data);
    } else {
      sum_segment(a.segments, a.gradients, a.prefetch, s, scratch);
    }
    if (l2) {
      add_decay(gradient, WeightRow<F32Format>{w}, a.decay_factor, scratch);
      gradient = {scratch, dim, Floats(1.0F)};
    }
    const auto later_states = state_rows(formula, later_row, dim);
    if constexpr (Formula::kUsesMeanSquare) {
      prefetch_line(reinterpret_cast<const char*>(formula.row_state + later_row), into);
    }
    update_row(
        formula, decay, gradient, row_scalars(formula, gradient, known, row), WeightRow<F32Format>{w},
        state_rows(formula, row, dim), [&](std::int64_t c) __attribute__((always_inline)) {
          prefetch_column(later, c, into);
          prefetch_column(later_w, c, into);
          unrolled<Formula::kStates>([&](std::int64_t i) __attribute__((always_inline)) {
            prefetch_column(later_states.row[i], c, into);
          });
        });
  }
}

/// Calls f(level), where level is a constant if kConstant.
template <bool kConstant, class F>
inline void with_level_of(CacheLevel level, F f) {
  if constexpr (kConstant) {
    with_level(level, [&]<CacheLevel kInto>() { f(std::integral_constant<CacheLevel, kInto>{}); });
  } else {
    f(level);
  }
}

template <class Formula>
inline void update_rows(const typename Formula::Args& args) {
  // The widths that gain 5 %. Rows of 256 columns do where no state is as long. There a multiplication by 1 shows, too.
  constexpr std::int64_t kMaxColumns = Formula::kStates == 0 ? 256 : 128;
  const UpdateArgs& a = args.update;
  const std::int64_t width = are_packed(a.gradients, a.stride) ? a.gradients.dim : 0;
  with_width<kMaxColumns>(width, [&]<std::int64_t kVectors>() {
    if constexpr (kVectors == 0) {
      update_strided_rows<Formula>(args);
    } else {
      using Weights = PlainWeights<F32Format, kVectors * kLanes>;
      constexpr bool kByLevel = Formula::kIsCommon || kVectors * kLanes <= 32;
      const auto update = [&]<class Decay, bool kLevels>() {
        with_level_of<kLevels>(a.prefetch.into, [&](auto level) {
          update_packed_rows<Formula, Weights, Decay, kVectors, F32Format>(args, level);
        });
      };
      if constexpr (Formula::kStates > 0) {
        update.template operator()<Decayed, kByLevel>();
      } else if (a.decay == WeightDecay::none) {
        update.template operator()<Undecayed, kByLevel>();
      } else {
        update.template operator()<Decayed, false>();
      }
    }
  });
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
