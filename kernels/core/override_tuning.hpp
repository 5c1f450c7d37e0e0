// SPDX-License-Identifier: Apache-2.0
// For benchmarks and tests alone: the library includes this in no other file than tuning.cpp.
#pragma once

#include "kernels/core/tuning.hpp"

namespace rowmill {

/// Replaces the tuning in force. No operation may run meanwhile.
void override_tuning(const Tuning& tuning) noexcept;

}  // namespace rowmill
