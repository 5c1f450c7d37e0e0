// SPDX-License-Identifier: Apache-2.0
// The leaf kernels of bags, of the `scalar` instruction set.
#include "kernels/pool/pool_kernels.hpp"

#include <cmath>

#include "kernels/kernel_list.hpp"
#include "kernels/reference/reference.hpp"
#include "rowmill/format.hpp"

namespace rowmill::scalar {
namespace {

// In and Out: float or Bf16, the storage types of a table and of what is written. In may be a quantised format.

template <Format format>
struct Quantized {
  static constexpr Format kFormat = format;
};

template <class In, class Args>
float element(const Args& a, std::int64_t i, std::int64_t c) {
  if (a.ids[i] < 0) return 0;
  if constexpr (requires { In::kFormat; }) {
    const auto* const row = static_cast<const std::uint8_t*>(a.table) + a.ids[i] * a.table_stride;
    return reference::dequantize(In::kFormat, row, a.dim, c);
  } else {
    return static_cast<float>(static_cast<const In*>(a.table)[a.ids[i] * a.table_stride + c]);
  }
}

template <class In, class Args>
float term(const Args& a, std::int64_t i, std::int64_t c) {
  const float x = element<In>(a, i, c);
  return a.weights == nullptr ? x : a.weights[i] * x;
}

/// The position of bag b whose term in column c is the largest; -1 if no position counts.
template <class In, class Args>
std::int64_t winner(const Args& a, std::int64_t b, std::int64_t c) {
  std::int64_t best = -1;
  for (std::int64_t i = a.begin[b]; i < a.begin[b + 1]; ++i) {
    if (a.ids[i] == reference::kDropped) continue;
    if (best < 0) best = i;
    const float later = term<In>(a, i, c);
    const float until_now = term<In>(a, best, c);
    if (later > until_now || (std::isnan(later) && !std::isnan(until_now))) best = i;
  }
  return best;
}

/// Calls pooled(b, c), which is a bag's result before its division.
template <class Out, class Id, class Pooled>
void pool(const PoolArgs<Id>& a, Pooled pooled) {
  auto* const out = static_cast<Out*>(a.out);
  for (std::int64_t b = 0; b < a.bags; ++b) {
    const float divisor = a.divisors == nullptr ? 1 : a.divisors[b];
    for (std::int64_t c = 0; c < a.dim; ++c) {
      out[b * a.out_stride + c] = static_cast<Out>(divisor == 0 ? 0.0F : pooled(b, c) / divisor);
    }
  }
}

template <class In, class Out, class Id>
void pool_sum(const PoolArgs<Id>& a) {
  pool<Out>(a, [&](std::int64_t b, std::int64_t c) {
    float sum = 0;
    bool first = true;
    for (std::int64_t i = a.begin[b]; i < a.begin[b + 1]; ++i) {
      if (a.ids[i] == reference::kDropped) continue;
      sum = first ? term<In>(a, i, c) : sum + term<In>(a, i, c);
      first = false;
    }
    return sum;
  });
}

template <class In, class Out>
void pool_max(const PoolArgs<std::int64_t>& a) {
  pool<Out>(a, [&](std::int64_t b, std::int64_t c) {
    const std::int64_t best = winner<In>(a, b, c);
    return best < 0 ? 0.0F : term<In>(a, best, c);
  });
}

template <class In>
void find_winners(const FindWinnersArgs& a) {
  for (std::int64_t b = 0; b < a.bags; ++b) {
    for (std::int64_t c = 0; c < a.dim; ++c) {
      const std::int64_t best = winner<In>(a, b, c);
      const bool is_row = best >= 0 && a.ids[best] >= 0;
      a.winners[b * a.dim + c] = is_row ? static_cast<std::int32_t>(best - a.begin[b]) : -1;
    }
  }
}

template <class In>
void pool_dots(const PoolDotsArgs& a) {
  constexpr std::int64_t kLanes = 16;
  for (std::int64_t b = 0; b < a.bags; ++b) {
    for (std::int64_t i = a.begin[b]; i < a.begin[b + 1]; ++i) {
      float lanes[kLanes] = {};
      for (std::int64_t c = 0; c < a.dim && a.ids[i] != reference::kDropped; ++c) {
        const bool lost = a.winners != nullptr && a.winners[b * a.dim + c] != i - a.begin[b];
        lanes[c % kLanes] += lost ? 0.0F : a.gradient[b * a.gradient_stride + c] * element<In>(a, i, c);
      }
      for (std::int64_t width = kLanes / 2; width > 0; width /= 2) {
        for (std::int64_t k = 0; k < width; ++k) lanes[k] += lanes[k + width];
      }
      a.out[i] = lanes[0];
    }
  }
}

}  // namespace

void pool_f32_i32(const PoolArgs<std::int32_t>& a) { pool_sum<float, float>(a); }
void pool_f32_i64(const PoolArgs<std::int64_t>& a) { pool_sum<float, float>(a); }
void pool_bf16_i32(const PoolArgs<std::int32_t>& a) { pool_sum<Bf16, Bf16>(a); }
void pool_bf16_i64(const PoolArgs<std::int64_t>& a) { pool_sum<Bf16, Bf16>(a); }
void pool_bf16_to_f32_i32(const PoolArgs<std::int32_t>& a) { pool_sum<Bf16, float>(a); }
void pool_bf16_to_f32_i64(const PoolArgs<std::int64_t>& a) { pool_sum<Bf16, float>(a); }
void pool_with_zeros_f32(const PoolArgs<std::int64_t>& a) { pool_sum<float, float>(a); }
void pool_with_zeros_bf16(const PoolArgs<std::int64_t>& a) { pool_sum<Bf16, Bf16>(a); }
void pool_with_zeros_bf16_to_f32(const PoolArgs<std::int64_t>& a) { pool_sum<Bf16, float>(a); }
void pool_max_f32(const PoolArgs<std::int64_t>& a) { pool_max<float, float>(a); }
void pool_max_bf16(const PoolArgs<std::int64_t>& a) { pool_max<Bf16, Bf16>(a); }
void pool_max_bf16_to_f32(const PoolArgs<std::int64_t>& a) { pool_max<Bf16, float>(a); }
void pool_int8_to_f32_i32(const PoolArgs<std::int32_t>& a) { pool_sum<Quantized<Format::int8>, float>(a); }
void pool_int8_to_f32_i64(const PoolArgs<std::int64_t>& a) { pool_sum<Quantized<Format::int8>, float>(a); }
void pool_int8_to_bf16_i32(const PoolArgs<std::int32_t>& a) { pool_sum<Quantized<Format::int8>, Bf16>(a); }
void pool_int8_to_bf16_i64(const PoolArgs<std::int64_t>& a) { pool_sum<Quantized<Format::int8>, Bf16>(a); }
void pool_int4_to_f32_i32(const PoolArgs<std::int32_t>& a) { pool_sum<Quantized<Format::int4>, float>(a); }
void pool_int4_to_f32_i64(const PoolArgs<std::int64_t>& a) { pool_sum<Quantized<Format::int4>, float>(a); }
void pool_int4_to_bf16_i32(const PoolArgs<std::int32_t>& a) { pool_sum<Quantized<Format::int4>, Bf16>(a); }
void pool_int4_to_bf16_i64(const PoolArgs<std::int64_t>& a) { pool_sum<Quantized<Format::int4>, Bf16>(a); }
void pool_int2_to_f32_i32(const PoolArgs<std::int32_t>& a) { pool_sum<Quantized<Format::int2>, float>(a); }
void pool_int2_to_f32_i64(const PoolArgs<std::int64_t>& a) { pool_sum<Quantized<Format::int2>, float>(a); }
void pool_int2_to_bf16_i32(const PoolArgs<std::int32_t>& a) { pool_sum<Quantized<Format::int2>, Bf16>(a); }
void pool_int2_to_bf16_i64(const PoolArgs<std::int64_t>& a) { pool_sum<Quantized<Format::int2>, Bf16>(a); }
void pool_with_zeros_int8_to_f32(const PoolArgs<std::int64_t>& a) { pool_sum<Quantized<Format::int8>, float>(a); }
void pool_with_zeros_int8_to_bf16(const PoolArgs<std::int64_t>& a) { pool_sum<Quantized<Format::int8>, Bf16>(a); }
void pool_with_zeros_int4_to_f32(const PoolArgs<std::int64_t>& a) { pool_sum<Quantized<Format::int4>, float>(a); }
void pool_with_zeros_int4_to_bf16(const PoolArgs<std::int64_t>& a) { pool_sum<Quantized<Format::int4>, Bf16>(a); }
void pool_with_zeros_int2_to_f32(const PoolArgs<std::int64_t>& a) { pool_sum<Quantized<Format::int2>, float>(a); }
void pool_with_zeros_int2_to_bf16(const PoolArgs<std::int64_t>& a) { pool_sum<Quantized<Format::int2>, Bf16>(a); }
void pool_max_int8_to_f32(const PoolArgs<std::int64_t>& a) { pool_max<Quantized<Format::int8>, float>(a); }
void pool_max_int8_to_bf16(const PoolArgs<std::int64_t>& a) { pool_max<Quantized<Format::int8>, Bf16>(a); }
void pool_max_int4_to_f32(const PoolArgs<std::int64_t>& a) { pool_max<Quantized<Format::int4>, float>(a); }
void pool_max_int4_to_bf16(const PoolArgs<std::int64_t>& a) { pool_max<Quantized<Format::int4>, Bf16>(a); }
void pool_max_int2_to_f32(const PoolArgs<std::int64_t>& a) { pool_max<Quantized<Format::int2>, float>(a); }
void pool_max_int2_to_bf16(const PoolArgs<std::int64_t>& a) { pool_max<Quantized<Format::int2>, Bf16>(a); }
void find_winners_f32(const FindWinnersArgs& a) { find_winners<float>(a); }
void find_winners_bf16(const FindWinnersArgs& a) { find_winners<Bf16>(a); }
void pool_dots_f32(const PoolDotsArgs& a) { pool_dots<float>(a); }
void pool_dots_bf16(const PoolDotsArgs& a) { pool_dots<Bf16>(a); }

}  // namespace rowmill::scalar
