// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "rowmill/ids.hpp"

namespace rowmill {

/// Whether offsets end with the number of ids.
enum class LastOffset : std::uint8_t {
  included,  ///< offsets has an element more than there are bags (torch.nn.EmbeddingBag with include_last_offset=True)
  absent,    ///< an element for each bag: the last bag ends with the ids (include_last_offset=False)
};

/// Ids grouped into bags, as a read-only view. Bag b holds ids[begin(b)] .. ids[begin(b+1) - 1], and may be empty.
/// Making one checks nothing: the operation that uses it does.
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

  /// Short for from_offsets(ids, offsets) and fixed_length(ids, batch, length).
  Bags(Ids ids, Ids offsets) : ids_(ids), offsets_(offsets), has_offsets_(true), size_(offsets.size() - 1) {}
  Bags(Ids ids, std::int64_t batch, std::int64_t length) : ids_(ids), size_(batch), length_(length) {}

  [[nodiscard]] Ids ids() const { return ids_; }
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
};

}  // namespace rowmill
