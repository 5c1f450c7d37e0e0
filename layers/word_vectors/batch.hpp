// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "layers/word_vectors/tile.hpp"

namespace rowmill::word_vectors {

/// What a batch says about its loss.
struct BatchLoss {
  double sum = 0;
  std::int64_t predictions = 0;
};

/// Trains a batch. First all tiles read the tables, a task each; then each owner adds to its rows what the tiles say,
/// in the tiles' order. `input` is that of the batch, as of one tile: `number` is the batch's first tile.
BatchLoss train_batch(const Model& model, const TileInput& input, std::vector<Tile>& tiles, float* vectors,
                      float* output_vectors) noexcept;

}  // namespace rowmill::word_vectors
