// SPDX-License-Identifier: Apache-2.0
// Leaf kernels of Adam and its partially row-wise form.
#pragma once

#include <cstdint>

#include "kernels/optimizer/update_args.hpp"

namespace rowmill {

/// What a step of Adam computes once, in double, and rounds to float.
struct AdamScalars {
  float beta1;
  float one_minus_beta1;
  float beta2;
  float one_minus_beta2;
  float step_size;         ///< lr / (1 - beta1^t)
  float inverse_sqrt_bc2;  ///< 1 / sqrt(1 - beta2^t)
  float epsilon;
};

/// m is rows x dim; v is rows x dim, or one value a row when partially row-wise.
struct AdamArgs {
  UpdateArgs update;
  float* m;
  float* v;
  AdamScalars scalars;
};

#define ROWMILL_ADAM_KERNELS(X)                   \
  X(adam_f32, Kernel<AdamArgs>)                   \
  X(adam_bf16, Kernel<AdamArgs>)                  \
  X(adam_any, Kernel<AdamArgs>)                   \
  X(partial_row_wise_adam_f32, Kernel<AdamArgs>)  \
  X(partial_row_wise_adam_bf16, Kernel<AdamArgs>) \
  X(partial_row_wise_adam_any, Kernel<AdamArgs>)

}  // namespace rowmill

#ifdef ROWMILL_ISA
namespace rowmill::ROWMILL_ISA {
ROWMILL_ADAM_KERNELS(ROWMILL_DECLARE_KERNEL)
}  // namespace rowmill::ROWMILL_ISA
#endif
