// SPDX-License-Identifier: Apache-2.0
// Small matrix products of a group: its rows times the samples that they share. Without fused multiply-add, and with
// dot products of 16 lanes and a balanced tree, as docs/numerics.md defines them.
#include "kernels/simd/tree.hpp"
#include "kernels/word_vectors/sigmoid.hpp"
#include "kernels/word_vectors/word_vectors_kernels.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

constexpr std::int64_t kParts = 16 / kLanes;  // vectors that hold the 16 lanes of a dot product

/// The first steps of the tree, from 16 lanes to those of a vector.
[[gnu::always_inline]] inline Floats join(const Floats* parts) {
  if constexpr (kParts == 4) {
    return (parts[0] + parts[2]) + (parts[1] + parts[3]);
  } else if constexpr (kParts == 2) {
    return parts[0] + parts[1];
  } else {
    return parts[0];
  }
}

/// sums[s * stride + r] = a[s] . b[r] for kA x kB rows, as vectors whose lanes are still to be added: by finish().
template <std::int64_t kA, std::int64_t kB>
[[gnu::always_inline]] inline void dots(const float* const* a, const float* const* b, std::int64_t dim, Floats* sums,
                                        std::int64_t stride) {
  const float* rows_a[kA];
  const float* rows_b[kB];
  unrolled<kA>([&](std::int64_t s) __attribute__((always_inline)) { rows_a[s] = a[s]; });
  unrolled<kB>([&](std::int64_t r) __attribute__((always_inline)) { rows_b[r] = b[r]; });
  Floats lanes[kA * kB * kParts];
  unrolled<kA * kB * kParts>([&](std::int64_t v) __attribute__((always_inline)) { lanes[v] = Floats(0.0F); });
  for (std::int64_t c = 0; c < dim; c += 16) {
    unrolled<kParts>([&](std::int64_t p) __attribute__((always_inline)) {
      Floats of_b[kB];
      unrolled<kB>([&](std::int64_t r) __attribute__((always_inline)) { of_b[r] = load(rows_b[r] + c + p * kLanes); });
      unrolled<kA>([&](std::int64_t s) __attribute__((always_inline)) {
        const Floats of_a = load(rows_a[s] + c + p * kLanes);
        unrolled<kB>([&](std::int64_t r)
                         __attribute__((always_inline)) { lanes[(s * kB + r) * kParts + p] += of_a * of_b[r]; });
      });
    });
  }
  unrolled<kA>([&](std::int64_t s) __attribute__((always_inline)) {
    unrolled<kB>([&](std::int64_t r)
                     __attribute__((always_inline)) { sums[s * stride + r] = join(lanes + (s * kB + r) * kParts); });
  });
}

/// out[0 .. 15] = the sums of the lanes of 16 vectors.
[[gnu::always_inline]] inline void finish(const Floats* sums, float* out) {
  unrolled<kParts>([&](std::int64_t p)
                       __attribute__((always_inline)) { store(out + p * kLanes, tree_sums(sums + p * kLanes)); });
}

/// out[i] = sigmoid(2 * sign * x[i]) for 16 numbers, in a loop that the compiler vectorises.
[[gnu::always_inline]] inline void sigmoids(const float* x, float sign, float (&out)[kGroup]) {
  namespace fit = sigmoid_fit;
  for (int i = 0; i < kGroup; ++i) {
    float u = x[i] * sign;
    u = u < -fit::kMax ? -fit::kMax : u;
    u = u > fit::kMax ? fit::kMax : u;
    const float u2 = u * u;
    float p = fit::kP[4] * u2 + fit::kP[3];
    float q = fit::kQ[4] * u2 + fit::kQ[3];
    p = p * u2 + fit::kP[2];
    q = q * u2 + fit::kQ[2];
    p = p * u2 + fit::kP[1];
    q = q * u2 + fit::kQ[1];
    p = p * u2 + fit::kP[0];
    q = q * u2 + fit::kQ[0];
    out[i] = 0.5F + 0.5F * ((u * p) / q);
  }
}

}  // namespace

void dot_pairs_f32(const DotPairsArgs& args) {
  const DotPairsArgs a = args;  // vector stores may alias anything in memory, but not a local copy
  constexpr std::int64_t kAtOnce = kSums / kParts < 4 ? 4 : kSums / kParts;
  Floats sums[kGroup];
  for (std::int64_t i = 0; i < kGroup; i += kAtOnce) {
    Floats lanes[kAtOnce * kParts];
    unrolled<kAtOnce * kParts>([&](std::int64_t v) __attribute__((always_inline)) { lanes[v] = Floats(0.0F); });
    for (std::int64_t c = 0; c < a.dim; c += 16) {
      unrolled<kAtOnce>([&](std::int64_t k) __attribute__((always_inline)) {
        unrolled<kParts>([&](std::int64_t p) __attribute__((always_inline)) {
          lanes[k * kParts + p] += load(a.a[i + k] + c + p * kLanes) * load(a.b[i + k] + c + p * kLanes);
        });
      });
    }
    unrolled<kAtOnce>([&](std::int64_t k) __attribute__((always_inline)) { sums[i + k] = join(lanes + k * kParts); });
  }
  finish(sums, a.out);
}

