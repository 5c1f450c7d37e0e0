// SPDX-License-Identifier: Apache-2.0
// The leaf kernels of bags for the `scalar` instruction set.
#include "kernels/pool/pool_kernels.hpp"

#include <cmath>

#include "kernels/kernel_list.hpp"
#include "kernels/reference/lane_sum.hpp"
#include "kernels/reference/reference.hpp"
#include "rowmill/format.hpp"

namespace rowmill::scalar {
namespace {

// `from` is the format of the table.

template <class Args>
float element(Format from, const Args& a, std::int64_t i, std::int64_t c) {
  if (a.ids[i] < 0) return 0;
  const auto* const row = static_cast<const std::byte*>(a.table) + a.ids[i] * a.table_stride * element_size(from);
  return reference::load(from, row, a.dim, c);
}

template <class Args>
float term(Format from, const Args& a, std::int64_t i, std::int64_t c) {
  const float x = element(from, a, i, c);
  return a.weights == nullptr ? x : a.weights[i] * x;
}

/// The position of bag b whose term in column c is the largest; -1 if no position counts.
template <class Args>
std::int64_t winner(Format from, const Args& a, std::int64_t b, std::int64_t c) {
  std::int64_t best = -1;
  for (std::int64_t i = a.begin[b]; i < a.begin[b + 1]; ++i) {
    if (a.ids[i] == reference::kDropped) continue;
    if (best < 0) best = i;
    const float later = term(from, a, i, c);
    const float until_now = term(from, a, best, c);
    if (later > until_now || (std::isnan(later) && !std::isnan(until_now))) best = i;
  }
  return best;
}

/// Stores pooled(b, c) / divisor for each bag and column.
template <class Id, class Pooled>
void pool(const PoolArgs<Id>& a, Pooled pooled) {
  for (std::int64_t b = 0; b < a.bags; ++b) {
    const float divisor = a.divisors == nullptr ? 1 : a.divisors[b];
    for (std::int64_t c = 0; c < a.dim; ++c) {
      reference::store(a.to, a.out, b * a.out_stride + c, divisor == 0 ? 0.0F : pooled(b, c) / divisor);
    }
  }
}

template <class Id>
void pool_sum(Format from, const PoolArgs<Id>& a) {
  pool(a, [&](std::int64_t b, std::int64_t c) {
    float sum = 0;
    bool first = true;
    for (std::int64_t i = a.begin[b]; i < a.begin[b + 1]; ++i) {
      if (a.ids[i] == reference::kDropped) continue;
      sum = first ? term(from, a, i, c) : sum + term(from, a, i, c);
      first = false;
    }
    return sum;
  });
}

void pool_max(Format from, const PoolArgs<std::int64_t>& a) {
  pool(a, [&](std::int64_t b, std::int64_t c) {
    const std::int64_t best = winner(from, a, b, c);
    return best < 0 ? 0.0F : term(from, a, best, c);
  });
}

void find_winners(Format from, const FindWinnersArgs& a) {
  for (std::int64_t b = 0; b < a.bags; ++b) {
    for (std::int64_t c = 0; c < a.dim; ++c) {
      const std::int64_t best = winner(from, a, b, c);
      const bool is_row = best >= 0 && a.ids[best] >= 0;
      a.winners[b * a.dim + c] = is_row ? static_cast<std::int32_t>(best - a.begin[b]) : -1;
    }
  }
}

void pool_dots(Format from, const PoolDotsArgs& a) {
  for (std::int64_t b = 0; b < a.bags; ++b) {
    for (std::int64_t i = a.begin[b]; i < a.begin[b + 1]; ++i) {
      const auto product = [&](std::int64_t c) {
        const bool lost = a.winners != nullptr && a.winners[b * a.dim + c] != i - a.begin[b];
        return lost ? 0.0F : a.gradient[b * a.gradient_stride + c] * element(from, a, i, c);
      };
      a.out[i] = a.ids[i] == reference::kDropped ? 0.0F : reference::lane_sum(a.dim, product);
    }
  }
}

}  // namespace

void pool_f32_i32(const PoolArgs<std::int32_t>& a) { pool_sum(Format::f32, a); }
void pool_f32_i64(const PoolArgs<std::int64_t>& a) { pool_sum(Format::f32, a); }
void pool_bf16_i32(const PoolArgs<std::int32_t>& a) { pool_sum(Format::bf16, a); }
void pool_bf16_i64(const PoolArgs<std::int64_t>& a) { pool_sum(Format::bf16, a); }
void pool_f16_i32(const PoolArgs<std::int32_t>& a) { pool_sum(Format::f16, a); }
void pool_f16_i64(const PoolArgs<std::int64_t>& a) { pool_sum(Format::f16, a); }
void pool_int8_i32(const PoolArgs<std::int32_t>& a) { pool_sum(Format::int8, a); }
void pool_int8_i64(const PoolArgs<std::int64_t>& a) { pool_sum(Format::int8, a); }
void pool_int4_i32(const PoolArgs<std::int32_t>& a) { pool_sum(Format::int4, a); }
void pool_int4_i64(const PoolArgs<std::int64_t>& a) { pool_sum(Format::int4, a); }
void pool_int2_i32(const PoolArgs<std::int32_t>& a) { pool_sum(Format::int2, a); }
void pool_int2_i64(const PoolArgs<std::int64_t>& a) { pool_sum(Format::int2, a); }
void pool_with_zeros_f32(const PoolArgs<std::int64_t>& a) { pool_sum(Format::f32, a); }
void pool_with_zeros_bf16(const PoolArgs<std::int64_t>& a) { pool_sum(Format::bf16, a); }
void pool_with_zeros_f16(const PoolArgs<std::int64_t>& a) { pool_sum(Format::f16, a); }
void pool_with_zeros_int8(const PoolArgs<std::int64_t>& a) { pool_sum(Format::int8, a); }
void pool_with_zeros_int4(const PoolArgs<std::int64_t>& a) { pool_sum(Format::int4, a); }
void pool_with_zeros_int2(const PoolArgs<std::int64_t>& a) { pool_sum(Format::int2, a); }
void pool_max_f32(const PoolArgs<std::int64_t>& a) { pool_max(Format::f32, a); }
void pool_max_bf16(const PoolArgs<std::int64_t>& a) { pool_max(Format::bf16, a); }
void pool_max_f16(const PoolArgs<std::int64_t>& a) { pool_max(Format::f16, a); }
void pool_max_int8(const PoolArgs<std::int64_t>& a) { pool_max(Format::int8, a); }
void pool_max_int4(const PoolArgs<std::int64_t>& a) { pool_max(Format::int4, a); }
void pool_max_int2(const PoolArgs<std::int64_t>& a) { pool_max(Format::int2, a); }
void find_winners_f32(const FindWinnersArgs& a) { find_winners(Format::f32, a); }
void find_winners_bf16(const FindWinnersArgs& a) { find_winners(Format::bf16, a); }
void find_winners_f16(const FindWinnersArgs& a) { find_winners(Format::f16, a); }
void pool_dots_f32(const PoolDotsArgs& a) { pool_dots(Format::f32, a); }
void pool_dots_bf16(const PoolDotsArgs& a) { pool_dots(Format::bf16, a); }
void pool_dots_f16(const PoolDotsArgs& a) { pool_dots(Format::f16, a); }

}  // namespace rowmill::scalar
