// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "rowmill/format.hpp"
#include "rowmill/random.hpp"

namespace rowmill {

/// How an updated value becomes one of 16 bits.
enum class Rounding : std::uint8_t {
  nearest = 0,     ///< a tie to the value whose last bit is 0
  stochastic = 1,  ///< up or down by chance, so that many small updates add up: docs/numerics.md, "16-bit training"
};

/// What becomes of an updated float16 weight that lies beyond 65504, the largest one; of an infinite one too. NaN stays
/// NaN.
enum class Overflow : std::uint8_t {
  infinity = 0,
  saturate = 1,  ///< it becomes 65504, or -65504
  error = 2,     ///< the step is an error, which names the lowest such row and its column, and changes nothing
};

/// How the weights that an optimizer trains are stored, and its states.
struct StorageOptions {
  Rounding rounding = Rounding::nearest;  ///< of bf16 and f16 weights, and of bf16 states
  /// stochastic: which random numbers. Two tables that are trained side by side need another seed, name or stream each;
  /// without a name it is the one that the optimizer is made with. The purpose is not used: each table of the
  /// optimizer's has its own.
  RandomStream stream = {};
  /// stochastic: where the weights lie in a larger table, so that its parts are rounded as the whole
  std::uint64_t first_row = 0;
  std::uint64_t first_column = 0;
  /// The weights are bf16, the upper halves of floats, and a state table "low" of Format::low16 has the lower halves.
  /// Updates see and store the floats, with float32's bits; lookups read the upper halves as an ordinary bf16 table.
  bool split = false;
  /// Of the states that have a value for each weight: f32 or bf16. An optimizer that has none, SGD without momentum or
  /// row-wise Adagrad, takes either, so that the same options serve every optimizer and every hyperparameter. f64 is
  /// for weights of f64, whose gradients and states, and the scalars of a step, are all doubles; a layer of that format
  /// chooses it itself.
  Format state_format = Format::f32;
  Overflow overflow = Overflow::saturate;
};

}  // namespace rowmill
