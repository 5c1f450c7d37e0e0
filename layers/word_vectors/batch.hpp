// SPDX-License-Identifier: Apache-2.0
// Training of whole batches.
#pragma once

#include <span>

#include "layers/word_vectors/tile.hpp"

namespace rowmill::word_vectors {

/// Trains batches, one after another, in two phases each:
///
///     1. a task for each tile: prepares it, that is, finds the rows that it will touch;
///        a task for each owner: adds the updates of the batch before to the owner's rows, in the order of the tiles
///     2. a task for each tile: computes its updates from the tables, and adds those of rows that no other tile touches
///
/// batches[b] describes all of batch b as if it were one tile; its `number` is that of the first tile. Adds the losses
/// of batch b to losses[b].
void train_batches(const Model& model, std::span<const TileInput> batches, std::span<Tile> tiles,
                   TileLoss* losses) noexcept;

}  // namespace rowmill::word_vectors
