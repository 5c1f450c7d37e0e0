// SPDX-License-Identifier: Apache-2.0
// A tile: up to 256 positions of a batch, the work of one task. It reads both tables and lists updates of their rows.
// It applies those of rows that no other tile of the batch touches itself.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "kernels/memory/carve.hpp"
#include "kernels/word_vectors/word_vectors_kernels.hpp"
#include "layers/word_vectors/row_filter.hpp"
#include "layers/word_vectors/sampling.hpp"
#include "rowmill/word_vectors.hpp"

namespace rowmill::word_vectors {

inline constexpr std::int64_t kTile = 256;               ///< positions
inline constexpr std::int64_t kGroups = kTile / kGroup;  ///< group r has the positions r, r + 16, r + 32, ...
/// Every row has one of these owners, by a hash of its number: enough to share the work of adding updates out, and few
/// enough to sort by.
inline constexpr std::uint32_t kOwnerBits = 4;
inline constexpr std::int64_t kOwners = std::int64_t{1} << kOwnerBits;

inline std::int64_t owner_of(std::int32_t row) {
  return (static_cast<std::uint32_t>(row) * 0x9E3779B1U) >> (32 - kOwnerBits);
}

using Key = std::array<std::uint32_t, 2>;

/// out[i] = the random word of position first + i of an epoch. `count` is a multiple of 64. first .. first + count - 1
/// must not cross a multiple of 2^34, where the lower word of the counter overflows.
void random_words(Key key, std::uint64_t first, std::uint32_t epoch, std::uint32_t* out, std::int64_t count);

/// What all tiles of a trainer share.
struct Model {
  WordVectorModel kind;
  std::int64_t dim;  ///< rounded up to a multiple of 16: the stride of all rows
  std::int64_t window;
  std::int64_t samples;  ///< shared by a group
  double sample_weight;  ///< of each
  std::uint64_t words;   ///< of the vocabulary
  const Alias* aliases;
  float* vectors;
  float* output_vectors;
  const float* zeros;  ///< a row
  Key window_key;
  Key sample_key;

  /// Groups that a tile may have: CBOW has a row for each position, skip-gram one for each word of its window.
  [[nodiscard]] std::int64_t most_groups() const {
    return kind == WordVectorModel::cbow ? kGroups : kGroups * 2 * window;
  }
};

/// The positions of a tile, in a run of kept words.
struct TileInput {
  const std::int32_t* ids;     ///< of the first position; some lie before it
  const std::uint8_t* begins;  ///< whether a position is the first of its sentence
  std::int64_t before;         ///< positions that there are before the first
  std::int64_t after;          ///< and from it on
  std::int64_t count;          ///< of the tile
  std::uint32_t epoch;
  std::uint64_t position;  ///< of the first, among the kept words of the epoch
  std::uint64_t number;    ///< of the tile, in its epoch
  double alpha;
};

/// The updates that a tile has for a table, sorted by owner. Last come those that the tile applies itself, as if there
/// were one more owner: of rows that no other tile of the batch touches.
struct Entries {
  ScaledRow* rows;
  std::int64_t begin[kOwners + 2];  ///< of each owner's updates in `rows`
  RowFilter touched;                ///< by the tile
  RowFilter shared;                 ///< with other tiles of the batch

  /// Adds the updates of one owner to the table.
  void apply(std::int64_t owner, float* table, std::int64_t dim) const;
};

/// The sum of the loss over predictions, and their number.
struct TileLoss {
  double sum = 0;
  std::int64_t predictions = 0;

  TileLoss& operator+=(const TileLoss& more) {
    sum += more.sum;
    predictions += more.predictions;
    return *this;
  }
};

/// The memory of a tile. Its entries point into it, so it stays as it is until they are applied.
struct Tile {
  explicit Tile(const Model& model, Carver& memory);

  /// Finds the windows and draws the samples, so that it is known which rows the tile will touch.
  void prepare(const Model& model, const TileInput& input);

  /// Computes `vectors`, `output_vectors` and `loss`. `all` are the tiles of the batch, which must be prepared; others
  /// may run at the same time.
  void run(const Model& model, const TileInput& input, std::span<const Tile> all);

  Entries vectors{};
  Entries output_vectors{};
  TileLoss loss;

 private:
  struct Group;

  void find_windows(const Model& model, const TileInput& input);
  void draw_samples(const Model& model, const TileInput& input);
  void run_group(const Model& model, const Group& group, std::int64_t number, double alpha, const Group* next);
  void add_loss(const Model& model, const Group& group, double alpha);
  void run_cbow(const Model& model, const TileInput& input);
  void run_skip_gram(const Model& model, const TileInput& input);
  void find_shared(std::span<const Tile> all);
  void list_entries(const Model& model, const TileInput& input);
  void sort_by_owner(Entries& entries, std::int64_t count);

  std::int32_t* left_;       ///< words of each position's window before it; zeros around the tile's positions
  std::int32_t* right_;      ///< and after it
  float* rows_;              ///< of each position: CBOW's means; what a skip-gram's output row gets
  float* gradients_;         ///< of each position (CBOW), or of a group's rows
  float* spread_;            ///< what each position's word gets, from `window` positions before the tile on
  float* sample_gradients_;  ///< of each group's samples
  float* unread_;            ///< a row
  float* target_coefficients_;
  float* target_scores_;
  float* scores_;
  float* coefficients_;
  std::uint32_t* random_;
  std::int32_t* samples_;
  ScaledRow* listed_;     ///< entries in order
  std::uint16_t* slots_;  ///< of their rows in a RowCounts
  std::uint8_t* owners_;  ///< and whose they are
  std::int64_t groups_ = 0;
};

}  // namespace rowmill::word_vectors
