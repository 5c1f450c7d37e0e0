// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "rowmill/max_norm.hpp"

namespace rowmill {

/// max_norm and its norm are in their ranges.
void check_max_norm(std::string_view op, const MaxNorm& max_norm);

}  // namespace rowmill
