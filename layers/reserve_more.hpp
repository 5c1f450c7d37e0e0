// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace rowmill {

/// Makes room for `more` elements, for what may not fail afterwards. At least doubles the capacity when it grows:
/// reserve() with the exact size would copy everything at each of many calls.
template <class T>
void reserve_more(std::vector<T>& vector, std::size_t more) {
  const std::size_t needed = vector.size() + more;
  if (needed > vector.capacity()) vector.reserve(std::max(needed, 2 * vector.capacity()));
}

}  // namespace rowmill
