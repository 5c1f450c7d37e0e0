// SPDX-License-Identifier: Apache-2.0
// The kernel table of one instruction set; compiled once for each. ROWMILL_ISA is its namespace.
#include "kernels/kernel_list.hpp"

#define ROWMILL_STRINGIFY(x) #x
#define ROWMILL_NAME_OF(x) ROWMILL_STRINGIFY(x)

namespace rowmill::ROWMILL_ISA {

#define ROWMILL_ENTRY(name, type) .name = name,
extern const KernelTable kernel_table;
const KernelTable kernel_table = {.isa = ROWMILL_NAME_OF(ROWMILL_ISA), ROWMILL_KERNEL_LIST(ROWMILL_ENTRY)};
#undef ROWMILL_ENTRY

}  // namespace rowmill::ROWMILL_ISA
