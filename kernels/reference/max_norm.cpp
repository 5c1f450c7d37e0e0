// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "kernels/reference/reference.hpp"
#include "rowmill/format.hpp"

namespace rowmill::reference {
namespace {

/// Lane k of 16 sums columns k, k+16, ... in order; then the lanes as a balanced tree. A maximum has no order.
template <class Value>
float norm_of(const Value* x, std::int64_t dim, NormType norm) {
  constexpr std::int64_t kLanes = 16;
  float lanes[kLanes] = {};
  float largest = 0;
  for (std::int64_t c = 0; c < dim; ++c) {
    const auto value = static_cast<float>(x[c]);
    const float magnitude = std::fabs(value);
    lanes[c % kLanes] += norm == NormType::one ? magnitude : value * value;
    if (magnitude > largest || std::isnan(magnitude)) largest = magnitude;
  }
  if (norm == NormType::infinity) return largest;
  for (std::int64_t width = kLanes / 2; width > 0; width /= 2) {
    for (std::int64_t k = 0; k < width; ++k) lanes[k] += lanes[k + width];
  }
  return norm == NormType::one ? lanes[0] : std::sqrt(lanes[0]);
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
