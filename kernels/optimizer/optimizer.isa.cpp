// SPDX-License-Identifier: Apache-2.0
// The fused sparse optimizers: each row's gradient is summed, then applied to the row and its state at once. The
// formulas stand in include/rowmill/optimizer.hpp.
#include "kernels/plan/segments.hpp"

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

/// A state table with a value for each weight.
struct State {
  float* data;
  std::int64_t dim;

  [[nodiscard]] float* row(std::int64_t r) const { return data + r * dim; }
  template <CacheLevel kInto>
  static void ask(const float* row, std::int64_t c) {
    prefetch_column<kInto>(row, c);
  }
  template <CacheLevel kInto>
  void ask_row(std::int64_t r) const {
    prefetch<kInto>(row(r), dim * std::int64_t{sizeof(float)});
  }
};

/// A state table with a value for each row.
struct RowState {
  float* data;

  [[nodiscard]] float* row(std::int64_t r) const { return data + r; }
  template <CacheLevel kInto>
  static void ask(const float* value, std::int64_t c) {
    if (c == 0) prefetch_column<kInto>(value, c);
  }
  template <CacheLevel kInto>
  void ask_row(std::int64_t r) const {
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

// What may update a row of several contributions, but no more than a block, without writing their sum down first:
// operator()<into, gradients into>(segments, s, w, later, row of each state...) tells whether it did; `later` is the
// row of the table to ask for. What that is worth: docs/choices.md, Memory.

/// Never does.
struct SumFirst {
  template <CacheLevel kInto, CacheLevel kGradients, class... StateRows>
  bool operator()(const Segments&, std::int64_t, float*, const float*, StateRows...) const {
    return false;
  }
};

/// Always does: each vector of the sum goes from the registers into update_vector(w, sum, load, store).
template <class UpdateVector>
struct VectorBySum {
  UpdateVector update_vector;

  template <CacheLevel kInto, CacheLevel kGradients>
  [[gnu::noinline]] bool operator()(const Segments& of, std::int64_t s, float* w, const float* later) const {
    const Segments segments = of;  // a store may alias it, and *this
    const UpdateVector update = update_vector;
    for_each_group(
        segments.dim, [&]<std::int64_t kVectors>(std::int64_t c, auto load_from, auto store_to)
                          __attribute__((always_inline)) {
                            Floats sum[kVectors];
                            sum_of_segment<kGradients>(segments, s, c, load_from, sum);
                            unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) {
                              prefetch_column<kInto>(later + c, v * kLanes);
                              update(w + c + v * kLanes, sum[v], load_from, store_to);
                            });
                          });
    return true;
  }
};

/// A row's gradient, and its mean square where that is known.
struct RowGradient {
  const float* data;
  const float* mean_square;
};

/// Calls update(ask, w, gradient, row of each state...) for each touched row. It is to call ask(c) once for each of the
/// columns c at which its vectors begin: that asks for what a long row will need between the loads of another, which so
/// many prefetches in a row would keep waiting. For short rows, which are asked for at once, it does nothing.
/// Rows of several contributions, but no more than a block, go to `by_sum` first: see SumFirst.
/// One function, with everything inlined but for rows of several contributions: see docs/choices.md, Memory.
template <CacheLevel kInto, CacheLevel kGradients, class BySum, class Update, class... States>
[[gnu::noinline]] inline void for_each_row_asking(const UpdateArgs& a, BySum by_sum, Update update, States... states) {
  const std::int64_t row_bytes = a.segments.dim * static_cast<std::int64_t>(sizeof(float));
  const Segments segments(a.segments);
  float* const weights = a.weights;
  const std::int64_t stride = a.stride;
  float* const scratch = a.segments.scratch;
  const float* const mean_squares = a.segments.mean_squares;
  const auto ask_row = [=](std::int64_t row) __attribute__((always_inline)) {
    prefetch<kInto>(weights + row * stride, row_bytes);
    (states.template ask_row<kInto>(row), ...);
  };
  const bool long_rows = row_bytes >= kLongRowBytes;
  segments.ask_first<kGradients>(row_bytes, ask_row);
  for (std::int64_t s = 0; s < segments.count; ++s) {
    const std::int64_t row = segments.rows[s];
    const std::int64_t later_row = segments.later_row(s);
    const std::int64_t position = segments.begin[s];
    const std::int64_t contributions = segments.begin[s + 1] - position;
    if (contributions > 1 && contributions <= a.segments.block &&
        by_sum.template operator()<kInto, kGradients>(segments, s, weights + row * stride, weights + later_row * stride,
                                                      states.row(row)...)) {
      continue;
    }
    RowGradient gradient{scratch, nullptr};
    const float* later = scratch;
    if (contributions == 1) {
      const std::int64_t p = segments.positions[position];
      gradient = {segments.gradients.row(p), mean_squares == nullptr ? nullptr : mean_squares + p};
      later = segments.later_gradient(position, gradient.data);
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
      update(ask, weights + row * stride, gradient, states.row(row)...);
    } else {
      ask_row(later_row);
      if (later != gradient.data) prefetch<kGradients>(later, row_bytes);
      update([](std::int64_t) __attribute__((always_inline)){}, weights + row * stride, gradient, states.row(row)...);
    }
  }
}

