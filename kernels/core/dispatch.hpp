// SPDX-License-Identifier: Apache-2.0
// Which instruction set's kernels run.
#pragma once

#include <vector>

#include "kernels/kernel_list.hpp"

namespace rowmill {

/// The kernels in force. Throws Error (unsupported_isa) if ROWMILL_ISA is wrong.
const KernelTable& kernels();

/// The kernel tables that this build holds and this machine supports, best first; `scalar` is last.
std::vector<const KernelTable*> supported_kernels();

/// For tests and benchmarks: makes kernels() return `table`, or the table chosen at start if null.
void override_kernels(const KernelTable* table);

}  // namespace rowmill
