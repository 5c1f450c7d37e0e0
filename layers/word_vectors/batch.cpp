// SPDX-License-Identifier: Apache-2.0
// Batches of tiles, in parallel phases.
#include "layers/word_vectors/batch.hpp"

#include <algorithm>
#include <iterator>

#include "kernels/core/phases.hpp"

namespace rowmill::word_vectors {
namespace {

std::size_t tiles_of(const TileInput& batch) { return static_cast<std::size_t>((batch.count + kTile - 1) / kTile); }

TileInput input_of(const TileInput& batch, std::int64_t tile) {
  const std::int64_t first = tile * kTile;
  TileInput input = batch;
  input.ids += first;
  input.begins += first;
  input.before += first;
  input.after -= first;
  input.count = std::min(kTile, batch.count - first);
  input.position += static_cast<std::uint64_t>(first);
  input.number += static_cast<std::uint64_t>(tile);
  return input;
}

}  // namespace

void train_batches(const Model& model, std::span<const TileInput> batches, std::span<Tile> tiles,
                   TileLoss* losses) noexcept {
  // About what a position reads and writes: the rows of its window, of targets and samples, and their gradients.
  constexpr std::int64_t kRowsEach = 12;
  const std::int64_t row_bytes = model.dim * std::int64_t{sizeof(float)};
  const std::int64_t threads = concurrency_for(batches.front().count * kRowsEach * row_bytes);

  std::size_t batch = 0;    // the one that `present` works on
  std::span<Tile> present;  // prepared in one phase, run in the next
  std::span<Tile> before;   // of the batch before, whose updates are added in the first of them
  bool runs = true;
  const auto next = [&]() -> std::int64_t {
    runs = !runs;
    if (runs) return std::ssize(present);
    for (const Tile& tile : present) losses[batch] += tile.loss;
    batch += present.empty() ? 0 : 1;
    before = present;
    present = batch < batches.size() ? tiles.first(tiles_of(batches[batch])) : std::span<Tile>();
    return std::ssize(present) + (before.empty() ? 0 : 2 * kOwners);
  };
  parallel_phases(threads, next, [&](std::int64_t task) {
    if (task < std::ssize(present)) {
      Tile& tile = present[static_cast<std::size_t>(task)];
      const TileInput input = input_of(batches[batch], task);
      if (runs) {
        tile.run(model, input, present);
      } else {
        tile.prepare(model, input);
      }
      return;
    }
    const std::int64_t owner = task - std::ssize(present);
    for (const Tile& tile : before) {
      if (owner < kOwners) {
        tile.vectors.apply(owner, model.vectors, model.dim);
      } else {
        tile.output_vectors.apply(owner - kOwners, model.output_vectors, model.dim);
      }
    }
  });
}

}  // namespace rowmill::word_vectors
