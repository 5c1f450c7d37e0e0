// SPDX-License-Identifier: Apache-2.0
#include "kernels/core/tuning.hpp"

#include "kernels/core/override_tuning.hpp"

namespace rowmill {
namespace {

Tuning in_force;

}  // namespace

const Tuning& tuning() noexcept { return in_force; }

void override_tuning(const Tuning& tuning) noexcept { in_force = tuning; }

}  // namespace rowmill
