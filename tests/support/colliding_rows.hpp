// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace rowmill::test {

/// `count` rows whose products with `odd` are 0, 1, 2, ..., but for products of negative rows: in a hash table by the
/// top bits they all belong into the first slot.
inline std::vector<std::int64_t> colliding_rows(std::uint64_t odd, std::int64_t count) {
  std::uint64_t inverse = odd;
  for (int k = 0; k < 6; ++k) inverse *= 2 - odd * inverse;  // Newton's iteration doubles the bits that are right
  std::vector<std::int64_t> rows;
  for (std::uint64_t product = 0; static_cast<std::int64_t>(rows.size()) < count; ++product) {
    const auto row = static_cast<std::int64_t>(product * inverse);
    if (row >= 0) rows.push_back(row);
  }
  return rows;
}

}  // namespace rowmill::test
