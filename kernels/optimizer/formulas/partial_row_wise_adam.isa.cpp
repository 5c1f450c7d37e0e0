// SPDX-License-Identifier: Apache-2.0
#include "kernels/optimizer/formulas/adam.hpp"
#include "kernels/optimizer/update_any.hpp"
#include "kernels/optimizer/update_rows.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

struct PartialRowWiseAdam {
  using Args = AdamArgs;
  static constexpr std::int64_t kStates = 1;  // m
  static constexpr bool kIsCommon = false;
  static constexpr bool kUsesMeanSquare = true;

  float* states[kStates];
  float* row_state;  // v
  AdamScalars scalars;
  Floats beta1;
  Floats one_minus_beta1;

  explicit PartialRowWiseAdam(const AdamArgs& a)
      : states{a.m},
        row_state(a.v),
        scalars(a.scalars),
        beta1(a.scalars.beta1),
        one_minus_beta1(a.scalars.one_minus_beta1) {}

  [[nodiscard]] Floats row(float mean_square, std::int64_t r) const {
    const float v = scalars.beta2 * row_state[r] + scalars.one_minus_beta2 * mean_square;
    row_state[r] = v;
    return Floats(scalars.step_size / (__builtin_sqrtf(v) * scalars.inverse_sqrt_bc2 + scalars.epsilon));
  }
  Floats operator()(Floats w, Floats g, Floats rate, Floats* state) const {
    state[0] = beta1 * state[0] + one_minus_beta1 * g;
    return w - rate * state[0];
  }
};

}  // namespace

void partial_row_wise_adam_f32(const AdamArgs& a) { update_rows<PartialRowWiseAdam>(a); }
void partial_row_wise_adam_bf16(const AdamArgs& a) { update_bf16<PartialRowWiseAdam>(a); }
void partial_row_wise_adam_any(const AdamArgs& a) { update_any<PartialRowWiseAdam>(a); }

}  // namespace rowmill::ROWMILL_ISA
