// SPDX-License-Identifier: Apache-2.0
// The loop of update_rows.hpp for weights, states and gradients of any format. Included by formulas/*.isa.cpp only.
//
// What is common goes from memory into registers and back: weights of float32, bf16, stochastic bf16 or split, with
// states of float32 and gradients of any format. What is rare, float16 weights and bf16 states, is made floats in
// memory first, updated as float32 is, and rounded.
#pragma once

#include "kernels/optimizer/stored_rows.hpp"
#include "kernels/optimizer/update_rows.hpp"
#include "kernels/simd/stochastic.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

/// Prefetches a row of a stored table.
inline void prefetch_row(const StoredTable& table, std::int64_t row, std::int64_t dim, CacheLevel into) {
  const std::int64_t size = table.format == Format::f32 ? 4 : 2;
  prefetch(static_cast<const char*>(table.data) + row * table.stride * size, dim * size, into);
  if (table.low != nullptr) prefetch(static_cast<const std::uint16_t*>(table.low) + row * dim, dim * size, into);
}

template <class Formula>
inline void update_any_rows(const typename Formula::Args& args) {
  const UpdateArgs& a = args.update;
  const StorageArgs& storage = *a.storage;
  const Formula formula(args);
  const Decayed decay(a);
  const std::int64_t dim = a.gradients.dim;
  const Segments segments(a.segments, a.gradients, a.prefetch.ahead);
  float* const scratch = a.scratch;
  const auto prefetch_tables = [&](std::int64_t row) {
    prefetch_row(storage.weights, row, dim, a.prefetch.into);
    unrolled<Formula::kStates>([&](std::int64_t i) { prefetch_row(storage.states[i], row, dim, a.prefetch.into); });
    if constexpr (Formula::kUsesMeanSquare) {
      prefetch_line(reinterpret_cast<const char*>(formula.row_state + row), a.prefetch.into);
    }
  };
  const AnyGradients gradients(a.gradients);
  const auto prefetch_gradient = [&](const std::int64_t* p) {
    if (!a.gradients.prefetched || p >= segments.positions + segments.end) return;
    const AnyRow later = gradients.row(*p);
    prefetch(later.data, dim * (later.format == Format::f32 ? 4 : 2), a.prefetch.into);
  };
  for (std::int64_t s = 0; s < segments.ahead && s < segments.count; ++s) {
    prefetch_tables(segments.rows[s]);
    prefetch_gradient(segments.positions + segments.begin[s]);
  }
  for (std::int64_t s = 0; s < segments.count; ++s) {
    const std::int64_t row = segments.rows[s];
    prefetch_tables(segments.later_row(s));
    const std::int64_t position = segments.begin[s];
    GradientInMemory gradient{scratch, dim, Floats(1.0F)};
    const float* known = nullptr;
    prefetch_gradient(segments.positions + position + segments.ahead);
    if (segments.begin[s + 1] - position == 1) {
      const std::int64_t p = segments.positions[position];
      const AnyRow only = gradients.row(p);
      gradient.data = as_floats(only.data, only.format, dim, scratch);
      gradient.factor = Floats(segments.coefficient(position));
      if (a.gradients.mean_squares != nullptr) known = a.gradients.mean_squares + p;
    } else {
      sum_segment(a.segments, a.gradients, a.prefetch, s, scratch);
    }
    float* const w = open_row(storage.weights, row, dim, scratch + dim);
    if (a.decay == WeightDecay::l2) {
      add_decay(gradient, WeightRow<F32Format>{w}, a.decay_factor, scratch);
      gradient = {scratch, dim, Floats(1.0F)};
    }
    StateRows<Formula::kStates> states{};
    unrolled<Formula::kStates>(
        [&](std::int64_t i) { states.row[i] = open_row(storage.states[i], row, dim, scratch + (2 + i) * dim); });
    update_row(formula, decay, gradient, row_scalars(formula, gradient, known, row), WeightRow<F32Format>{w}, states,
               [](std::int64_t) {});
    unrolled<Formula::kStates>([&](std::int64_t i) { close_row(storage.states[i], storage, row, dim, states.row[i]); });
    close_row(storage.weights, storage, row, dim, w);
  }
}

