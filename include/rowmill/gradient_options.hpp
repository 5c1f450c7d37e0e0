// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "rowmill/config.hpp"

namespace rowmill {

/// What is done to the gradients of rows after they are summed and before they are used, in this order. g is the
/// finished sum of a touched row. Arithmetic is float, or double if g is; docs/numerics.md gives it bit by bit. Limits
/// of clipping are 1.2e-38 to 3.4e38.
struct GradientOptions {
  /// g = g / the number of the row's contributions in all passes of the step. (torch.nn.Embedding divides each pass by
  /// the contributions of that pass.)
  bool scale_grad_by_freq = false;
  /// If an element of any g is infinite or NaN, the step changes nothing and does not count. Only for steps.
  bool skip_nonfinite = false;
  /// g = min(max(g, -value), value), element by element; NaN stays
  std::optional<double> clip_value = {};
  /// g = g * (norm / sqrt(sum(g * g))) for each row whose norm is greater
  std::optional<double> clip_row_norm = {};
  /// The same by the norm of all rows' g together. (torch.nn.utils.clip_grad_norm_ divides by the norm + 1e-6.)
  std::optional<double> clip_global_norm = {};
};

}  // namespace rowmill
