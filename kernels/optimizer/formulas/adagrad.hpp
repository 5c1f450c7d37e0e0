// SPDX-License-Identifier: Apache-2.0
// Leaf kernels of Adagrad and its row-wise form.
#pragma once

#include <cstdint>

#include "kernels/optimizer/update_args.hpp"

namespace rowmill {

/// The accumulator is rows x dim, or one value a row when row-wise.
struct AdagradArgs {
  UpdateArgs update;
  float* accumulator;
  float learning_rate;
  float epsilon;
};

#define ROWMILL_ADAGRAD_KERNELS(X)              \
  X(adagrad_f32, Kernel<AdagradArgs>)           \
  X(adagrad_bf16, Kernel<AdagradArgs>)          \
  X(adagrad_any, Kernel<AdagradArgs>)           \
  X(row_wise_adagrad_f32, Kernel<AdagradArgs>)  \
  X(row_wise_adagrad_bf16, Kernel<AdagradArgs>) \
  X(row_wise_adagrad_any, Kernel<AdagradArgs>)

}  // namespace rowmill

#ifdef ROWMILL_ISA
namespace rowmill::ROWMILL_ISA {
ROWMILL_ADAGRAD_KERNELS(ROWMILL_DECLARE_KERNEL)
}  // namespace rowmill::ROWMILL_ISA
#endif
