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
  segments.prefetch_first(dim * std::int64_t{sizeof(float)}, a.prefetch.into, prefetch_tables);
  for (std::int64_t s = 0; s < segments.count; ++s) {
    const std::int64_t row = segments.rows[s];
    prefetch_tables(segments.later_row(s));
    const std::int64_t position = segments.begin[s];
    GradientInMemory gradient{scratch, dim, Floats(1.0F)};
    const float* known = nullptr;
    if (segments.begin[s + 1] - position == 1) {
      const std::int64_t* const p = segments.positions + position;
      gradient.data = segments.gradients.row(*p);
      gradient.factor = Floats(segments.coefficient(position));
      if (a.gradients.mean_squares != nullptr) known = a.gradients.mean_squares + *p;
      prefetch(segments.later_gradient(p, gradient.data), dim * std::int64_t{sizeof(float)}, a.prefetch.into);
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

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
