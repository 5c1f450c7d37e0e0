// SPDX-License-Identifier: Apache-2.0
// The loop of update_rows.hpp for weights, states and gradients of any format, which are known at run time only: each
// row is read as floats, updated as float32 is, and rounded. Included by formulas/*.isa.cpp only.
#pragma once

#include "kernels/optimizer/stored_rows.hpp"
#include "kernels/optimizer/update_rows.hpp"

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
      add_decay<F32Format>(gradient, w, a.decay_factor, scratch);
      gradient = {scratch, dim, Floats(1.0F)};
    }
    StateRows<Formula::kStates> states{};
    unrolled<Formula::kStates>(
        [&](std::int64_t i) { states.row[i] = open_row(storage.states[i], row, dim, scratch + (2 + i) * dim); });
    update_row<F32Format>(formula, decay, gradient, row_scalars(formula, gradient, known, row), w, states,
                          [](std::int64_t) {});
    unrolled<Formula::kStates>([&](std::int64_t i) { close_row(storage.states[i], storage, row, dim, states.row[i]); });
    close_row(storage.weights, storage, row, dim, w);
  }
}

/// A gradient row of bf16 in memory, times a factor.
struct Bf16InMemory {
  const std::uint16_t* data;
  std::int64_t dim;
  Floats factor;

  template <class Body>
  [[gnu::always_inline]] void each_vector(Body body) const {
    for_each_vector(
        dim, [&](std::int64_t c, auto lanes)
                 __attribute__((always_inline)) { body(c, factor * Bf16Format::load(data + c, lanes), lanes); });
  }
};

/// The same for weights and gradients of bf16 in one pass, states of float and rounding to the nearest: rows are read
/// and written where they are.
template <class Formula>
[[gnu::noinline]] inline void update_bf16_rows(const typename Formula::Args& args) {
  const UpdateArgs& a = args.update;
  const Formula formula(args);
  const Decayed decay(a);
  const std::int64_t dim = a.gradients.dim;
  const std::int64_t row_bytes = dim * std::int64_t{sizeof(std::uint16_t)};
  const std::int64_t ahead = a.prefetch.ahead;
  const CacheLevel into = a.prefetch.into;
  auto* const weights = static_cast<std::uint16_t*>(a.weights);
  const std::int64_t* const rows = a.segments.rows;
  const std::int64_t* const begin = a.segments.begin;
  const std::int64_t* const positions = a.segments.positions;
  const std::int64_t count = a.segments.count;
  const std::int64_t stride = a.stride;
  const float* const coefficients = a.segments.coefficients;
  const auto* const gradients = static_cast<const std::uint16_t*>(a.gradients.passes[0].data);
  const std::int64_t gradient_stride = a.gradients.passes[0].stride;
  const auto prefetch_tables = [&](std::int64_t row) { prefetch_row(formula, weights + row * stride, row, dim, into); };
  const auto prefetch_gradient = [&](std::int64_t k) {
    if (k < begin[count]) prefetch(gradients + positions[k] * gradient_stride, row_bytes, into);
  };
  for (std::int64_t s = 0; s < ahead && s < count; ++s) prefetch_tables(rows[s]);
  for (std::int64_t k = begin[0]; k < begin[0] + ahead; ++k) prefetch_gradient(k);
  for (std::int64_t s = 0; s < count; ++s) {
    const std::int64_t row = rows[s];
    std::uint16_t* const w = weights + row * stride;
    const auto update = [&](const auto& gradient) __attribute__((always_inline)) {
      update_row<Bf16Format>(formula, decay, gradient, row_scalars(formula, gradient, nullptr, row), w,
                             state_rows(formula, row, dim), [](std::int64_t) {});
    };
    prefetch_tables(rows[s + ahead < count ? s + ahead : s]);
    const std::int64_t k = begin[s];
    if (begin[s + 1] - k == 1 && a.decay != WeightDecay::l2) {
      prefetch_gradient(k + ahead);
      const Floats factor(coefficients == nullptr ? 1.0F : coefficients[k]);
      update(Bf16InMemory{gradients + positions[k] * gradient_stride, dim, factor});
      continue;
    }
    for (std::int64_t later = k; later < begin[s + 1]; ++later) prefetch_gradient(later + ahead);
    sum_segment(a.segments, a.gradients, a.prefetch, s, a.scratch);
    const GradientInMemory gradient{a.scratch, dim, Floats(1.0F)};
    if (a.decay == WeightDecay::l2) add_decay<Bf16Format>(gradient, w, a.decay_factor, a.scratch);
    update(gradient);
  }
}

/// Of any format, with loops of their own for what is common: rows of bf16 whose gradients are bf16 too. Packed ones of
/// usual widths without states are updated from registers.
template <class Formula>
inline void update_any(const typename Formula::Args& args) {
  const UpdateArgs& a = args.update;
  const StoredTable& weights = a.storage->weights;
  const GradientPass& gradients = a.gradients.passes[0];
  bool is_bf16 = weights.format == Format::bf16 && weights.low == nullptr && a.storage->rounding == Rounding::nearest &&
                 a.gradients.any_format && a.gradients.pass_count == 1 && gradients.format == Format::bf16;
  for (std::int64_t i = 0; i < Formula::kStates; ++i) is_bf16 = is_bf16 && a.storage->states[i].format == Format::f32;
  if (!is_bf16) return update_any_rows<Formula>(args);
  constexpr std::int64_t kMaxColumns = Formula::kStates == 0 ? 128 : 0;
  const bool packed =
      a.decay == WeightDecay::none && gradients.stride == a.gradients.dim && a.stride == a.gradients.dim;
  with_width<kMaxColumns>(packed ? a.gradients.dim : 0, [&]<std::int64_t kVectors>() {
    if constexpr (kVectors == 0) {
      update_bf16_rows<Formula>(args);
    } else {
      with_level(a.prefetch.into, [&]<CacheLevel kInto>() {
        update_packed_rows<Formula, Bf16Format, Undecayed, kVectors, kInto, Bf16Format>(args);
      });
    }
  });
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
