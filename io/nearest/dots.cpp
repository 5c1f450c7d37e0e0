// SPDX-License-Identifier: Apache-2.0
#include "io/nearest/dots.hpp"

#include <cstring>

#include "rowmill/isa.hpp"

namespace rowmill::io {
namespace {

constexpr int kRows = DotRows::kCount;

/// Floats beside each other; the compiler makes of them what the instruction set of the function that uses them has.
template <int kCount>
using Vector [[gnu::vector_size(kCount * sizeof(float))]] = float;
using Lanes = Vector<kLanes>;

/// Vectors are handed over by reference: by value, the way depends on the instruction set.
template <class V>
[[gnu::always_inline]] inline void load(const void* values, V& vector) {
  std::memcpy(&vector, values, sizeof vector);
}

/// sum = the lower half + the upper half
template <class Whole, class Half>
[[gnu::always_inline]] inline void add_halves(const Whole& whole, Half& sum) {
  Half halves[2];
  std::memcpy(halves, &whole, sizeof whole);
  sum = halves[0] + halves[1];
}

/// sum[r] = the sum of the lanes of sums[r]: lane k and k + 8, then + 4, + 2, + 1.
[[gnu::always_inline]] inline void add_lanes(const Lanes (&sums)[kRows], Vector<kRows>& sum) {
  Vector<4> fours[kRows];
  for (int r = 0; r < kRows; ++r) {
    Vector<8> eight;
    add_halves(sums[r], eight);
    add_halves(eight, fours[r]);
  }
  // Transposed, so that the last two steps add four rows at once.
  const Vector<4> low01 = __builtin_shufflevector(fours[0], fours[1], 0, 4, 1, 5);
  const Vector<4> low23 = __builtin_shufflevector(fours[2], fours[3], 0, 4, 1, 5);
  const Vector<4> high01 = __builtin_shufflevector(fours[0], fours[1], 2, 6, 3, 7);
  const Vector<4> high23 = __builtin_shufflevector(fours[2], fours[3], 2, 6, 3, 7);
  const Vector<4> sum01 = low01 + high01;
  const Vector<4> sum23 = low23 + high23;
  sum = __builtin_shufflevector(sum01, sum23, 0, 1, 4, 5) + __builtin_shufflevector(sum01, sum23, 2, 3, 6, 7);
}

/// kQueries queries from `q` on.
template <int kQueries>
[[gnu::always_inline]] inline void some_cosines(const DotRows& rows, const Vector<kRows>& lengths,
                                                const DotQueries& queries, std::int64_t q, float* out) {
  const float* const first = queries.vectors + q * queries.stride;
  Lanes sums[kQueries][kRows] = {};
  for (std::int64_t c = 0; c < rows.whole_columns; c += kLanes) {
    Lanes x[kRows];
    for (int r = 0; r < kRows; ++r) load(rows.whole[r] + c, x[r]);
    for (int k = 0; k < kQueries; ++k) {
      Lanes y;
      load(first + k * queries.stride + c, y);
      for (int r = 0; r < kRows; ++r) sums[k][r] += x[r] * y;
    }
  }
  if (rows.has_tail) {
    for (int k = 0; k < kQueries; ++k) {
      Lanes y;
      load(first + k * queries.stride + rows.whole_columns, y);
      for (int r = 0; r < kRows; ++r) {
        Lanes x;
        load(rows.tails[r], x);
        sums[k][r] += x * y;
      }
    }
  }
  for (int k = 0; k < kQueries; ++k) {
    Vector<kRows> sum;
    add_lanes(sums[k], sum);
    sum /= lengths * queries.lengths[q + k];
    std::memcpy(out + (q + k) * kRows, &sum, sizeof sum);
  }
}

/// kQueries at once: as many as the registers have sums for.
template <int kQueries>
[[gnu::always_inline]] inline void all_cosines(const DotRows& rows, const float* lengths, const DotQueries& queries,
                                               float* out) {
  Vector<kRows> row_lengths;
  load(lengths, row_lengths);
  std::int64_t q = 0;
  for (; q + kQueries <= queries.count; q += kQueries) some_cosines<kQueries>(rows, row_lengths, queries, q, out);
  for (; q < queries.count; ++q) some_cosines<1>(rows, row_lengths, queries, q, out);
}

/// The first pass over the rows, which also prefetches the next ones: the processor would begin to wait for them only
/// when this call's are done.
[[gnu::always_inline]] inline void all_squares(const DotRows& rows, float* out) {
  Lanes sums[kRows] = {};
  for (std::int64_t c = 0; c < rows.whole_columns; c += kLanes) {
    for (int r = 0; r < kRows; ++r) {
      __builtin_prefetch(reinterpret_cast<const char*>(rows.whole[r] + c) + rows.next);
      Lanes x;
      load(rows.whole[r] + c, x);
      sums[r] += x * x;
    }
  }
  if (rows.has_tail) {
    for (int r = 0; r < kRows; ++r) {
      Lanes x;
      load(rows.tails[r], x);
      sums[r] += x * x;
    }
  }
  Vector<kRows> sum;
  add_lanes(sums, sum);
  std::memcpy(out, &sum, sizeof sum);
}

void squares_plain(const DotRows& rows, float* out) { all_squares(rows, out); }
void cosines_plain(const DotRows& rows, const float* lengths, const DotQueries& queries, float* out) {
  all_cosines<1>(rows, lengths, queries, out);
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] void squares_avx2(const DotRows& rows, float* out) { all_squares(rows, out); }
[[gnu::target("avx2")]] void cosines_avx2(const DotRows& rows, const float* lengths, const DotQueries& queries,
                                          float* out) {
  all_cosines<1>(rows, lengths, queries, out);
}

[[gnu::target("avx512f")]] void squares_avx512(const DotRows& rows, float* out) { all_squares(rows, out); }
[[gnu::target("avx512f")]] void cosines_avx512(const DotRows& rows, const float* lengths, const DotQueries& queries,
                                               float* out) {
  all_cosines<4>(rows, lengths, queries, out);
}
#endif

}  // namespace

DotLoops dot_loops() {
#if defined(__x86_64__)
  if (isa_name() == "avx512") return {squares_avx512, cosines_avx512};
  if (isa_name() == "avx2") return {squares_avx2, cosines_avx2};
#endif
  return {squares_plain, cosines_plain};
}

}  // namespace rowmill::io
