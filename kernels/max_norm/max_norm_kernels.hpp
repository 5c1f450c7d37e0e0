// SPDX-License-Identifier: Apache-2.0
// Leaf kernels of renormalize.
#pragma once

#include <cstdint>

#include "kernels/core/kernel.hpp"
#include "kernels/core/prefetch.hpp"
#include "rowmill/norm_type.hpp"

namespace rowmill {

/// for k in 0 .. count-1: x = table[rows[k], :]; if norm(x) > max_norm: x = x * round(max_norm / (norm(x) + 1e-7))
struct RenormalizeArgs {
  void* table;
  std::int64_t table_stride;
  const std::int64_t* rows;
  std::int64_t count;
  std::int64_t dim;
  float max_norm;
  NormType norm;
  PrefetchArgs prefetch;
};

#define ROWMILL_MAX_NORM_KERNELS(X)            \
  X(renormalize_f32, Kernel<RenormalizeArgs>)  \
  X(renormalize_bf16, Kernel<RenormalizeArgs>) \
  X(renormalize_f16, Kernel<RenormalizeArgs>)

}  // namespace rowmill

#ifdef ROWMILL_ISA
namespace rowmill::ROWMILL_ISA {
ROWMILL_MAX_NORM_KERNELS(ROWMILL_DECLARE_KERNEL)
}  // namespace rowmill::ROWMILL_ISA
#endif
