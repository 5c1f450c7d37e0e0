// SPDX-License-Identifier: Apache-2.0
// Windows: the mean of the rows in each, and its transpose. Each loop runs as far as the widest window, and adds a row
// of zeros for each word beyond its own window, which changes no bit of a sum that starts from +0. A loop that ended
// with each window would cost a mispredicted branch for each.
#include "kernels/simd.hpp"
#include "kernels/word_vectors/word_vectors_kernels.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

constexpr std::int64_t kAhead = 8;  // how many positions ahead of its use a row is prefetched

/// Calls f.operator()<n>(c) for groups of n <= 8 vectors that cover columns c .. dim-1; dim is a multiple of 16.
template <std::int64_t n = 8, class F>
[[gnu::always_inline]] inline void for_each_column_group(std::int64_t dim, std::int64_t c, F f) {
  for (; dim - c >= n * kLanes; c += n * kLanes) f.template operator()<n>(c);
  constexpr std::int64_t kLess = n - 16 / kLanes;
  if constexpr (kLess > 0) {
    if (c < dim) for_each_column_group<kLess>(dim, c, f);
  }
}

template <std::int64_t n>
[[gnu::always_inline]] inline void add_row(Floats (&sum)[n], const float* row) {
  unrolled<n>([&](std::int64_t v) __attribute__((always_inline)) { sum[v] += load(row + v * kLanes); });
}

template <std::int64_t n>
[[gnu::always_inline]] inline void clear(Floats (&sum)[n]) {
  unrolled<n>([&](std::int64_t v) __attribute__((always_inline)) { sum[v] = Floats(0.0F); });
}

}  // namespace

void window_mean_f32_i32(const WindowMeanArgs& args) {
  const WindowMeanArgs a = args;  // vector stores may alias anything in memory, but not a local copy
  const std::int64_t row_bytes = a.dim * std::int64_t{sizeof(float)};
  for_each_column_group(
      a.dim, 0, [&]<std::int64_t n>(std::int64_t c) __attribute__((always_inline)) {
        const float* const table = a.table + c;
        const float* const zeros = a.zeros;
        for (std::int64_t i = 0; i < a.count; ++i) {
          const std::int64_t left = a.left[i];
          const std::int64_t right = a.right[i];
          if (c == 0 && i + a.window + kAhead < a.ids_end) {
            prefetch<CacheLevel::first>(a.table + a.ids[i + a.window + kAhead] * a.table_stride, row_bytes);
          }
          Floats sum[n];
          clear(sum);
          for (std::int64_t d = a.window; d > 0; --d) {
            const std::int64_t j = d <= left ? i - d : i;  // a position that may be read
            const float* const row = table + a.ids[j] * a.table_stride;
            add_row(sum, d <= left ? row : zeros);
          }
          for (std::int64_t d = 1; d <= a.window; ++d) {
            const std::int64_t j = d <= right ? i + d : i;
            const float* const row = table + a.ids[j] * a.table_stride;
            add_row(sum, d <= right ? row : zeros);
          }
          const std::int64_t words = left + right;
          const Floats scale(words == 0 ? 0.0F : 1.0F / static_cast<float>(words));
          float* const out = a.out + i * a.dim + c;
          unrolled<n>([&](std::int64_t v) __attribute__((always_inline)) { store(out + v * kLanes, sum[v] * scale); });
        }
      });
}

void window_transpose_f32(const WindowTransposeArgs& args) {
  const WindowTransposeArgs a = args;
  for_each_column_group(
      a.dim, 0, [&]<std::int64_t n>(std::int64_t c) __attribute__((always_inline)) {
        const float* const in = a.in + c;
        const float* const zeros = a.zeros;
        for (std::int64_t j = -a.window; j < a.count + a.window; ++j) {
          Floats sum[n];
          clear(sum);
          for (std::int64_t d = a.window; d > 0; --d) add_row(sum, d <= a.right[j - d] ? in + (j - d) * a.dim : zeros);
          for (std::int64_t d = 1; d <= a.window; ++d) add_row(sum, d <= a.left[j + d] ? in + (j + d) * a.dim : zeros);
          float* const out = a.out + (a.window + j) * a.dim + c;
          unrolled<n>([&](std::int64_t v) __attribute__((always_inline)) { store(out + v * kLanes, sum[v]); });
        }
      });
}

}  // namespace rowmill::ROWMILL_ISA
