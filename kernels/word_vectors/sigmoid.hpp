// SPDX-License-Identifier: Apache-2.0
// The sigmoid of word vectors, from + - * / alone.
#pragma once

namespace rowmill {

/// sigmoid(x) = 1/2 + 1/2 tanh(x/2), where tanh(u) is u P(u^2) / Q(u^2) for |u| <= 8 and constant beyond. P and Q are a
/// minimax fit, with an error of 6e-9. In float the result is within 2e-7 of sigmoid(x), and from 2^-25 to 1. These are
/// the coefficients of u^0, u^2, ...
namespace sigmoid_fit {
inline constexpr float kMax = 8.0F;
inline constexpr float kP[] = {0x1.fffffep-1F, 0.13438187539577484F, 0.0035641524009406567F, 2.177318492613267e-05F,
                               1.5061726088561045e-08F};
inline constexpr float kQ[] = {1.0F, 0.4677150845527649F, 0.0261360015720129F, 0.00033991734380833805F,
                               8.453627629023686e-07F};
}  // namespace sigmoid_fit

}  // namespace rowmill
