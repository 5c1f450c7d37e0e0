// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "rowmill/format.hpp"
#include "rowmill/random.hpp"

namespace rowmill {

/// How an updated value is rounded to 16 bits.
enum class Rounding : std::uint8_t {
  nearest = 0,     ///< a tie to the value whose last bit is 0
  stochastic = 1,  ///< up or down by chance, so that many small updates add up: docs/numerics.md, "16-bit training"
};

/// What an updated float16 weight becomes that is infinite or lies beyond 65504, the largest value. NaN stays NaN.
enum class Overflow : std::uint8_t {
  infinity = 0,
  saturate = 1,  ///< 65504, or -65504
  error = 2,     ///< the step throws, names the lowest such row and its column, and changes nothing
};

/// How an optimizer's weights and states are stored.
struct StorageOptions {
  Rounding rounding = Rounding::nearest;  ///< of bf16 and f16 weights, and of bf16 states
  /// For stochastic rounding: the random numbers. Tables that are trained together need different seeds, names or
  /// stream numbers. An empty name stands for the name that the optimizer is made with. The purpose is ignored: each
  /// table of an optimizer has its own.
  RandomStream stream = {};
  /// For stochastic rounding: where the weights begin in a larger table, so that its parts are rounded as the whole is.
  std::uint64_t first_row = 0;
  std::uint64_t first_column = 0;
  /// The weights are bf16, the upper halves of floats. A state table "low" of Format::low16 has the lower halves.
  /// Updates compute and store whole floats, with the bits of a float32 table. Lookups read an ordinary bf16 table.
  bool split = false;
  /// The format of states that have a value for each weight: f32 or bf16. Optimizers without such a state, SGD without
  /// momentum and row-wise Adagrad, take either, so that one choice serves all optimizers and hyperparameters. f64 goes
  /// with weights of f64; gradients, states and the scalars of a step are then doubles. A layer of that format chooses
  /// it itself.
  Format state_format = Format::f32;
  Overflow overflow = Overflow::saturate;  ///< of f16 weights
};

}  // namespace rowmill
