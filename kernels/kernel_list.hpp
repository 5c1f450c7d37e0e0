// SPDX-License-Identifier: Apache-2.0
// The kernel list: every leaf kernel, once. The dispatch table, the tests and the benchmarks are made from it. Names
// are <op>_<variant>_<format>, with the ids' type where there are ids; the instruction set is the namespace.
#pragma once

#include "kernels/convert/convert_kernels.hpp"
#include "kernels/gather/gather_kernels.hpp"
#include "kernels/ids/ids_kernels.hpp"
#include "kernels/max_norm/max_norm_kernels.hpp"
#include "kernels/optimizer/formulas/adagrad.hpp"
#include "kernels/optimizer/formulas/adam.hpp"
#include "kernels/optimizer/formulas/sgd.hpp"
#include "kernels/optimizer/gradient_kernels.hpp"
#include "kernels/pool/pool_kernels.hpp"
#include "kernels/random/random_kernels.hpp"
#include "kernels/scatter_add/scatter_add_kernels.hpp"
#include "kernels/word_vectors/word_vectors_kernels.hpp"

// X(name, type of the function)
#define ROWMILL_KERNEL_LIST(X)   \
  ROWMILL_IDS_KERNELS(X)         \
  ROWMILL_GATHER_KERNELS(X)      \
  ROWMILL_CONVERT_KERNELS(X)     \
  ROWMILL_POOL_KERNELS(X)        \
  ROWMILL_SCATTER_ADD_KERNELS(X) \
  ROWMILL_MAX_NORM_KERNELS(X)    \
  ROWMILL_GRADIENT_KERNELS(X)    \
  ROWMILL_SGD_KERNELS(X)         \
  ROWMILL_ADAGRAD_KERNELS(X)     \
  ROWMILL_ADAM_KERNELS(X)        \
  ROWMILL_RANDOM_KERNELS(X)      \
  ROWMILL_WORD_VECTORS_KERNELS(X)

namespace rowmill {

/// The kernels of one instruction set.
struct KernelTable {
  const char* isa;
#define ROWMILL_KERNEL_FIELD(name, type) type* name;
  ROWMILL_KERNEL_LIST(ROWMILL_KERNEL_FIELD)
#undef ROWMILL_KERNEL_FIELD
};

}  // namespace rowmill
