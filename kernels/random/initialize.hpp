// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "rowmill/random.hpp"

namespace rowmill {

/// As the public initialize(), for a view that has been checked, on up to `threads` threads.
void initialize(const TableView& table, const Initializer& initializer, const RandomStream& stream,
                std::int64_t threads);

}  // namespace rowmill
