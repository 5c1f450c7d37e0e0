// SPDX-License-Identifier: Apache-2.0
// Leaf kernels of SGD.
#pragma once

#include <cstdint>

#include "kernels/optimizer/update_args.hpp"

namespace rowmill {

struct SgdArgs {
  UpdateArgs update;
  float* buffer;  ///< rows x dim; null without momentum
  float learning_rate;
  float momentum;
  bool nesterov;
};

#define ROWMILL_SGD_KERNELS(X) \
  X(sgd_f32, Kernel<SgdArgs>)  \
  X(sgd_bf16, Kernel<SgdArgs>) \
  X(sgd_any, Kernel<SgdArgs>)

}  // namespace rowmill

#ifdef ROWMILL_ISA
namespace rowmill::ROWMILL_ISA {
ROWMILL_SGD_KERNELS(ROWMILL_DECLARE_KERNEL)
}  // namespace rowmill::ROWMILL_ISA
#endif
