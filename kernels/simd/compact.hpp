// SPDX-License-Identifier: Apache-2.0
// Removing ids from an array without a branch on each. Included by *.isa.cpp files only.
#pragma once

#include "kernels/simd.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

/// compact(ids, weights, dropped, rows, kept_weights) reads kCompact<Id> ids. It copies those that are not `dropped`,
/// widened, and their weights unless they are null, and returns their number. It writes as many elements as it reads.
#if defined(__AVX512BW__)
template <class Id>
inline constexpr std::int64_t kCompact = 64 / std::int64_t{sizeof(Id)};

inline std::int64_t compact(const std::int32_t* ids, const float* weights, std::int32_t dropped, std::int64_t* rows,
                            float* kept_weights) {
  const __m512i v = _mm512_loadu_si512(ids);
  const __mmask16 kept = _mm512_cmpneq_epi32_mask(v, _mm512_set1_epi32(dropped));
  const __m512i packed = _mm512_maskz_compress_epi32(kept, v);
  _mm512_storeu_si512(rows, _mm512_cvtepi32_epi64(_mm512_castsi512_si256(packed)));
  _mm512_storeu_si512(rows + 8, _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(packed, 1)));
  if (weights != nullptr) {
    _mm512_storeu_ps(kept_weights, _mm512_maskz_compress_ps(kept, _mm512_loadu_ps(weights)));
  }
  return __builtin_popcount(kept);
}
inline std::int64_t compact(const std::int64_t* ids, const float* weights, std::int64_t dropped, std::int64_t* rows,
                            float* kept_weights) {
  const __m512i v = _mm512_loadu_si512(ids);
  const __mmask8 kept = _mm512_cmpneq_epi64_mask(v, _mm512_set1_epi64(dropped));
  _mm512_storeu_si512(rows, _mm512_maskz_compress_epi64(kept, v));
  if (weights != nullptr) {
    const __m512 eight = _mm512_castps256_ps512(_mm256_loadu_ps(weights));
    _mm256_storeu_ps(kept_weights, _mm512_castps512_ps256(_mm512_maskz_compress_ps(kept, eight)));
  }
  return __builtin_popcount(kept);
}
#else
template <class Id>
inline constexpr std::int64_t kCompact = 1;

template <class Id>
[[gnu::always_inline]] inline std::int64_t compact(const Id* ids, const float* weights, Id dropped, std::int64_t* rows,
                                                   float* kept_weights) {
  *rows = *ids;
  if (weights != nullptr) *kept_weights = *weights;
  return *ids != dropped ? 1 : 0;
}
#endif

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
