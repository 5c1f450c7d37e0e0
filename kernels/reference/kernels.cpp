// SPDX-License-Identifier: Apache-2.0
// The leaf kernels of the `scalar` instruction set.
#include <cmath>

#include "kernels/kernel_list.hpp"
#include "kernels/random/philox.hpp"
#include "kernels/reference/reference.hpp"

namespace rowmill {

std::array<std::uint32_t, 4> philox4x32_10(std::array<std::uint32_t, 4> x, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < philox::kRounds; ++round) {
    const std::uint64_t p0 = std::uint64_t{philox::kMultiplier0} * x[0];
    const std::uint64_t p1 = std::uint64_t{philox::kMultiplier1} * x[2];
    x = {static_cast<std::uint32_t>(p1 >> 32) ^ x[1] ^ key[0], static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ x[3] ^ key[1], static_cast<std::uint32_t>(p0)};
    key[0] += philox::kWeyl0;
    key[1] += philox::kWeyl1;
  }
  return x;
}

}  // namespace rowmill

namespace rowmill::reference {

void sgd_row(float* w, const float* g, std::int64_t dim, float learning_rate) {
  for (std::int64_t c = 0; c < dim; ++c) w[c] = w[c] - learning_rate * g[c];
}

void adagrad_row(float* w, float* accumulator, const float* g, std::int64_t dim, float learning_rate, float epsilon) {
  for (std::int64_t c = 0; c < dim; ++c) {
    accumulator[c] = accumulator[c] + g[c] * g[c];
    w[c] = w[c] - (learning_rate * g[c]) / (std::sqrt(accumulator[c]) + epsilon);
  }
}

void adam_row(float* w, float* m, float* v, const float* g, std::int64_t dim, const AdamScalars& s) {
  for (std::int64_t c = 0; c < dim; ++c) {
    m[c] = s.beta1 * m[c] + s.one_minus_beta1 * g[c];
    v[c] = s.beta2 * v[c] + s.one_minus_beta2 * (g[c] * g[c]);
    w[c] = w[c] - (s.step_size * m[c]) / (std::sqrt(v[c]) * s.inverse_sqrt_bc2 + s.epsilon);
  }
}

void fill_uniform_row(float* out, std::uint64_t row, std::int64_t dim, std::array<std::uint32_t, 2> key,
                      std::uint32_t step, float low, float width) {
  for (std::int64_t c = 0; c < dim; ++c) {
    const auto block = static_cast<std::uint32_t>(c / 4);
    const auto words =
        philox4x32_10({block, static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(row >> 32), step}, key);
    const float u = static_cast<float>(words[static_cast<std::size_t>(c % 4)] >> 8) * 0x1p-24F;
    out[c] = low + width * u;
  }
}

}  // namespace rowmill::reference

namespace rowmill::scalar {
namespace {

template <class Id>
std::int64_t find_bad_id(const FindBadIdArgs<Id>& a) {
  for (std::int64_t i = 0; i < a.count; ++i) {
    if (a.ids[i] < a.lowest || a.ids[i] > a.highest) return i;
  }
  return a.count;
}

template <class Id>
void gather(const GatherArgs<Id>& a) {
  for (std::int64_t i = 0; i < a.count; ++i) {
    const std::int64_t row = a.ids[i];
    for (std::int64_t c = 0; c < a.dim; ++c) {
      a.out[i * a.out_stride + c] = row < 0 ? 0.0F : a.table[row * a.table_stride + c];
    }
  }
}

const float* contribution(const SegmentArgs& a, std::int64_t position) {
  const GradientPass* pass = a.passes;
  std::int64_t begin = 0;
  while (position >= pass->end) begin = (pass++)->end;
  return pass->data + (position - begin) * pass->stride;
}

/// As reference::sum_in_blocks, column by column, without allocating.
const float* segment_gradient(const SegmentArgs& a, std::int64_t s) {
  for (std::int64_t c = 0; c < a.dim; ++c) {
    float total = 0;
    for (std::int64_t block = a.begin[s]; block < a.begin[s + 1]; block += kSumBlock) {
      float sum = contribution(a, a.positions[block])[c];
      for (std::int64_t k = block + 1; k < block + kSumBlock && k < a.begin[s + 1]; ++k) {
        sum += contribution(a, a.positions[k])[c];
      }
      total = block == a.begin[s] ? sum : total + sum;
    }
    a.scratch[c] = total;
  }
  return a.scratch;
}

}  // namespace

std::int64_t find_bad_id_i32(const FindBadIdArgs<std::int32_t>& a) { return find_bad_id(a); }
std::int64_t find_bad_id_i64(const FindBadIdArgs<std::int64_t>& a) { return find_bad_id(a); }

void gather_f32_i32(const GatherArgs<std::int32_t>& a) { gather(a); }
void gather_f32_i64(const GatherArgs<std::int64_t>& a) { gather(a); }

void scatter_add_f32(const ScatterAddArgs& a) {
  for (std::int64_t k = 0; k < a.count; ++k) {
    const std::int64_t position = a.positions != nullptr ? a.positions[k] : k;
    if (a.rows[k] < 0) continue;
    for (std::int64_t c = 0; c < a.dim; ++c) {
      a.table[a.rows[k] * a.table_stride + c] += a.values[position * a.values_stride + c];
    }
  }
}

void sgd_f32(const SgdArgs& a) {
  const std::int64_t dim = a.segments.dim;
  for (std::int64_t s = 0; s < a.segments.count; ++s) {
    const std::int64_t row = a.segments.rows[s];
    reference::sgd_row(a.weights + row * a.stride, segment_gradient(a.segments, s), dim, a.learning_rate);
  }
}

void adagrad_f32(const AdagradArgs& a) {
  const std::int64_t dim = a.segments.dim;
  for (std::int64_t s = 0; s < a.segments.count; ++s) {
    const std::int64_t row = a.segments.rows[s];
    reference::adagrad_row(a.weights + row * a.stride, a.accumulator + row * dim, segment_gradient(a.segments, s), dim,
                           a.learning_rate, a.epsilon);
  }
}

void adam_f32(const AdamArgs& a) {
  const std::int64_t dim = a.segments.dim;
  for (std::int64_t s = 0; s < a.segments.count; ++s) {
    const std::int64_t row = a.segments.rows[s];
    reference::adam_row(a.weights + row * a.stride, a.m + row * dim, a.v + row * dim, segment_gradient(a.segments, s),
                        dim, a.scalars);
  }
}

void fill_uniform_f32(const FillUniformArgs& a) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    reference::fill_uniform_row(a.data + r * a.stride, static_cast<std::uint64_t>(a.first_row + r), a.dim,
                                {a.key[0], a.key[1]}, a.step, a.low, a.width);
  }
}

}  // namespace rowmill::scalar
