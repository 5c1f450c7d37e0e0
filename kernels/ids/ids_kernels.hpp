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

/// Copies the ids of bags, widened, one after another without those that equal `dropped`, and their weights with them:
/// kept_begin[b] is where bag b begins in `rows` then. ids and rows may be the same, and so may the begins.
template <class Id>
struct KeepIdsArgs {
  const Id* ids;
  const float* weights;  ///< null: none
  const std::int64_t* begin;
  std::int64_t bags;
  std::int64_t dropped;
  std::int64_t* rows;  ///< as much room as there are ids; what lies behind the last one kept holds anything
  float* kept_weights;
  std::int64_t* kept_begin;
};

template <class Id>
using FindBadId = std::int64_t(const FindBadIdArgs<Id>&);

#define ROWMILL_IDS_KERNELS(X)                       \
  X(find_bad_id_i32, FindBadId<std::int32_t>)        \
  X(find_bad_id_i64, FindBadId<std::int64_t>)        \
  X(keep_ids_i32, Kernel<KeepIdsArgs<std::int32_t>>) \
  X(keep_ids_i64, Kernel<KeepIdsArgs<std::int64_t>>)

}  // namespace rowmill

#ifdef ROWMILL_ISA
namespace rowmill::ROWMILL_ISA {
ROWMILL_IDS_KERNELS(ROWMILL_DECLARE_KERNEL)
}  // namespace rowmill::ROWMILL_ISA
#endif