template <class BySum, class Update, class... States>
inline void for_each_row(const UpdateArgs& a, BySum by_sum, Update update, States... states) {
  with_levels(a.segments, [&]<CacheLevel kInto, CacheLevel kGradients>() {
    for_each_row_asking<kInto, kGradients>(a, by_sum, update, states...);
  });
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
template <class RowDecay>
inline float mean_square(RowGradient gradient, const float* w, std::int64_t dim, RowDecay decay) {
  if (gradient.mean_square != nullptr) return *gradient.mean_square;
  SumOfSquares squares;
  for_each_vector(dim, [&](std::int64_t c, auto load_from, auto) {
    squares.add(c / kLanes, decay.gradient(load_from(gradient.data + c), load_from(w + c)));
  });
  return squares.total() / static_cast<float>(dim);
}

/// Row-wise Adagrad for rows of one group of vectors (for_each_group), whose sum stays in registers for both its uses.
template <class RowDecay>
struct RowWiseAdagradBySum {
  RowDecay decay;
  float learning_rate;
  float epsilon;

  template <CacheLevel kInto, CacheLevel kGradients>
  bool operator()(const Segments& segments, std::int64_t s, float* w, const float* later, float* accumulator) const {
    if (segments.dim == kSums * kLanes) {
      update<kInto, kGradients, kSums>(segments, s, w, later, accumulator);
    } else if (segments.dim == 4 * kLanes) {
      update<kInto, kGradients, 4>(segments, s, w, later, accumulator);
    } else {
      return false;
    }
    return true;
  }

 private:
  template <CacheLevel kInto, CacheLevel kGradients, std::int64_t kVectors>
  [[gnu::noinline]] void update(const Segments& of, std::int64_t s, float* w, const float* later,
                                float* accumulator) const {
    const Segments segments = of;  // a store may alias it, and *this
    const RowDecay decay_of = decay;
    RowState{accumulator}.template ask_row<kInto>(segments.later_row(s) - segments.rows[s]);
    Floats sum[kVectors];
    sum_of_segment<kGradients>(segments, s, 0, Whole{}, sum);
    SumOfSquares squares;
    unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) {
      prefetch_column<kInto>(later, v * kLanes);
      squares.add(v, decay_of.gradient(sum[v], load(w + v * kLanes)));
    });
    const float state = *accumulator + squares.total() / static_cast<float>(segments.dim);
    *accumulator = state;
    const Floats rate(learning_rate / (__builtin_sqrtf(state) + epsilon));
    unrolled<kVectors>([&](std::int64_t v) __attribute__((always_inline)) {
      const Floats old = load(w + v * kLanes);
      store(w + v * kLanes, decay_of.weight(old) - rate * decay_of.gradient(sum[v], old));
    });
  }
};

template <CacheLevel kGradients>
inline void sum_block(const SumBlockArgs& a) {
  const std::int64_t row_bytes = a.dim * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t ahead = update_distance(row_bytes);
  const Gradients gradients{a.passes};
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
  const Gradients gradients{a.passes};
  for (std::int64_t p = a.begin; p < a.end; ++p) {
    const RowGradient gradient{gradients.row(p), nullptr};
    a.out[p] = mean_square(gradient, gradient.data, a.dim, Decay<WeightDecay::none>{});
  }
}

void sgd_f32(const SgdArgs& a) {
  const std::int64_t dim = a.update.segments.dim;
  const Floats learning_rate(a.learning_rate);
  const Floats momentum(a.momentum);
  with_decay(a.update, [&](auto decay) {
    if (a.buffer == nullptr) {
      const auto update_vector = [=](float* w, Floats gradient, auto load_from, auto store_to)
          __attribute__((always_inline)) {
        const Floats old = load_from(w);
        const Floats g = decay.gradient(gradient, old);
        store_to(w, decay.weight(old) - learning_rate * g);
      };
      const auto update = [=](auto ask, float* w, RowGradient gradient) __attribute__((always_inline)) {
        for_each_vector(dim, [=](std::int64_t c, auto load_from, auto store_to) {
          ask(c);
          update_vector(w + c, load_from(gradient.data + c), load_from, store_to);
        });
      };
      return for_each_row(a.update, VectorBySum<decltype(update_vector)>{update_vector}, update);
    }
    const auto with_momentum = [=](auto direction) {
      return [=](auto ask, float* w, RowGradient gradient, float* buffer) __attribute__((always_inline)) {
        for_each_vector(dim, [=](std::int64_t c, auto load_from, auto store_to) {
          ask(c);
          const Floats old = load_from(w + c);
          const Floats g = decay.gradient(load_from(gradient.data + c), old);
          const Floats b = momentum * load_from(buffer + c) + g;
          store_to(buffer + c, b);
          store_to(w + c, decay.weight(old) - learning_rate * direction(g, b));
        });
      };
    };
    const State buffer{a.buffer, dim};
    if (a.nesterov) {
      for_each_row(a.update, SumFirst{}, with_momentum([=](Floats g, Floats b) { return g + momentum * b; }), buffer);
    } else {
      for_each_row(a.update, SumFirst{}, with_momentum([](Floats, Floats b) { return b; }), buffer);
    }
  });
}

