// SPDX-License-Identifier: Apache-2.0
// The formulas of the fused sparse optimizers, as include/rowmill/optimizer.hpp states them: each touched row and its
// states are updated at once.
#include "kernels/optimizer/rows.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

/// The first part of every formula: decay of the gradient or of the weight.
template <WeightDecay kDecay>
struct Decay {
  Floats factor;

  [[nodiscard]] Floats gradient(Floats g, Floats w) const {
    if constexpr (kDecay == WeightDecay::l2) return g + factor * w;
    return g;
  }
  [[nodiscard]] Floats weight(Floats w) const {
    if constexpr (kDecay == WeightDecay::decoupled) return w * factor;
    return w;
  }
};

/// Calls body(decay) with the decay that `a` asks for: a type, so that the loops hold no branch.
template <class Body>
inline void with_decay(const UpdateArgs& a, Body body) {
  const Floats factor(a.decay_factor);
  switch (a.decay) {
    case WeightDecay::none:
      return body(Decay<WeightDecay::none>{factor});
    case WeightDecay::l2:
      return body(Decay<WeightDecay::l2>{factor});
    case WeightDecay::decoupled:
      return body(Decay<WeightDecay::decoupled>{factor});
  }
}

/// The sum over columns of their squares: lane k of 16 adds columns k, k+16, ... in order; then the lanes combine as a
/// balanced tree. (A lane without a column adds +0, which changes no square.)
class SumOfSquares {
 public:
  SumOfSquares() {
    for (Floats& sum : sums_) sum = Floats(0.0F);
  }
  /// Vector v of a row, in order.
  [[gnu::always_inline]] void add(std::int64_t v, Floats x) { sums_[v % kVectors] += x * x; }
  [[gnu::always_inline]] float total() {
    for (std::int64_t width = kVectors / 2; width > 0; width /= 2) {
      for (std::int64_t i = 0; i < width; ++i) sums_[i] += sums_[i + width];
    }
    return tree_sum(sums_[0]);
  }

 private:
  static constexpr std::int64_t kVectors = 16 / kLanes;
  Floats sums_[kVectors];
};

/// The mean square of a row's gradient, decayed.
template <class Gradient, class RowDecay>
[[gnu::always_inline]] inline float mean_square(const Gradient& gradient, const float* w, RowDecay decay) {
  if (gradient.mean_square != nullptr) return *gradient.mean_square;
  SumOfSquares squares;
  gradient.each_vector([&](std::int64_t c, Floats g, auto load_from, auto) __attribute__((always_inline)) {
    squares.add(c / kLanes, decay.gradient(g, load_from(w + c)));
  });
  return squares.total() / static_cast<float>(gradient.dim);
}

template <CacheLevel kGradients>
inline void sum_block(const SumBlockArgs& a) {
  const std::int64_t row_bytes = a.dim * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t ahead = sum_distance(row_bytes);
  const Gradients gradients{a.passes, a.pass_count};
  for_each_group(a.dim, [&]<std::int64_t kVectors>(std::int64_t c, auto load_from, auto store_to) {
    const auto later = [&](std::int64_t k, const float* row) {
      return k + ahead < a.count ? gradients.row(a.positions[k + ahead]) : row;
    };
    Floats sum[kVectors];
    sum_rows<kGradients>(gradients, a.positions, a.count, c, load_from, later, sum);
    unrolled<kVectors>([&](std::int64_t v)
                           __attribute__((always_inline)) { store_to(a.out + c + v * kLanes, sum[v]); });
  });
}

}  // namespace

void sum_block_f32(const SumBlockArgs& a) {
  with_level(a.ask_into, [&]<CacheLevel kInto>() { sum_block<kInto>(a); });
}

void mean_squares_f32(const MeanSquaresArgs& args) {
  const MeanSquaresArgs a = args;  // a store may alias them
  const Gradients gradients{a.passes, a.pass_count};
  for (std::int64_t p = a.begin; p < a.end; ++p) {
    const GradientInMemory gradient{gradients.row(p), a.dim, nullptr};
    a.out[p] = mean_square(gradient, gradient.data, Decay<WeightDecay::none>{});
  }
}

void sgd_f32(const SgdArgs& a) {
  const std::int64_t dim = a.update.segments.dim;
  const Floats learning_rate(a.learning_rate);
  const Floats momentum(a.momentum);
  with_decay(a.update, [&](auto decay) {
    if (a.buffer == nullptr) {
      const auto update = [=](auto ask, const auto& gradient, float* w) __attribute__((always_inline)) {
        gradient.each_vector([&](std::int64_t c, Floats summed, auto load_from, auto store_to)
                                 __attribute__((always_inline)) {
                                   ask(c);
                                   const Floats old = load_from(w + c);
                                   const Floats g = decay.gradient(summed, old);
                                   store_to(w + c, decay.weight(old) - learning_rate * g);
                                 });
      };
      return for_each_row(a.update, update);
    }
    const auto with_momentum = [=](auto direction) {
      return [=](auto ask, const auto& gradient, float* w, float* buffer) __attribute__((always_inline)) {
        gradient.each_vector([&](std::int64_t c, Floats summed, auto load_from, auto store_to)
                                 __attribute__((always_inline)) {
                                   ask(c);
                                   const Floats old = load_from(w + c);
                                   const Floats g = decay.gradient(summed, old);
                                   const Floats b = momentum * load_from(buffer + c) + g;
                                   store_to(buffer + c, b);
                                   store_to(w + c, decay.weight(old) - learning_rate * direction(g, b));
                                 });
      };
    };
    const State buffer{a.buffer, dim};
    if (a.nesterov) {
      for_each_row(a.update, with_momentum([=](Floats g, Floats b) { return g + momentum * b; }), buffer);
    } else {
      for_each_row(a.update, with_momentum([](Floats, Floats b) { return b; }), buffer);
    }
  });
}

