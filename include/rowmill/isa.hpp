// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "rowmill/config.hpp"

namespace rowmill {

/// The instruction set whose kernels run: "avx512", "avx2", "sse2", "neon64" or "scalar" (the reference). It is the
/// best one that the machine and its operating system support, or the one that the environment variable ROWMILL_ISA
/// names; chosen at the first call of the process. Results have the same bits on all of them.
///
/// Throws Error (unsupported_isa) if ROWMILL_ISA names one that is unknown or not supported here.
[[nodiscard]] std::string_view isa_name();

/// The instruction sets that ROWMILL_ISA may name on this machine, best first.
[[nodiscard]] std::vector<std::string_view> supported_isas();

}  // namespace rowmill
