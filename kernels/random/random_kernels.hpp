// SPDX-License-Identifier: Apache-2.0
// Leaf kernels of initialisation.
#pragma once

#include <cstdint>

#include "kernels/core/kernel.hpp"

namespace rowmill {

/// table[r, c] = min(low + width * u, most) for rows first_row .. first_row + rows - 1 (see
/// include/rowmill/random.hpp).
struct FillUniformArgs {
  float* data;
  std::int64_t stride;
  std::int64_t first_row;
  std::int64_t rows;
  std::int64_t dim;
  std::uint32_t key[2];
  std::uint32_t step;
  float low;
  float width;
  float most;
};

#define ROWMILL_RANDOM_KERNELS(X) X(fill_uniform_f32, Kernel<FillUniformArgs>)

}  // namespace rowmill

#ifdef ROWMILL_ISA
namespace rowmill::ROWMILL_ISA {
ROWMILL_RANDOM_KERNELS(ROWMILL_DECLARE_KERNEL)
}  // namespace rowmill::ROWMILL_ISA
#endif
