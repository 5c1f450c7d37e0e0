// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "rowmill/ids.hpp"

namespace rowmill {

/// The row that an id means under a policy: 0 .. rows-1, or kIgnored. Ids were checked before.
inline constexpr std::int64_t kIgnored = -1;
inline std::int64_t resolve(std::int64_t id, std::int64_t rows, OutOfRange policy) {
  switch (policy) {
    case OutOfRange::clip:
      return id < 0 ? 0 : id < rows ? id : rows - 1;
    case OutOfRange::zero:
      return id >= 0 && id < rows ? id : kIgnored;
    case OutOfRange::wrap_negative:
      return id < 0 ? id + rows : id;
    case OutOfRange::error:
      break;
  }
  return id;
}

/// out[i] = resolve(ids[begin + i], ...) for `count` ids, which may be strided.
void resolve_block(Ids ids, std::int64_t begin, std::int64_t count, std::int64_t rows, OutOfRange policy,
                   std::int64_t* out);

/// Whether the ids are rows as they stand, so that kernels may read them where they are. Others are resolved first.
inline bool are_rows(Ids ids, OutOfRange policy) { return policy == OutOfRange::error && ids.is_contiguous(); }

/// out[i] = resolve(ids[i], ...) for all ids.
void resolve_all(Ids ids, std::int64_t rows, OutOfRange policy, std::int64_t threads, std::int64_t* out);

}  // namespace rowmill
