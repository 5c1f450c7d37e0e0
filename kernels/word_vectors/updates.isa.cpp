// SPDX-License-Identifier: Apache-2.0
// Adding the updates of word vectors to a table.
#include "kernels/simd.hpp"
#include "kernels/simd/prefetch_for_write.hpp"
#include "kernels/word_vectors/word_vectors_kernels.hpp"

namespace rowmill::ROWMILL_ISA {

void add_scaled_rows_f32(const AddScaledRowsArgs& args) {
  const AddScaledRowsArgs a = args;  // vector stores may alias anything in memory, but not a local copy
  const std::int64_t row_bytes = a.dim * std::int64_t{sizeof(float)};
  const std::int64_t ahead = row_bytes <= 512 ? 16 : 8;  // enough to cover a miss, and few enough for the first cache
  for (std::int64_t e = 0; e < a.count; ++e) {
    if (e + ahead < a.count) {
      prefetch_for_write(a.table + a.entries[e + ahead].row * a.table_stride, row_bytes);
      prefetch<CacheLevel::first>(a.entries[e + ahead / 2].values, row_bytes);
    }
    const ScaledRow entry = a.entries[e];
    float* const row = a.table + entry.row * a.table_stride;
    const Floats scale(entry.scale);
    for (std::int64_t c = 0; c < a.dim; c += kLanes) store(row + c, load(row + c) + scale * load(entry.values + c));
  }
}

}  // namespace rowmill::ROWMILL_ISA