/// A gradient row of any format in memory, times a factor.
struct AnyGradientInMemory {
  AnyRow row;
  std::int64_t dim;
  Floats factor;

  template <class Body>
  [[gnu::always_inline]] void each_vector(Body body) const {
    for_each_vector(
        dim, [&](std::int64_t c, auto lanes)
                 __attribute__((always_inline)) { body(c, factor * row.load(c, lanes), lanes); });
  }
  template <class Body>
  [[gnu::always_inline]] void each_group(Body body) const {
    for_each_group<2>(
        dim, [&]<std::int64_t n>(std::int64_t c, auto lanes) __attribute__((always_inline)) {
          Floats g[n];
          row.load(c, g, lanes);
          unrolled<n>([&](std::int64_t v) __attribute__((always_inline)) { g[v] = factor * g[v]; });
          body(c, g, lanes);
        });
  }
};

template <std::int64_t kColumns>
using F32Weights = PlainWeights<F32Format, kColumns>;
template <std::int64_t kColumns>
using Bf16Weights = PlainWeights<Bf16Format, kColumns>;
template <std::int64_t kColumns>
using Bf16PairsWeights = PlainWeights<Bf16PairsFormat, kColumns>;

/// Those of bf16, rounded by chance, in rows of kColumns that are packed, or, if it is 0, with a stride.
template <std::int64_t kColumns>
struct StochasticWeights {
  const StorageArgs& storage;
  const PhiloxKeys keys;
  std::uint16_t* data;
  std::int64_t stride;
  RandomBlock near;     // of rows that have one
  RandomBlock* blocks;  // the random words of the row at hand and of the next ones

  explicit StochasticWeights(const UpdateArgs& a)
      : storage(*a.storage),
        keys(philox_keys(storage.weights.key)),
        data(static_cast<std::uint16_t*>(a.weights)),
        stride(a.stride),
        blocks(a.gradients.dim <= kRandomColumns ? &near
                                                 : reinterpret_cast<RandomBlock*>(a.scratch + a.gradients.dim)) {}

  struct Row {
    std::uint16_t* p;
    const std::uint32_t* words;

    template <std::int64_t n, class Lanes>
    [[gnu::always_inline]] void load(std::int64_t c, Floats (&v)[n], Lanes lanes) const {
      load_vectors<Bf16Format>(p + c, v, lanes);
    }
    template <std::int64_t n, class Lanes>
    [[gnu::always_inline]] void store(std::int64_t c, const Floats (&v)[n], Lanes lanes) const {
      Words rounded[n];
      unrolled<n>([&](std::int64_t i) __attribute__((always_inline)) {
        rounded[i] = round_to_bf16(v[i], random_bits(words, c + i * kLanes));
      });
      store_upper_halves(p + c, rounded, lanes);
    }
  };
  [[nodiscard]] [[gnu::always_inline]] std::uint16_t* row(std::int64_t r) const {
    return data + r * (kColumns > 0 ? kColumns : stride);
  }
  [[nodiscard]] [[gnu::always_inline]] Row next(const std::int64_t* rows, std::int64_t s, std::int64_t count,
                                                std::int64_t dim) {
    const std::int64_t place = s % kRandomRows;
    if (place == 0) {
      std::int64_t together[kRandomRows];
      for (int i = 0; i < kRandomRows; ++i) together[i] = rows[s + i < count ? s + i : s];
      fill_random_blocks(keys, storage, together, dim, blocks);
    }
    return {row(rows[s]), blocks->words[place][0]};
  }
  template <CacheLevel kInto>
  [[gnu::always_inline]] void prefetch_row(std::int64_t r, std::int64_t dim) const {
    prefetch<kInto>(row(r), dim * std::int64_t{sizeof *data});
  }
  template <CacheLevel kInto>
  [[gnu::always_inline]] void prefetch_column(std::int64_t r, std::int64_t c) const {
    ROWMILL_ISA::prefetch_column(row(r), c, kInto);
  }
};

/// The floats of a split table.
template <std::int64_t kColumns>
struct SplitWeights {
  std::uint16_t* upper;
  std::int64_t stride;
  std::uint16_t* low;

