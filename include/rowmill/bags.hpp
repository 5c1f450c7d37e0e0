// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "rowmill/ids.hpp"

namespace rowmill {

/// Ids grouped into bags, as a read-only view. Bag b holds ids[begin(b)] .. ids[begin(b+1) - 1], and may be empty.
/// Making one checks nothing: the operation that uses it does.
class Bags {
 public:
  /// By offsets, of size() + 1 elements: the first is 0, none is below the one before it, and the last is ids.size()
  /// (as torch.nn.EmbeddingBag with include_last_offset).
  Bags(Ids ids, Ids offsets) : ids_(ids), offsets_(offsets), has_offsets_(true), size_(offsets.size() - 1) {}

  /// A batch x length array of ids in row-major order: a bag for each row.
  Bags(Ids ids, std::int64_t batch, std::int64_t length) : ids_(ids), size_(batch), length_(length) {}

  [[nodiscard]] Ids ids() const { return ids_; }
  [[nodiscard]] std::int64_t size() const { return size_; }
  [[nodiscard]] bool has_offsets() const { return has_offsets_; }
  /// The offsets; only if has_offsets().
  [[nodiscard]] Ids offsets() const { return offsets_; }
  /// The length of every bag; only if not has_offsets().
  [[nodiscard]] std::int64_t length() const { return length_; }
  /// Where bag b begins; b = size() is where the last one ends.
  [[nodiscard]] std::int64_t begin(std::int64_t b) const { return has_offsets() ? offsets_[b] : b * length_; }
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
