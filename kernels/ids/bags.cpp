// SPDX-License-Identifier: Apache-2.0
// Bags by their lengths.
#include "rowmill/bags.hpp"

#include <string>

#include "kernels/core/checks.hpp"
#include "rowmill/error.hpp"

namespace rowmill {

Bags Bags::from_lengths(Ids ids, Ids lengths, std::span<std::int64_t> offsets) {
  constexpr std::string_view kBags = "bags";
  check_ids_pointer(kBags, ids);
  check_ids_pointer(kBags, "lengths", lengths);
  if (std::ssize(offsets) < lengths.size() + 1) {
    throw Error(ErrorCode::shape_mismatch, "rowmill: bags: offsets (" + std::to_string(offsets.size()) +
                                               ") must have at least " + std::to_string(lengths.size() + 1) +
                                               " elements: one more than there are lengths");
  }
  const Ids written(offsets.data(), lengths.size() + 1);
  check_ids_pointer(kBags, "offsets", written);
  check_disjoint(kBags, "offsets", written, "ids", ids);
  check_disjoint(kBags, "offsets", written, "lengths", lengths);
  std::int64_t rest = ids.size();
  for (std::int64_t b = 0; b < lengths.size(); ++b) {
    const std::int64_t length = lengths[b];
    if (length < 0 || length > rest) {
      throw PositionError(ErrorCode::invalid_argument,
                          "rowmill: bags: lengths[" + std::to_string(b) + "] = " + std::to_string(length) +
                              "; it must be 0 to " + std::to_string(rest) + ", the ids that are left",
                          b, length);
    }
    rest -= length;
  }
  if (rest != 0) {
    throw Error(ErrorCode::shape_mismatch, "rowmill: bags: lengths (" + std::to_string(lengths.size()) + ") sum to " +
                                               std::to_string(ids.size() - rest) + "; there are " +
                                               std::to_string(ids.size()) + " ids");
  }
  offsets[0] = 0;
  for (std::int64_t b = 0; b < lengths.size(); ++b) {
    const auto at = static_cast<std::size_t>(b);
    offsets[at + 1] = offsets[at] + lengths[b];
  }
  return {ids, written};
}

}  // namespace rowmill
