// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "rowmill/table.hpp"

namespace rowmill {

/// The table that a layer's options describe.
Table make_table(const auto& options) {
  return {options.rows, options.dim,
          TableOptions{.name = options.name,
                       .initializer = options.initializer.value_or(Initializer::scaled_uniform_fan_out(options.dim)),
                       .seed = options.seed,
                       .format = options.format}};
}

}  // namespace rowmill
