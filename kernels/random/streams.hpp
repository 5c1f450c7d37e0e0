// SPDX-License-Identifier: Apache-2.0
// Keys of random streams, and the logarithm that normal values need.
#pragma once

#include <array>
#include <cstdint>

#include "rowmill/random.hpp"

namespace rowmill {

/// The key of a stream: see include/rowmill/random.hpp.
std::array<std::uint32_t, 2> stream_key(const RandomStream& stream);

/// ln x for 0 < x <= 1, with the same bits everywhere.
double natural_log(double x);

}  // namespace rowmill
