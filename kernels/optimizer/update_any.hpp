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

/// How weights are stored of which no more is said: bf16, rounded to nearest.
inline constexpr StorageArgs kPlainBf16{.weights = {.format = Format::bf16}};

/// Weights of float32, bf16, rounded to nearest or by chance, or a split table, known at run time.
struct AnyWeights {
  const StorageArgs& storage;
  Format format;
  bool stochastic;
  char* data;
  std::int64_t row_bytes;
  std::uint16_t* low;  // of a split table
  std::int64_t dim;
  const PhiloxKeys keys;
  RandomBlock near;     // of rows that have one
  RandomBlock* blocks;  // the random words of the row at hand and of the next ones

  explicit AnyWeights(const UpdateArgs& a)
      : storage(a.storage == nullptr ? kPlainBf16 : *a.storage),
        format(storage.weights.format),
        stochastic(format == Format::bf16 && storage.weights.low == nullptr &&
                   storage.rounding == Rounding::stochastic),
        data(static_cast<char*>(a.weights)),
        row_bytes(a.stride * (format == Format::f32 ? 4 : 2)),
        low(static_cast<std::uint16_t*>(storage.weights.low)),
        dim(a.gradients.dim),
        keys(philox_keys(storage.weights.key)),
        blocks(dim <= kRandomColumns ? &near : reinterpret_cast<RandomBlock*>(a.scratch + dim)) {}

  [[nodiscard]] bool are_plain_bf16() const { return format == Format::bf16 && low == nullptr && !stochastic; }

  struct Row {
    Format format;
    void* p;
    std::uint16_t* low;
    const std::uint32_t* words;  // if it is rounded by chance

    template <std::int64_t n, class Lanes>
    [[gnu::always_inline]] void load(std::int64_t c, Floats (&v)[n], Lanes lanes) const {
      if (format == Format::f32) return load_vectors<F32Format>(element<F32Format>(p, c), v, lanes);
      std::uint16_t* const halves = element<Bf16Format>(p, c);
      if (low != nullptr) return load_split(halves, low + c, v, lanes);
      load_vectors<Bf16Format>(halves, v, lanes);
    }
    template <std::int64_t n, class Lanes>
    [[gnu::always_inline]] void store(std::int64_t c, const Floats (&v)[n], Lanes lanes) const {
      if (format == Format::f32) return store_vectors<F32Format>(element<F32Format>(p, c), v, lanes);
      std::uint16_t* const halves = element<Bf16Format>(p, c);
      if (low != nullptr) return store_split(halves, low + c, v, lanes);
      if (words == nullptr) return store_vectors<Bf16Format>(halves, v, lanes);
      Words rounded[n];
      unrolled<n>([&](std::int64_t i) __attribute__((always_inline)) {
        rounded[i] = round_to_bf16(v[i], random_bits(words, c + i * kLanes));
      });
      store_upper_halves(halves, rounded, lanes);
    }
  };
  [[nodiscard]] [[gnu::always_inline]] char* row(std::int64_t r) const { return data + r * row_bytes; }
  [[nodiscard]] [[gnu::always_inline]] Row next(const std::int64_t* rows, std::int64_t s, std::int64_t count,
                                                std::int64_t) {
    const std::int64_t place = s % kRandomRows;
    if (stochastic && place == 0) {
      std::int64_t together[kRandomRows];
      for (int i = 0; i < kRandomRows; ++i) together[i] = rows[s + i < count ? s + i : s];
      fill_random_blocks(keys, storage, together, dim, blocks);
    }
    return {format, row(rows[s]), low == nullptr ? nullptr : low + rows[s] * dim,
            stochastic ? blocks->words[place][0] : nullptr};
  }
  [[gnu::always_inline]] void prefetch_row(std::int64_t r, std::int64_t, CacheLevel into) const {
    prefetch(row(r), dim * (format == Format::f32 ? 4 : 2), into);
    if (low != nullptr) prefetch(low + r * dim, dim * 2, into);
  }
  [[gnu::always_inline]] void prefetch_column(std::int64_t r, std::int64_t c, CacheLevel into) const {
    if (format == Format::f32) {
      ROWMILL_ISA::prefetch_column(reinterpret_cast<const float*>(row(r)), c, into);
    } else {
      ROWMILL_ISA::prefetch_column(reinterpret_cast<const std::uint16_t*>(row(r)), c, into);
      if (low != nullptr) ROWMILL_ISA::prefetch_column(low + r * dim, c, into);
    }
  }
};

