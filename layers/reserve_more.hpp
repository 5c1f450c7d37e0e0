// SPDX-License-Identifier: Apache-2.0
// Vectors that grow before anything changes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "rowmill/error.hpp"

namespace rowmill {

/// Makes room for `more` elements, for what may not fail afterwards. At least doubles the capacity when it grows:
/// reserve() with the exact size would copy everything at each of many calls.
/// Throws Error (out_of_memory) if the system refuses, and the vector is then unchanged.
template <class T>
void reserve_more(std::string_view op, std::vector<T>& vector, std::size_t more) {
  const std::size_t needed = vector.size() + more;
  if (needed <= vector.capacity()) return;
  const auto refuse = [&] {
    throw Error(ErrorCode::out_of_memory, "rowmill: " + std::string(op) + ": the system refused memory for " +
                                              std::to_string(needed) + " elements of " + std::to_string(sizeof(T)) +
                                              " bytes");
  };
  try {
    vector.reserve(std::max(needed, 2 * vector.capacity()));
  } catch (const std::bad_alloc&) {
    refuse();
  } catch (const std::length_error&) {
    refuse();
  }
}

}  // namespace rowmill