  explicit SplitWeights(const UpdateArgs& a)
      : upper(static_cast<std::uint16_t*>(a.weights)),
        stride(a.stride),
        low(static_cast<std::uint16_t*>(a.storage->weights.low)) {}

  struct Row {
    std::uint16_t* upper;
    std::uint16_t* low;

    template <std::int64_t n, class Lanes>
    [[gnu::always_inline]] void load(std::int64_t c, Floats (&v)[n], Lanes lanes) const {
      load_split(upper + c, low + c, v, lanes);
    }
    template <std::int64_t n, class Lanes>
    [[gnu::always_inline]] void store(std::int64_t c, const Floats (&v)[n], Lanes lanes) const {
      store_split(upper + c, low + c, v, lanes);
    }
  };
  [[nodiscard]] [[gnu::always_inline]] Row next(const std::int64_t* rows, std::int64_t s, std::int64_t,
                                                std::int64_t dim) const {
    return {upper + rows[s] * stride, low + rows[s] * dim};
  }
  template <CacheLevel kInto>
  [[gnu::always_inline]] void prefetch_row(std::int64_t r, std::int64_t dim) const {
    prefetch<kInto>(upper + r * stride, dim * std::int64_t{sizeof *upper});
    prefetch<kInto>(low + r * dim, dim * std::int64_t{sizeof *low});
  }
  template <CacheLevel kInto>
  [[gnu::always_inline]] void prefetch_column(std::int64_t r, std::int64_t c) const {
    ROWMILL_ISA::prefetch_column(upper + r * stride, c, kInto);
    ROWMILL_ISA::prefetch_column(low + r * kColumns, c, kInto);
  }
};

/// The same for what is common, with states of float: each vector of a row is read from where it is, updated and
/// rounded in registers.
template <class Formula, class Weights>
[[gnu::noinline]] inline void update_in_registers(const typename Formula::Args& args) {
  const UpdateArgs& a = args.update;
  const Formula formula = formula_of<Formula>(args);
  const Decayed decay(a);
  Weights weights(a);
  const AnyGradients gradients(a.gradients);
  const std::int64_t dim = a.gradients.dim;
  const std::int64_t ahead = a.prefetch.ahead;
  const CacheLevel into = a.prefetch.into;
  const std::int64_t* const rows = a.segments.rows;
  const std::int64_t* const begin = a.segments.begin;
  const std::int64_t* const positions = a.segments.positions;
  const std::int64_t count = a.segments.count;
  const float* const coefficients = a.segments.coefficients;
  const float* const mean_squares = a.gradients.mean_squares;
  float* const scratch = a.scratch;
  const bool l2 = a.decay == WeightDecay::l2;
  // What is needed for segment s: a few of its contributions, if it has many.
  const auto prefetch_segment = [&](std::int64_t s) __attribute__((always_inline)) {
    with_level(
        into, [&]<CacheLevel kInto>() __attribute__((always_inline)) {
          weights.template prefetch_row<kInto>(rows[s], dim);
          prefetch_states<kInto>(formula, rows[s], dim);
        });
    if (!a.gradients.prefetched) return;
    constexpr std::int64_t kMaxContributions = 8;
    for (std::int64_t k = begin[s]; k < begin[s + 1] && k < begin[s] + kMaxContributions; ++k) {
      const AnyRow later = gradients.row(positions[k]);
      prefetch(later.data, dim * (later.format == Format::f32 ? 4 : 2), into);
    }
  };
  for (std::int64_t s = -ahead; s < count; ++s) {
    if (s + ahead < count) prefetch_segment(s + ahead);
    if (s < 0) continue;
    const std::int64_t row = rows[s];
    const std::int64_t k = begin[s];
    const std::int64_t contributions = begin[s + 1] - k;
    AnyRow from{scratch, Format::f32};
    float factor = 1;
    const float* known = nullptr;
    if (contributions == 1) [[likely]] {
      const std::int64_t p = positions[k];
      from = gradients.row(p);
      if (coefficients != nullptr) factor = coefficients[k];
      if (mean_squares != nullptr) known = mean_squares + p;
    } else {
      sum_segment(a.segments, a.gradients, a.prefetch, s, scratch);
    }
    AnyGradientInMemory gradient{from, dim, Floats(factor)};
    const auto w = weights.next(rows, s, count, dim);
    if (l2) {
      add_decay(gradient, w, a.decay_factor, scratch);
      gradient = {{scratch, Format::f32}, dim, Floats(1.0F)};
    }
    update_row(formula, decay, gradient, row_scalars(formula, gradient, known, row), w, state_rows(formula, row, dim),
               [](std::int64_t) {});
  }
}

