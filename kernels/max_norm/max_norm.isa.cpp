// SPDX-License-Identifier: Apache-2.0
// Leaf kernels of renormalize().
#include "kernels/max_norm/max_norm_kernels.hpp"
#include "kernels/simd/formats.hpp"
#include "kernels/simd/lane_sums.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

/// The largest |x| of a row, or NaN if it has one. Lane by lane first: the order does not matter to a maximum.
template <class Table>
inline float largest(const typename Table::Value* row, std::int64_t dim) {
  Floats best(0.0F);
  for_each_vector(
      dim, [&](std::int64_t c, auto lanes) __attribute__((always_inline)) {
        const Floats x = xsimd::abs(Table::load(row + c, lanes));
        best = xsimd::select((x > best) | xsimd::isnan(x), x, best);
      });
  float each[kLanes];
  store(each, best);
  float result = each[0];
  for (const float x : each) result = x > result || x != x ? x : result;
  return result;
}

template <class Table>
inline float norm_of(const typename Table::Value* row, std::int64_t dim, NormType norm) {
  if (norm == NormType::infinity) return largest<Table>(row, dim);
  LaneSums sums;
  for_each_vector(
      dim, [&](std::int64_t c, auto lanes) __attribute__((always_inline)) {
        const Floats x = Table::load(row + c, lanes);
        sums.add(c / kLanes, norm == NormType::one ? xsimd::abs(x) : x * x);
      });
  const float sum = sums.total();
  return norm == NormType::one ? sum : __builtin_sqrtf(sum);
}

template <class Table>
inline void renormalize(const RenormalizeArgs& args) {
  const RenormalizeArgs a = args;  // vector stores may alias anything in memory, but not a local copy
  auto* const table = static_cast<typename Table::Value*>(a.table);
  const std::int64_t row_bytes = a.dim * std::int64_t{sizeof *table};
  for (std::int64_t k = 0; k < a.count; ++k) {
    if (k + a.prefetch.ahead < a.count) {
      prefetch(table + a.rows[k + a.prefetch.ahead] * a.table_stride, row_bytes, a.prefetch.into);
    }
    auto* const row = table + a.rows[k] * a.table_stride;
    const float norm = norm_of<Table>(row, a.dim, a.norm);
    if (!(norm > a.max_norm)) continue;  // NaN stays
    const Floats factor(a.max_norm / (norm + 1e-7F));
    for_each_vector(
        a.dim, [=](std::int64_t c, auto lanes) __attribute__((always_inline)) {
          Table::store(row + c, Table::load(row + c, lanes) * factor, lanes);
        });
  }
}

}  // namespace

void renormalize_f32(const RenormalizeArgs& a) { renormalize<F32Format>(a); }
void renormalize_bf16(const RenormalizeArgs& a) { renormalize<Bf16Format>(a); }
void renormalize_f16(const RenormalizeArgs& a) { renormalize<F16Format>(a); }

}  // namespace rowmill::ROWMILL_ISA
