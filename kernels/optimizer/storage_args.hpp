// SPDX-License-Identifier: Apache-2.0
// How the tables of a step are stored, for kernels that take any format.
#pragma once

#include <cstdint>

#include "rowmill/format.hpp"
#include "rowmill/storage_options.hpp"

namespace rowmill {

/// A table whose rows are read as floats, updated, and rounded to its format.
struct StoredTable {
  void* data = nullptr;
  std::int64_t stride = 0;      ///< in elements
  void* low = nullptr;          ///< rows x dim: the lower halves of a split table, whose format is bf16
  Format format = Format::f32;  ///< f32, bf16 or f16
  std::uint32_t key[2] = {};    ///< of its random numbers
};

struct StorageArgs {
  StoredTable weights;
  StoredTable states[2] = {};  ///< those with a value for each weight, in the order of the formula
  Rounding rounding = Rounding::nearest;
  Overflow overflow = Overflow::saturate;
  std::uint64_t first_row = 0;
  std::uint64_t first_column = 0;
  std::uint32_t step = 0;
  bool* overflowed = nullptr;  ///< Overflow::error: set to true where a weight would be infinite, or left as it is
};

}  // namespace rowmill