/// The same, but packed rows without decay whose gradients are all stored as `Of` have a loop for each fixed width from
/// kMinColumns to kMaxColumns: those that gain 5 %.
template <class Formula, template <std::int64_t> class Weights, class Of, std::int64_t kMinColumns,
          std::int64_t kMaxColumns>
inline void update_of_format(const typename Formula::Args& args) {
  const UpdateArgs& a = args.update;
  const bool packed = are_packed(a.gradients, a.stride) && a.decay == WeightDecay::none;
  with_width<kMaxColumns>(packed ? a.gradients.dim : 0, [&]<std::int64_t kVectors>() {
    if constexpr (kVectors * kLanes < kMinColumns) {
      update_in_registers<Formula, Weights<0>>(args);
    } else {
      with_level(a.prefetch.into, [&]<CacheLevel kInto>() {
        if constexpr (kMinColumns > 16 && kInto == CacheLevel::first) {  // what is near is not so common
          update_in_registers<Formula, Weights<0>>(args);
        } else {
          constexpr std::int64_t kColumns = kVectors * kLanes;
          if constexpr (Formula::kStates == 0 && std::is_same_v<Of, Bf16Format> &&
                        std::is_same_v<Weights<kColumns>, Bf16Weights<kColumns>>) {
            update_packed_rows<Formula, Bf16PairsWeights<kColumns>, Undecayed, kVectors, kInto, Bf16PairsFormat>(args);
          } else {
            update_packed_rows<Formula, Weights<kColumns>, Undecayed, kVectors, kInto, Of>(args);
          }
        }
      });
    }
  });
}

/// Weights of bf16, gradients of float32.
template <class Formula>
inline void update_bf16(const typename Formula::Args& args) {
  constexpr std::int64_t kMaxColumns = Formula::kStates == 0 ? 64 : 0;
  update_of_format<Formula, Bf16Weights, F32Format, 16, kMaxColumns>(args);
}

/// Of any format, with loops of their own for what is common.
template <class Formula>
inline void update_any(const typename Formula::Args& args) {
  const UpdateArgs& a = args.update;
  const StorageArgs& storage = *a.storage;
  const Format format = storage.weights.format;
  bool in_registers = format != Format::f16;
  for (std::int64_t i = 0; i < Formula::kStates; ++i) {
    in_registers = in_registers && storage.states[i].format == Format::f32;
  }
  if (!in_registers) return update_any_rows<Formula>(args);
  const bool split = storage.weights.low != nullptr;
  const bool stochastic = format == Format::bf16 && !split && storage.rounding == Rounding::stochastic;
  if (a.gradients.any_format && a.gradients.passes[0].format == Format::bf16) {
    constexpr std::int64_t kMinColumns = Formula::kStates == 0 ? 16 : 64;
    if (format == Format::f32) return update_of_format<Formula, F32Weights, Bf16Format, 64, 128>(args);
    if (split) return update_of_format<Formula, SplitWeights, Bf16Format, 64, 128>(args);
    if (stochastic) return update_of_format<Formula, StochasticWeights, Bf16Format, 64, 128>(args);
    return update_of_format<Formula, Bf16Weights, Bf16Format, kMinColumns, 128>(args);
  }
  if (format == Format::f32) return update_in_registers<Formula, F32Weights<0>>(args);
  if (split) return update_in_registers<Formula, SplitWeights<0>>(args);
  if (stochastic) return update_in_registers<Formula, StochasticWeights<0>>(args);
  update_in_registers<Formula, Bf16Weights<0>>(args);
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
