// SPDX-License-Identifier: Apache-2.0
#include "layers/word_vectors/batch.hpp"

#include <algorithm>

#include "kernels/core/dispatch.hpp"
#include "kernels/core/parallel.hpp"

namespace rowmill::word_vectors {
namespace {

void apply(const Entries& entries, std::int64_t owner, float* table, std::int64_t dim) {
  const std::int64_t begin = entries.begin[owner];
  kernels().add_scaled_rows_f32({table, dim, entries.rows + begin, entries.begin[owner + 1] - begin, dim});
}

}  // namespace

BatchLoss train_batch(const Model& model, const TileInput& input, std::vector<Tile>& tiles, float* vectors,
                      float* output_vectors) noexcept {
  // About what a position reads and writes: the rows of its window, of targets and samples, and their gradients.
  constexpr std::int64_t kRowsEach = 12;
  const std::int64_t threads = concurrency_for(input.count * model.dim * kRowsEach * std::int64_t{sizeof(float)});
  const std::int64_t used = (input.count + kTile - 1) / kTile;

  parallel_tasks(threads, used, [&](std::int64_t t) {
    const std::int64_t first = t * kTile;
    TileInput of_tile = input;
    of_tile.ids += first;
    of_tile.begins += first;
    of_tile.before += first;
    of_tile.after -= first;
    of_tile.count = std::min(kTile, input.count - first);
    of_tile.position += static_cast<std::uint64_t>(first);
    of_tile.number += static_cast<std::uint64_t>(t);
    tiles[static_cast<std::size_t>(t)].run(model, of_tile);
  });
  parallel_tasks(threads, 2 * kOwners, [&](std::int64_t task) {
    for (std::int64_t t = 0; t < used; ++t) {
      const Tile& tile = tiles[static_cast<std::size_t>(t)];
      if (task < kOwners) {
        apply(tile.vectors, task, vectors, model.dim);
      } else {
        apply(tile.output_vectors, task - kOwners, output_vectors, model.dim);
      }
    }
  });

  BatchLoss loss;
  for (std::int64_t t = 0; t < used; ++t) {
    loss.sum += tiles[static_cast<std::size_t>(t)].loss;
    loss.predictions += tiles[static_cast<std::size_t>(t)].loss_of;
  }
  return loss;
}

}  // namespace rowmill::word_vectors
