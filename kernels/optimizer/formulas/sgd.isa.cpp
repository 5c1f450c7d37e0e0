// SPDX-License-Identifier: Apache-2.0
#include "kernels/optimizer/formulas/sgd.hpp"

#include "kernels/optimizer/update_any.hpp"
#include "kernels/optimizer/update_rows.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

struct Sgd {
  using Args = SgdArgs;
  static constexpr std::int64_t kStates = 0;
  static constexpr bool kIsCommon = true;
  static constexpr bool kUsesMeanSquare = false;

  Floats learning_rate;

  explicit Sgd(const SgdArgs& a) : learning_rate(a.learning_rate) {}

  Floats operator()(Floats w, Floats g, Nothing, const Floats*) const { return w - learning_rate * g; }
};

struct SgdMomentum {
  using Args = SgdArgs;
  static constexpr std::int64_t kStates = 1;  // the momentum
  static constexpr bool kIsCommon = false;
  static constexpr bool kUsesMeanSquare = false;

  float* states[kStates];
  Floats learning_rate;
  Floats momentum;
  bool nesterov;

  explicit SgdMomentum(const SgdArgs& a)
      : states{a.buffer}, learning_rate(a.learning_rate), momentum(a.momentum), nesterov(a.nesterov) {}

  Floats operator()(Floats w, Floats g, Nothing, Floats* state) const {
    state[0] = momentum * state[0] + g;
    return w - learning_rate * (nesterov ? g + momentum * state[0] : state[0]);
  }
};

}  // namespace

void sgd_f32(const SgdArgs& a) { a.buffer == nullptr ? update_rows<Sgd>(a) : update_rows<SgdMomentum>(a); }
void sgd_bf16(const SgdArgs& a) { a.buffer == nullptr ? update_bf16<Sgd>(a) : update_bf16<SgdMomentum>(a); }
void sgd_any(const SgdArgs& a) { a.buffer == nullptr ? update_any<Sgd>(a) : update_any<SgdMomentum>(a); }

}  // namespace rowmill::ROWMILL_ISA
