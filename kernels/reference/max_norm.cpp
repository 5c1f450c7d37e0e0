// SPDX-License-Identifier: Apache-2.0
// renormalize(): one row, and the leaf kernels of the `scalar` instruction set.
#include <cmath>

#include "kernels/reference/lane_sum.hpp"
#include "kernels/reference/reference.hpp"
#include "rowmill/format.hpp"

namespace rowmill::reference {
namespace {

template <class Value>
float norm_of(const Value* row, std::int64_t dim, NormType norm) {
  const auto x = [=](std::int64_t c) { return static_cast<float>(row[c]); };
  if (norm == NormType::one) return lane_sum(dim, [=](std::int64_t c) { return std::fabs(x(c)); });
  if (norm == NormType::two) return std::sqrt(lane_sum(dim, [=](std::int64_t c) { return x(c) * x(c); }));
  float largest = 0;
  for (std::int64_t c = 0; c < dim; ++c) {
    const float magnitude = std::fabs(x(c));
    if (magnitude > largest || std::isnan(magnitude)) largest = magnitude;
  }
  return largest;
}

/// Element by element, each rounded once to the row's format.
template <class Value>
void renormalize(Value* x, std::int64_t dim, float max_norm, NormType norm) {
  const float found = norm_of(x, dim, norm);
  if (!(found > max_norm)) return;
  const float factor = max_norm / (found + 1e-7F);
  for (std::int64_t c = 0; c < dim; ++c) x[c] = static_cast<Value>(static_cast<float>(x[c]) * factor);
}

}  // namespace

void renormalize_row(float* row, std::int64_t dim, float max_norm, NormType norm) {
  renormalize(row, dim, max_norm, norm);
}
void renormalize_row(Bf16* row, std::int64_t dim, float max_norm, NormType norm) {
  renormalize(row, dim, max_norm, norm);
}
void renormalize_row(F16* row, std::int64_t dim, float max_norm, NormType norm) {
  renormalize(row, dim, max_norm, norm);
}

}  // namespace rowmill::reference

namespace rowmill::scalar {
namespace {

template <class Value>
void renormalize(const RenormalizeArgs& a) {
  for (std::int64_t k = 0; k < a.count; ++k) {
    Value* const row = static_cast<Value*>(a.table) + a.rows[k] * a.table_stride;
    reference::renormalize_row(row, a.dim, a.max_norm, a.norm);
  }
}

}  // namespace

void renormalize_f32(const RenormalizeArgs& a) { renormalize<float>(a); }
void renormalize_bf16(const RenormalizeArgs& a) { renormalize<Bf16>(a); }
void renormalize_f16(const RenormalizeArgs& a) { renormalize<F16>(a); }

}  // namespace rowmill::scalar
