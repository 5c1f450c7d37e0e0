// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "rowmill/config.hpp"

namespace rowmill {

/// How a step shrinks weights. Only touched rows decay, as they move: a row that waits does not.
enum class WeightDecay : std::uint8_t {
  none,
  l2,         ///< g = g + {weight_decay} * w, before all else: the gradient of weight_decay / 2 * |w|^2
  decoupled,  ///< w = w * {1 - lr * weight_decay}, before the rest (Loshchilov and Hutter, ICLR 2019, algorithm 2)
};

}  // namespace rowmill