void adagrad_f32(const AdagradArgs& a) {
  const std::int64_t dim = a.update.segments.dim;
  const Floats learning_rate(a.learning_rate);
  const Floats epsilon(a.epsilon);
  with_decay(a.update, [&](auto decay) {
    const auto update = [=](auto ask, float* w, RowGradient gradient, float* accumulator)
        __attribute__((always_inline)) {
      for_each_vector(dim, [=](std::int64_t c, auto load_from, auto store_to) {
        ask(c);
        const Floats old = load_from(w + c);
        const Floats g = decay.gradient(load_from(gradient.data + c), old);
        const Floats sum = load_from(accumulator + c) + g * g;
        store_to(accumulator + c, sum);
        store_to(w + c, decay.weight(old) - divide(learning_rate * g, square_root(sum) + epsilon));
      });
    };
    for_each_row(a.update, SumFirst{}, update, State{a.accumulator, dim});
  });
}

void row_wise_adagrad_f32(const AdagradArgs& a) {
  const std::int64_t dim = a.update.segments.dim;
  const float learning_rate = a.learning_rate;
  const float epsilon = a.epsilon;
  with_decay(a.update, [&](auto decay) {
    const auto update = [=](auto ask, float* w, RowGradient gradient, float* accumulator)
        __attribute__((always_inline)) {
      const float sum = *accumulator + mean_square(gradient, w, dim, decay);
      *accumulator = sum;
      const Floats rate(learning_rate / (__builtin_sqrtf(sum) + epsilon));
      for_each_vector(dim, [=](std::int64_t c, auto load_from, auto store_to) {
        ask(c);
        const Floats old = load_from(w + c);
        store_to(w + c, decay.weight(old) - rate * decay.gradient(load_from(gradient.data + c), old));
      });
    };
    for_each_row(a.update, RowWiseAdagradBySum<decltype(decay)>{decay, learning_rate, epsilon}, update,
                 RowState{a.accumulator});
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
    const auto update = [=](auto ask, float* w, RowGradient gradient, float* m, float* v)
        __attribute__((always_inline)) {
      for_each_vector(dim, [=](std::int64_t c, auto load_from, auto store_to) {
        ask(c);
        const Floats old = load_from(w + c);
        const Floats g = decay.gradient(load_from(gradient.data + c), old);
        const Floats new_m = beta1 * load_from(m + c) + one_minus_beta1 * g;
        const Floats new_v = beta2 * load_from(v + c) + one_minus_beta2 * (g * g);
        store_to(m + c, new_m);
        store_to(v + c, new_v);
        store_to(w + c, decay.weight(old) - divide(step_size * new_m, square_root(new_v) * inverse_sqrt_bc2 + epsilon));
      });
    };
    for_each_row(a.update, SumFirst{}, update, State{a.m, dim}, State{a.v, dim});
  });
}

void partial_row_wise_adam_f32(const AdamArgs& a) {
  const std::int64_t dim = a.update.segments.dim;
  const AdamScalars scalars = a.scalars;
  const Floats beta1(scalars.beta1);
  const Floats one_minus_beta1(scalars.one_minus_beta1);
  with_decay(a.update, [&](auto decay) {
    const auto update = [=](auto ask, float* w, RowGradient gradient, float* m, float* v)
        __attribute__((always_inline)) {
      const float new_v = scalars.beta2 * *v + scalars.one_minus_beta2 * mean_square(gradient, w, dim, decay);
      *v = new_v;
      const Floats rate(scalars.step_size / (__builtin_sqrtf(new_v) * scalars.inverse_sqrt_bc2 + scalars.epsilon));
      for_each_vector(dim, [=](std::int64_t c, auto load_from, auto store_to) {
        ask(c);
        const Floats old = load_from(w + c);
        const Floats g = decay.gradient(load_from(gradient.data + c), old);
        const Floats new_m = beta1 * load_from(m + c) + one_minus_beta1 * g;
        store_to(m + c, new_m);
        store_to(w + c, decay.weight(old) - rate * new_m);
      });
    };
    for_each_row(a.update, SumFirst{}, update, State{a.m, dim}, RowState{a.v});
  });
}

}  // namespace rowmill::ROWMILL_ISA
