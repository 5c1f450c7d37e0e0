// SPDX-License-Identifier: Apache-2.0
// Quantised tables of any codes, scales and biases, with guards around every row.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "rowmill/table_view.hpp"

namespace rowmill::test {

inline constexpr Format kQuantizedFormats[] = {Format::int8, Format::int4, Format::int2};

class GuardedQuantizedTable {
 public:
  GuardedQuantizedTable(Format format, std::int64_t rows, std::int64_t dim, std::int64_t gap = 5,
                        std::int64_t offset = 1)
      : format_(format), rows_(rows), dim_(dim), row_(row_elements(format, dim)), stride_(row_ + gap), offset_(offset) {
    bytes_.assign(static_cast<std::size_t>(offset_ + rows * stride_ + kMargin), kGuard);
  }

  [[nodiscard]] TableView view() { return {bytes_.data() + offset_, format_, rows_, dim_, stride_}; }
  [[nodiscard]] ConstTableView view() const { return {bytes_.data() + offset_, format_, rows_, dim_, stride_}; }

  /// Any codes, also in bits that belong to no column; scales and biases of all magnitudes. Those of int4 and int2 are
  /// any 16 bits, so some are denormal, infinite or NaN.
  GuardedQuantizedTable& fill(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (std::int64_t r = 0; r < rows_; ++r) {
      std::uint8_t* const row = bytes_.data() + offset_ + r * stride_;
      for (std::int64_t b = 0; b < row_; ++b) row[b] = static_cast<std::uint8_t>(random());
      if (format_ != Format::int8) continue;
      for (const std::int64_t at : {dim_, dim_ + 4}) {
        const auto mantissa = static_cast<float>(static_cast<std::int64_t>(random() >> 40)) * 0x1p-23F - 1;
        const float x = random() % 8 == 0 ? 1e-40F : std::ldexp(mantissa, static_cast<int>(random() % 24) - 12);
        std::memcpy(row + at, &x, sizeof x);
      }
    }
    return *this;
  }

  [[nodiscard]] testing::AssertionResult guards_intact() const {
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(bytes_.size()); ++i) {
      const std::int64_t from_first_row = i - offset_;
      const bool in_row = from_first_row >= 0 && from_first_row < rows_ * stride_ && from_first_row % stride_ < row_;
      if (!in_row && bytes_[static_cast<std::size_t>(i)] != kGuard) {
        return testing::AssertionFailure() << "a guard was overwritten " << from_first_row << " bytes after row 0";
      }
    }
    return testing::AssertionSuccess();
  }

 private:
  static constexpr std::int64_t kMargin = 64;
  static constexpr std::uint8_t kGuard = 0xA5;

  Format format_;
  std::int64_t rows_, dim_, row_, stride_, offset_;
  std::vector<std::uint8_t> bytes_;
};

/// The rows of both have the same bytes.
inline testing::AssertionResult same_bytes(const ConstTableView& actual, const ConstTableView& expected) {
  const std::int64_t size = element_size(actual.format());
  const auto row_bytes = static_cast<std::size_t>(row_elements(actual.format(), actual.dim()) * size);
  for (std::int64_t r = 0; r < actual.rows(); ++r) {
    const auto* const a = static_cast<const std::uint8_t*>(actual.bytes()) + r * actual.row_stride() * size;
    const auto* const e = static_cast<const std::uint8_t*>(expected.bytes()) + r * expected.row_stride() * size;
    for (std::size_t b = 0; b < row_bytes; ++b) {
      if (a[b] != e[b]) {
        return testing::AssertionFailure()
               << "row " << r << ", byte " << b << ": " << int{a[b]} << " instead of " << int{e[b]};
      }
    }
  }
  return testing::AssertionSuccess();
}

}  // namespace rowmill::test
