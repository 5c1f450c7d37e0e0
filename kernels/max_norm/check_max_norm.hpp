// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "rowmill/max_norm.hpp"

namespace rowmill {

/// Both options are in their ranges: throws Error (invalid_argument) if not.
void check_max_norm(std::string_view op, const MaxNorm& max_norm);

}  // namespace rowmill
