// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "layers/word_vectors/tile.hpp"

namespace rowmill::word_vectors {

/// Trains batches, one after another. In each all tiles read the tables, a task each, and add to rows that no other
/// tile touches; then each owner adds to its rows what the tiles say, in the tiles' order. Which rows those are is
/// found out before, while rows of the batch before are added. `batches` are those of whole batches, as of one tile:
/// `number` is the batch's first tile. Adds to losses[b] those of batch b.
void train_batches(const Model& model, std::span<const TileInput> batches, std::span<Tile> tiles,
                   TileLoss* losses) noexcept;

}  // namespace rowmill::word_vectors
