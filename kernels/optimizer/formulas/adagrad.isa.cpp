// SPDX-License-Identifier: Apache-2.0
#include "kernels/optimizer/formulas/adagrad.hpp"

#include "kernels/optimizer/update_any.hpp"
#include "kernels/optimizer/update_rows.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

struct Adagrad {
  using Args = AdagradArgs;
  static constexpr std::int64_t kStates = 1;  // the sum of squares
  static constexpr bool kIsCommon = true;
  static constexpr bool kUsesMeanSquare = false;

  float* states[kStates];
  Floats learning_rate;
  Floats epsilon;

  explicit Adagrad(const AdagradArgs& a) : states{a.accumulator}, learning_rate(a.learning_rate), epsilon(a.epsilon) {}

  Floats operator()(Floats w, Floats g, Nothing, Floats* state) const {
    state[0] = state[0] + g * g;
    return w - divide(learning_rate * g, square_root(state[0]) + epsilon);
  }
};

}  // namespace

void adagrad_f32(const AdagradArgs& a) { update_rows<Adagrad>(a); }
void adagrad_bf16(const AdagradArgs& a) { update_bf16<Adagrad>(a); }
void adagrad_any(const AdagradArgs& a) { update_any<Adagrad>(a); }

}  // namespace rowmill::ROWMILL_ISA
