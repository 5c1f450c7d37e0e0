// SPDX-License-Identifier: Apache-2.0
#include "kernels/optimizer/formulas/adam.hpp"

#include "kernels/optimizer/update_any.hpp"
#include "kernels/optimizer/update_rows.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

struct Adam {
  using Args = AdamArgs;
  static constexpr std::int64_t kStates = 2;  // m and v
  static constexpr bool kIsCommon = true;
  static constexpr bool kUsesMeanSquare = false;

  float* states[kStates];
  Floats beta1;
  Floats one_minus_beta1;
  Floats beta2;
  Floats one_minus_beta2;
  Floats step_size;
  Floats inverse_sqrt_bc2;
  Floats epsilon;

  explicit Adam(const AdamArgs& a)
      : states{a.m, a.v},
        beta1(a.scalars.beta1),
        one_minus_beta1(a.scalars.one_minus_beta1),
        beta2(a.scalars.beta2),
        one_minus_beta2(a.scalars.one_minus_beta2),
        step_size(a.scalars.step_size),
        inverse_sqrt_bc2(a.scalars.inverse_sqrt_bc2),
        epsilon(a.scalars.epsilon) {}

  Floats operator()(Floats w, Floats g, Nothing, Floats* state) const {
    state[0] = beta1 * state[0] + one_minus_beta1 * g;
    state[1] = beta2 * state[1] + one_minus_beta2 * (g * g);
    return w - divide(step_size * state[0], square_root(state[1]) * inverse_sqrt_bc2 + epsilon);
  }
};

}  // namespace

void adam_f32(const AdamArgs& a) { update_rows<Adam>(a); }
void adam_bf16(const AdamArgs& a) { update_bf16<Adam>(a); }
void adam_any(const AdamArgs& a) { update_any<Adam>(a); }

}  // namespace rowmill::ROWMILL_ISA
