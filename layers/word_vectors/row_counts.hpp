// SPDX-License-Identifier: Apache-2.0
// How often a tile updates each row, and what keeps many updates of one row from overshooting.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rowmill::word_vectors {

/// Some texts repeat a word within a few lines: a list of names, say. All updates of a batch are computed from the same
/// rows. If a hundred of them move one row the same way, their sum overshoots, and more so with each batch. So a row
/// that a tile updates more than kMax times gets kMax times the mean update instead of the sum.
class RowCounts {
 public:
  static constexpr std::int32_t kMax = 4;

  /// Counts an update. Returns the row's slot.
  std::uint16_t add(std::int32_t row) {
    const std::size_t at = find(row);
    ++slots_[at].count;
    return static_cast<std::uint16_t>(at);
  }

  /// By which each update of a slot's row is multiplied.
  [[nodiscard]] float scale(std::uint16_t slot) const {
    const std::int32_t count = slots_[slot].count;
    return count <= kMax ? 1.0F : static_cast<float>(kMax) / static_cast<float>(count);
  }

 private:
  struct Slot {
    std::int32_t row = -1;
    std::int32_t count = 0;
  };
  /// A tile updates at most 256 + 2 * 128 rows by its words, so that half of the slots stay free.
  static constexpr std::size_t kSlotBits = 10;

  std::size_t find(std::int32_t row) {
    std::size_t at = (static_cast<std::uint32_t>(row) * 0x9E3779B1U) >> (32 - kSlotBits);
    while (slots_[at].row != row && slots_[at].row != -1) at = (at + 1) % (std::size_t{1} << kSlotBits);
    slots_[at].row = row;
    return at;
  }

  Slot slots_[std::size_t{1} << kSlotBits];
};

}  // namespace rowmill::word_vectors
