// SPDX-License-Identifier: Apache-2.0
// Which rows the tiles of a batch share.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace rowmill::word_vectors {

/// Rows that a tile may touch: a Bloom filter of one hash. It holds every row that was added, and others now and then.
class RowFilter {
 public:
  void clear() { std::ranges::fill(bits_, 0U); }
  void add_all_rows() { std::ranges::fill(bits_, ~0U); }
  void add(const RowFilter& more) {
    for (std::size_t w = 0; w < kWords; ++w) bits_[w] |= more.bits_[w];
  }
  void add(std::int32_t row) { bits_[slot(row) / 32] |= std::uint32_t{1} << (slot(row) % 32); }
  /// 1 if the row may have been added, 0 if it was not.
  [[nodiscard]] std::int64_t may_hold(std::int32_t row) const {
    return (bits_[slot(row) / 32] >> (slot(row) % 32)) & 1U;
  }

 private:
  /// A tile touches up to 2,000 rows, most often 500.
  static constexpr std::uint32_t kSlotBits = 14;

  static std::uint32_t slot(std::int32_t row) {
    return (static_cast<std::uint32_t>(row) * 0x9E3779B1U) >> (32 - kSlotBits);
  }

  static constexpr std::size_t kWords = (std::size_t{1} << kSlotBits) / 32;
  std::uint32_t bits_[kWords] = {};
};

}  // namespace rowmill::word_vectors
