// SPDX-License-Identifier: Apache-2.0
// The table of a layer.
#pragma once

#include "kernels/core/checks.hpp"
#include "rowmill/table.hpp"

namespace rowmill {

/// The table that a layer's options describe. Throws Error (invalid_argument) for a format that can't be trained.
Table make_table(const auto& options) {
  if (element_size(options.format) != 0 && !is_float(options.format) && options.format != Format::f64) {
    const ConstTableView shape(nullptr, options.format, options.rows, options.dim, 0, options.name);
    check_format("layer", "table", shape, {Format::f32, Format::bf16, Format::f16, Format::f64});
  }
  return {options.rows, options.dim,
          TableOptions{.name = options.name,
                       .initializer = options.initializer.value_or(Initializer::scaled_uniform_fan_out(options.dim)),
                       .seed = options.seed,
                       .stream = options.stream,
                       .format = options.format}};
}

}  // namespace rowmill
