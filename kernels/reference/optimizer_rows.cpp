// SPDX-License-Identifier: Apache-2.0
// What a step does to one row: the formulas of include/rowmill/optimizer.hpp.
#include <cmath>

#include "kernels/reference/lane_sum.hpp"
#include "kernels/reference/reference.hpp"

namespace rowmill::reference {

void decay_row(float* w, float* g, std::int64_t dim, WeightDecay decay, float factor) {
  for (std::int64_t c = 0; c < dim; ++c) {
    if (decay == WeightDecay::l2) g[c] = g[c] + factor * w[c];
    if (decay == WeightDecay::decoupled) w[c] = w[c] * factor;
  }
}

float sum_of_squares(const float* g, std::int64_t dim, float factor) {
  return lane_sum(dim, [=](std::int64_t c) { return (factor * g[c]) * (factor * g[c]); });
}

float mean_square(const float* g, std::int64_t dim, float factor) {
  return sum_of_squares(g, dim, factor) / static_cast<float>(dim);
}

void scale_row(float* g, std::int64_t dim, float factor) {
  for (std::int64_t c = 0; c < dim; ++c) g[c] = g[c] * factor;
}

void sgd_row(float* w, const float* g, std::int64_t dim, float learning_rate) {
  for (std::int64_t c = 0; c < dim; ++c) w[c] = w[c] - learning_rate * g[c];
}

void sgd_momentum_row(float* w, float* buffer, const float* g, std::int64_t dim, float learning_rate, float momentum,
                      bool nesterov) {
  for (std::int64_t c = 0; c < dim; ++c) {
    buffer[c] = momentum * buffer[c] + g[c];
    w[c] = w[c] - learning_rate * (nesterov ? g[c] + momentum * buffer[c] : buffer[c]);
  }
}

void adagrad_row(float* w, float* accumulator, const float* g, std::int64_t dim, float learning_rate, float epsilon) {
  for (std::int64_t c = 0; c < dim; ++c) {
    accumulator[c] = accumulator[c] + g[c] * g[c];
    w[c] = w[c] - (learning_rate * g[c]) / (std::sqrt(accumulator[c]) + epsilon);
  }
}

void row_wise_adagrad_row(float* w, float* accumulator, const float* g, std::int64_t dim, float learning_rate,
                          float epsilon) {
  *accumulator = *accumulator + mean_square(g, dim);
  const float rate = learning_rate / (std::sqrt(*accumulator) + epsilon);
  for (std::int64_t c = 0; c < dim; ++c) w[c] = w[c] - rate * g[c];
}

void adam_row(float* w, float* m, float* v, const float* g, std::int64_t dim, const AdamScalars& s) {
  for (std::int64_t c = 0; c < dim; ++c) {
    m[c] = s.beta1 * m[c] + s.one_minus_beta1 * g[c];
    v[c] = s.beta2 * v[c] + s.one_minus_beta2 * (g[c] * g[c]);
    w[c] = w[c] - (s.step_size * m[c]) / (std::sqrt(v[c]) * s.inverse_sqrt_bc2 + s.epsilon);
  }
}

void partial_row_wise_adam_row(float* w, float* m, float* v, const float* g, std::int64_t dim, const AdamScalars& s) {
  *v = s.beta2 * *v + s.one_minus_beta2 * mean_square(g, dim);
  const float rate = s.step_size / (std::sqrt(*v) * s.inverse_sqrt_bc2 + s.epsilon);
  for (std::int64_t c = 0; c < dim; ++c) {
    m[c] = s.beta1 * m[c] + s.one_minus_beta1 * g[c];
    w[c] = w[c] - rate * m[c];
  }
}

}  // namespace rowmill::reference
