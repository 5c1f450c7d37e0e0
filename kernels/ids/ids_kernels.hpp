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

/// Copies the ids of bags, widened, and their weights, without the ids that equal `dropped`:
///
///     rows, kept_weights = the ids and weights of all bags that are kept, one after another
///     kept_begin[b] = where those of bag b begin
///
/// `rows` may be `ids`, and `kept_begin` may be `begin`.
template <class Id>
struct KeepIdsArgs {
  const Id* ids;
  const float* weights;  ///< null: none
  const std::int64_t* begin;
  std::int64_t bags;
  std::int64_t dropped;
  std::int64_t* rows;  ///< has room for all ids; past the last one kept its contents are unspecified
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