void dot_tile_f32(const DotTileArgs& args) {
  const DotTileArgs a = args;
  constexpr std::int64_t kAtOnce = 4;  // samples, and rows: 16 sums
  // The prefetches are spread over the loop, which hides them.
  const std::int64_t steps = a.sample_count / kAtOnce * (kGroup / kAtOnce);
  const std::int64_t next_each = (a.next_count + steps - 1) / steps;
  std::int64_t next = 0;
  for (std::int64_t k = 0; k < a.sample_count; k += kAtOnce) {
    for (std::int64_t i = 0; i < kGroup; i += kAtOnce) {
      for (const std::int64_t end = next + next_each; next < end && next < a.next_count; ++next) {
        prefetch<CacheLevel::first>(a.next[next], a.dim * std::int64_t{sizeof(float)});
      }
      Floats sums[kAtOnce * kAtOnce];
      if constexpr (kSums == 16) {
        dots<4, 4>(a.samples + k, a.rows + i, a.dim, sums, kAtOnce);
      } else {
        constexpr std::int64_t kSamples = kParts == 2 ? 2 : 1;
        for (std::int64_t s = 0; s < kAtOnce; s += kSamples) {
          for (std::int64_t r = 0; r < kAtOnce; r += 2) {
            dots<kSamples, 2>(a.samples + k + s, a.rows + i + r, a.dim, sums + s * kAtOnce + r, kAtOnce);
          }
        }
      }
      float scores[kGroup];
      finish(sums, scores);
      for (std::int64_t s = 0; s < kAtOnce; ++s) {
        __builtin_memcpy(a.out + (k + s) * kGroup + i, scores + s * kAtOnce, kAtOnce * sizeof(float));
      }
    }
  }
}

void sample_coefficients_f32_i32(const CoefficientsArgs& args) {
  const CoefficientsArgs a = args;
  float s[kGroup];
  sigmoids(a.target_scores, -0.5F, s);
  for (int i = 0; i < kGroup; ++i) a.target_out[i] = a.targets[i] < 0 ? 0.0F : a.alpha * s[i];
  for (std::int64_t k = 0; k < a.sample_count; ++k) {
    sigmoids(a.scores + k * kGroup, 0.5F, s);
    const std::int32_t sample = a.samples[k];
    float* const out = a.out + k * kGroup;
    for (int i = 0; i < kGroup; ++i) {
      const bool counts = (a.targets[i] >= 0) & (a.targets[i] != sample);
      out[i] = counts ? -(a.sample_alpha * s[i]) : 0.0F;
    }
  }
}

void coefficient_tile_f32(const CoefficientTileArgs& args) {
  const CoefficientTileArgs a = args;
  constexpr std::int64_t kAtOnce = kSums / 2;  // samples
  for (std::int64_t first = 0; first < a.sample_count; first += kAtOnce) {
    const float* const coefficients = a.coefficients + first * kGroup;
    for (std::int64_t c = 0; c < a.dim; c += kLanes) {
      Floats samples[kAtOnce];
      Floats sums[kAtOnce];
      unrolled<kAtOnce>([&](std::int64_t k) __attribute__((always_inline)) {
        samples[k] = load(a.samples[first + k] + c);
        sums[k] = Floats(0.0F);
      });
      for (std::int64_t i = 0; i < kGroup; ++i) {
        const Floats row = load(a.rows[i] + c);
        float* const to = a.gradients[i] + c;
        Floats gradient = first == 0 ? Floats(a.target_coefficients[i]) * load(a.targets[i] + c) : load(to);
        unrolled<kAtOnce>([&](std::int64_t k) __attribute__((always_inline)) {
          const Floats coefficient(coefficients[k * kGroup + i]);
          gradient += coefficient * samples[k];
          sums[k] += coefficient * row;
        });
        store(to, gradient);
      }
      unrolled<kAtOnce>([&](std::int64_t k) __attribute__((always_inline)) {
        store(a.sample_gradients + (first + k) * a.dim + c, sums[k]);
      });
    }
  }
}

}  // namespace rowmill::ROWMILL_ISA
