// SPDX-License-Identifier: Apache-2.0
// What an id means under a policy: a row, or none.
#pragma once

#include <cstdint>
#include <optional>

#include "rowmill/bags.hpp"
#include "rowmill/ids.hpp"

namespace rowmill {

/// The row that an id means under a policy: 0 .. rows-1, or kIgnored. Ids were checked before.
inline constexpr std::int64_t kIgnored = -1;
inline std::int64_t resolve(std::int64_t id, std::int64_t rows, OutOfRange policy) {
  switch (policy) {
    case OutOfRange::clip:
      return id < 0 ? 0 : id < rows ? id : rows - 1;
    case OutOfRange::zero:
    case OutOfRange::skip:
      return id >= 0 && id < rows ? id : kIgnored;
    case OutOfRange::wrap_negative:
      return id < 0 ? id + rows : id;
    case OutOfRange::error:
      break;
  }
  return id;
}

/// The row that an id of a bag means: 0 .. rows-1, or one of these.
inline constexpr std::int64_t kDropped = -1;  ///< padding, or left out by `skip`: neither summed, counted nor trained
inline constexpr std::int64_t kZeroRow = -2;  ///< a row of +0 that counts, and trains nothing
inline std::int64_t resolve_in_bag(std::int64_t id, std::int64_t rows, OutOfRange policy,
                                   std::optional<std::int64_t> padding_id) {
  if (id == padding_id) return kDropped;
  const std::int64_t row = resolve(id, rows, policy);
  if (row == kIgnored) return policy == OutOfRange::zero ? kZeroRow : kDropped;
  return row == padding_id ? kDropped : row;
}

/// out[i] = resolve(ids[begin + i], ...) for `count` ids, which may be strided.
void resolve_block(Ids ids, std::int64_t begin, std::int64_t count, std::int64_t rows, OutOfRange policy,
                   std::int64_t* out);
/// The same with resolve_in_bag.
void resolve_block(const Bags& bags, std::int64_t begin, std::int64_t count, std::int64_t rows, OutOfRange policy,
                   std::int64_t* out);

/// Whether checked ids can be read as rows where they are, judged by policy and stride alone. Others are resolved
/// first.
inline bool are_rows(Ids ids, OutOfRange policy) { return policy == OutOfRange::error && ids.is_contiguous(); }

/// Whether every id is in 0 .. rows-1 and none is padding, so that kernels may read them where they are, under any
/// policy. It answers no, without looking, for strided ids and for a padding id between the first row and the last.
bool all_are_rows(Ids ids, std::int64_t rows, std::optional<std::int64_t> padding_id);

/// out[i] = resolve(ids[i], ...) for all ids.
void resolve_all(Ids ids, std::int64_t rows, OutOfRange policy, std::int64_t threads, std::int64_t* out);
/// out[i] = resolve_in_bag(ids[i], ...) for all ids.
void resolve_all(const Bags& bags, std::int64_t rows, OutOfRange policy, std::int64_t threads, std::int64_t* out);

}  // namespace rowmill
