// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "rowmill/ids.hpp"

namespace rowmill {

/// Whether offsets end with the number of ids.
enum class LastOffset : std::uint8_t {
  included,  ///< offsets has an element more than there are bags (torch.nn.EmbeddingBag with include_last_offset=True)
  absent,    ///< an element for each bag: the last bag ends with the ids (include_last_offset=False)
};

/// Ids grouped into bags, as a read-only view. Bag b holds ids[begin(b)] .. ids[begin(b+1) - 1], and may be empty.
/// Only from_lengths() checks its arguments; otherwise the operation that uses the bags does.
///
/// Bags may have a weight for each id, and an id that stands for padding:
///
///     pool(table, Bags(ids, batch, length).with_weights(weights).with_padding(0), out);
class Bags {
 public:
  /// Bag b begins at offsets[b]. The first offset is 0, none is below the one before it or above ids.size(), and the
  /// last one, where it is included, is ids.size().
  [[nodiscard]] static Bags from_offsets(Ids ids, Ids offsets, LastOffset last_offset = LastOffset::included) {
    Bags bags(ids, offsets);
    if (last_offset == LastOffset::absent) ++bags.size_;
    return bags;
  }

  /// A batch x length array of ids in row-major order: a bag for each row.
  [[nodiscard]] static Bags fixed_length(Ids ids, std::int64_t batch, std::int64_t length) {
    return {ids, batch, length};
  }

  /// Bag b holds the next lengths[b] ids. Its offsets are written to the caller's memory, lengths.size() + 1 of them,
  /// and must live as long as the bags.
  ///
  ///     offsets[0] = 0
  ///     for b in 0 .. lengths.size()-1:
  ///       offsets[b+1] = offsets[b] + lengths[b]
  ///
  /// Throws Error, and writes nothing, if
  /// - ids, lengths or offsets are bad: see Ids (invalid_argument);
  /// - a length is below 0 or leads past the last id (PositionError, invalid_argument: its position and value);
  /// - the lengths' sum is not ids.size(), or offsets has fewer than lengths.size() + 1 elements (shape_mismatch);
  /// - offsets shares memory with ids or lengths (overlap).
  [[nodiscard]] static Bags from_lengths(Ids ids, Ids lengths, std::span<std::int64_t> offsets);

  /// Short for from_offsets(ids, offsets) and fixed_length(ids, batch, length).
  Bags(Ids ids, Ids offsets) : ids_(ids), offsets_(offsets), has_offsets_(true), size_(offsets.size() - 1) {}
  Bags(Ids ids, std::int64_t batch, std::int64_t length) : ids_(ids), size_(batch), length_(length) {}

  /// The same bags with a weight for each id, by which its row is multiplied. The weights are not copied.
  [[nodiscard]] Bags with_weights(std::span<const float> weights) const {
    Bags bags = *this;
    bags.weights_ = weights;
    bags.has_weights_ = true;
    return bags;
  }

  /// The same bags with a padding id, which stands for no id: it is neither summed, counted nor trained. It need not be
  /// a row of the table; -1 and the number of rows are usual. An id that the policy turns into the row of this number,
  /// such as -1 under `wrap_negative`, is padding too.
  [[nodiscard]] Bags with_padding(std::int64_t id) const {
    Bags bags = *this;
    bags.padding_id_ = id;
    return bags;
  }

  [[nodiscard]] Ids ids() const { return ids_; }
  [[nodiscard]] bool has_weights() const { return has_weights_; }
  /// A weight for each id; only if has_weights().
  [[nodiscard]] std::span<const float> weights() const { return weights_; }
  [[nodiscard]] std::optional<std::int64_t> padding_id() const { return padding_id_; }
  [[nodiscard]] std::int64_t size() const { return size_; }
  [[nodiscard]] bool has_offsets() const { return has_offsets_; }
  /// The offsets; only if has_offsets().
  [[nodiscard]] Ids offsets() const { return offsets_; }
  /// The length of every bag; only if not has_offsets().
  [[nodiscard]] std::int64_t length() const { return length_; }
  /// Where bag b begins; b = size() is where the last one ends.
  [[nodiscard]] std::int64_t begin(std::int64_t b) const {
    if (!has_offsets()) return b * length_;
    return b < offsets_.size() ? offsets_[b] : ids_.size();
  }
  /// The bag that id i belongs to.
  [[nodiscard]] std::int64_t bag_of(std::int64_t i) const {
    if (!has_offsets()) return i / length_;
    std::int64_t low = 0;
    std::int64_t high = size_;
    while (high - low > 1) {  // begin(low) <= i < begin(high)
      const std::int64_t middle = low + (high - low) / 2;
      (begin(middle) <= i ? low : high) = middle;
    }
    return low;
  }

 private:
  Ids ids_;
  Ids offsets_;
  bool has_offsets_ = false;
  std::int64_t size_ = 0;
  std::int64_t length_ = 0;
  bool has_weights_ = false;
  std::span<const float> weights_;
  std::optional<std::int64_t> padding_id_;
};

}  // namespace rowmill
