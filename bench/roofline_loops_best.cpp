// SPDX-License-Identifier: Apache-2.0
#include "roofline_loops.hpp"

namespace bench {

const RooflineLoops& roofline_loops() {
#ifdef ROWMILL_BENCH_X86
  if (__builtin_cpu_supports("avx512f")) return avx512::roofline;
  if (__builtin_cpu_supports("avx2")) return avx2::roofline;
#endif
  return baseline::roofline;
}

}  // namespace bench