/// The same for what is common, with states of float: each vector of a row is read from where it is, updated and
/// rounded in registers.
template <class Formula>
[[gnu::noinline]] inline void update_in_registers(const typename Formula::Args& args) {
  const UpdateArgs& a = args.update;
  const Formula formula = formula_of<Formula>(args);
  const Decayed decay(a);
  AnyWeights weights(a);
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
    prefetch_row(formula, weights, rows[s], dim, into);
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

/// Calls update.operator()<kVectors>() if a step without decay has packed rows of a fixed width, from kMinColumns to
/// kMaxColumns; else takes the loop for any width.
template <class Formula, std::int64_t kMinColumns, std::int64_t kMaxColumns, class Update>
inline void with_fixed_width(const typename Formula::Args& args, Update update) {
  const UpdateArgs& a = args.update;
  const bool packed = are_packed(a.gradients, a.stride) && a.decay == WeightDecay::none;
  with_width<kMaxColumns>(packed ? a.gradients.dim : 0, [&]<std::int64_t kVectors>() {
    if constexpr (kVectors * kLanes < kMinColumns) {
      update_in_registers<Formula>(args);
    } else {
      update.template operator()<kVectors>();
    }
  });
}

/// Weights of bf16 with gradients of the same or, where Of is F32Format, of float32, in all widths that gain 5 %.
template <class Formula, class Of, std::int64_t kMaxColumns>
inline void update_bf16_rows(const typename Formula::Args& args) {
  with_fixed_width<Formula, 16, kMaxColumns>(args, [&]<std::int64_t kVectors>() {
    with_level_of<true>(args.update.prefetch.into, [&](auto level) {
      using Weights =
          PlainWeights<std::conditional_t<std::is_same_v<Of, F32Format>, Bf16Format, Of>, kVectors * kLanes>;
      update_packed_rows<Formula, Weights, Undecayed, kVectors, Of>(args, level);
    });
  });
}

/// Weights of bf16, gradients of float32.
template <class Formula>
inline void update_bf16(const typename Formula::Args& args) {
  update_bf16_rows<Formula, F32Format, Formula::kStates == 0 ? 128 : 0>(args);
}

/// Of any format, with loops of their own for what is common.
template <class Formula>
inline void update_any(const typename Formula::Args& args) {
  const UpdateArgs& a = args.update;
  const StorageArgs& storage = *a.storage;
  bool in_registers = storage.weights.format != Format::f16;
  for (std::int64_t i = 0; i < Formula::kStates; ++i) {
    in_registers = in_registers && storage.states[i].format == Format::f32;
  }
  if (!in_registers) return update_any_rows<Formula>(args);
  if (!a.gradients.any_format || a.gradients.passes[0].format != Format::bf16) {
    return update_in_registers<Formula>(args);
  }
  if constexpr (Formula::kStates == 0) {
    const AnyWeights weights(a);
    if (weights.are_plain_bf16()) return update_bf16_rows<Formula, Bf16PairsFormat, 128>(args);
    if (weights.format == Format::f32) {
      return with_fixed_width<Formula, 64, 128>(args, [&]<std::int64_t kVectors>() {
        using Weights = PlainWeights<F32Format, kVectors * kLanes>;
        update_packed_rows<Formula, Weights, Undecayed, kVectors, Bf16Format>(args, a.prefetch.into);
      });
    }
  }
  with_fixed_width<Formula, 64, 128>(args, [&]<std::int64_t kVectors>() {
    update_packed_rows<Formula, AnyWeights, Undecayed, kVectors, Bf16Format>(args, a.prefetch.into);
  });
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
