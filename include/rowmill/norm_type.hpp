// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "rowmill/config.hpp"

namespace rowmill {

/// The norm of a row: how its elements x become one number.
enum class NormType : std::uint8_t {
  one,       ///< sum of |x|
  two,       ///< sqrt(sum of x * x)
  infinity,  ///< the largest |x|
};

}  // namespace rowmill
