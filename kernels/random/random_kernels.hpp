// SPDX-License-Identifier: Apache-2.0
// Leaf kernels of initialisation.
#pragma once

#include <cstdint>

#include "kernels/core/kernel.hpp"

namespace rowmill {

/// data[i, c] = min(low + width * u, most) with the uniform number u of row first_row + i and column c: see
/// include/rowmill/random.hpp.
struct FillUniformArgs {
  float* data;
  std::int64_t stride;
  std::int64_t first_row;
  std::int64_t rows;
  std::int64_t dim;
  std::uint32_t key[2];
  float low;
  float width;
  float most;
};

/// out[4 i .. 4 i + 3] = philox4x32_10({counter[0] + i, counter[1], counter[2], counter[3]}, key) for i < blocks.
struct PhiloxArgs {
  std::uint32_t counter[4];
  std::uint32_t key[2];
  std::int64_t blocks;  ///< a multiple of 16
  std::uint32_t* out;
};

#define ROWMILL_RANDOM_KERNELS(X)              \
  X(fill_uniform_f32, Kernel<FillUniformArgs>) \
  X(philox_u32, Kernel<PhiloxArgs>)

}  // namespace rowmill

#ifdef ROWMILL_ISA
namespace rowmill::ROWMILL_ISA {
ROWMILL_RANDOM_KERNELS(ROWMILL_DECLARE_KERNEL)
}  // namespace rowmill::ROWMILL_ISA
#endif