void adagrad_f32(const AdagradArgs& a) {
  const std::int64_t dim = a.update.segments.dim;
  const Floats learning_rate(a.learning_rate);
  const Floats epsilon(a.epsilon);
  with_decay(a.update, [&](auto decay) {
    const auto update = [=](auto ask, const auto& gradient, float* w, float* accumulator)
        __attribute__((always_inline)) {
      gradient.each_vector([&](std::int64_t c, Floats summed, auto load_from,
                               auto store_to) __attribute__((always_inline)) {
        ask(c);
        const Floats old = load_from(w + c);
        const Floats g = decay.gradient(summed, old);
        const Floats sum = load_from(accumulator + c) + g * g;
        store_to(accumulator + c, sum);
        store_to(w + c, decay.weight(old) - divide(learning_rate * g, square_root(sum) + epsilon));
      });
    };
    for_each_row(a.update, update, State{a.accumulator, dim});
  });
}

void row_wise_adagrad_f32(const AdagradArgs& a) {
  const float learning_rate = a.learning_rate;
  const float epsilon = a.epsilon;
  with_decay(a.update, [&](auto decay) {
    const auto update = [=](auto ask, const auto& gradient, float* w, float* accumulator)
        __attribute__((always_inline)) {
      const float sum = *accumulator + mean_square(gradient, w, decay);
      *accumulator = sum;
      const Floats rate(learning_rate / (__builtin_sqrtf(sum) + epsilon));
      gradient.each_vector([&](std::int64_t c, Floats g, auto load_from, auto store_to) __attribute__((always_inline)) {
        ask(c);
        const Floats old = load_from(w + c);
        store_to(w + c, decay.weight(old) - rate * decay.gradient(g, old));
      });
    };
    for_each_row(a.update, update, RowState{a.accumulator});
  });
}

void adam_f32(const AdamArgs& a) {
  const std::int64_t dim = a.update.segments.dim;
  const Floats beta1(a.scalars.beta1);
  const Floats one_minus_beta1(a.scalars.one_minus_beta1);
  const Floats beta2(a.scalars.beta2);
  const Floats one_minus_beta2(a.scalars.one_minus_beta2);
  const Floats step_size(a.scalars.step_size);
  const Floats inverse_sqrt_bc2(a.scalars.inverse_sqrt_bc2);
  const Floats epsilon(a.scalars.epsilon);
  with_decay(a.update, [&](auto decay) {
    const auto update = [=](auto ask, const auto& gradient, float* w, float* m, float* v)
        __attribute__((always_inline)) {
      gradient.each_vector([&](std::int64_t c, Floats summed, auto load_from,
                               auto store_to) __attribute__((always_inline)) {
        ask(c);
        const Floats old = load_from(w + c);
        const Floats g = decay.gradient(summed, old);
        const Floats new_m = beta1 * load_from(m + c) + one_minus_beta1 * g;
        const Floats new_v = beta2 * load_from(v + c) + one_minus_beta2 * (g * g);
        store_to(m + c, new_m);
        store_to(v + c, new_v);
        store_to(w + c, decay.weight(old) - divide(step_size * new_m, square_root(new_v) * inverse_sqrt_bc2 + epsilon));
      });
    };
    for_each_row(a.update, update, State{a.m, dim}, State{a.v, dim});
  });
}

void partial_row_wise_adam_f32(const AdamArgs& a) {
  const std::int64_t dim = a.update.segments.dim;
  const AdamScalars scalars = a.scalars;
  const Floats beta1(scalars.beta1);
  const Floats one_minus_beta1(scalars.one_minus_beta1);
  with_decay(a.update, [&](auto decay) {
    const auto update = [=](auto ask, const auto& gradient, float* w, float* m, float* v)
        __attribute__((always_inline)) {
      const float new_v = scalars.beta2 * *v + scalars.one_minus_beta2 * mean_square(gradient, w, decay);
      *v = new_v;
      const Floats rate(scalars.step_size / (__builtin_sqrtf(new_v) * scalars.inverse_sqrt_bc2 + scalars.epsilon));
      gradient.each_vector([&](std::int64_t c, Floats summed, auto load_from, auto store_to)
                               __attribute__((always_inline)) {
                                 ask(c);
                                 const Floats old = load_from(w + c);
                                 const Floats g = decay.gradient(summed, old);
                                 const Floats new_m = beta1 * load_from(m + c) + one_minus_beta1 * g;
                                 store_to(m + c, new_m);
                                 store_to(w + c, decay.weight(old) - rate * new_m);
                               });
    };
    for_each_row(a.update, update, State{a.m, dim}, RowState{a.v});
  });
}

}  // namespace rowmill::ROWMILL_ISA
