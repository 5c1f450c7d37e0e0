// SPDX-License-Identifier: Apache-2.0
// Leaf kernels that look at ids.
#pragma once

#include <cstdint>

#include "kernels/core/kernel.hpp"

namespace rowmill {

/// Finds the first id outside [lowest, highest]; `count` if there is none.
template <class Id>
struct FindBadIdArgs {
  const Id* ids;
  std::int64_t count;
  Id lowest;
  Id highest;
};

template <class Id>
using FindBadId = std::int64_t(const FindBadIdArgs<Id>&);

#define ROWMILL_IDS_KERNELS(X)                \
  X(find_bad_id_i32, FindBadId<std::int32_t>) \
  X(find_bad_id_i64, FindBadId<std::int64_t>)

}  // namespace rowmill

#ifdef ROWMILL_ISA
namespace rowmill::ROWMILL_ISA {
ROWMILL_IDS_KERNELS(ROWMILL_DECLARE_KERNEL)
}  // namespace rowmill::ROWMILL_ISA
#endif
