// SPDX-License-Identifier: Apache-2.0
#include "kernels/optimizer/formulas/adagrad.hpp"
#include "kernels/optimizer/update_any.hpp"
#include "kernels/optimizer/update_rows.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

struct RowWiseAdagrad {
  using Args = AdagradArgs;
  static constexpr std::int64_t kStates = 0;
  static constexpr bool kIsCommon = true;
  static constexpr bool kUsesMeanSquare = true;

  float* row_state;  // the sum of mean squares
  float learning_rate;
  float epsilon;

  explicit RowWiseAdagrad(const AdagradArgs& a)
      : row_state(a.accumulator), learning_rate(a.learning_rate), epsilon(a.epsilon) {}

  [[nodiscard]] Floats row(float mean_square, std::int64_t r) const {
    const float sum = row_state[r] + mean_square;
    row_state[r] = sum;
    return Floats(learning_rate / (__builtin_sqrtf(sum) + epsilon));
  }
  Floats operator()(Floats w, Floats g, Floats rate, const Floats*) const { return w - rate * g; }
};

}  // namespace

void row_wise_adagrad_f32(const AdagradArgs& a) { update_rows<RowWiseAdagrad>(a); }
void row_wise_adagrad_bf16(const AdagradArgs& a) { update_bf16<RowWiseAdagrad>(a); }
void row_wise_adagrad_any(const AdagradArgs& a) { update_any<RowWiseAdagrad>(a); }

}  // namespace rowmill::ROWMILL_ISA
