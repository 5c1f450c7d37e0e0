// SPDX-License-Identifier: Apache-2.0
// The scalar reference of word vectors: docs/numerics.md, "Word vectors", as plainly as it can be written.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "rowmill/word_vectors.hpp"

namespace rowmill::reference {

/// The dot product of two rows, as lane_sum().
float dot(const float* a, const float* b, std::int64_t dim);

/// As kernels/word_vectors/sigmoid.hpp defines it.
float sigmoid(float x);

using Row = std::vector<float>;

struct WordVectors {
  std::vector<Row> vectors, output_vectors;
};

/// Trains all epochs on the same words, which kSentenceEnd separates.
WordVectors train_word_vectors(std::span<const std::int64_t> counts, const WordVectorOptions& options,
                               std::span<const std::int32_t> words);

}  // namespace rowmill::reference
