// SPDX-License-Identifier: Apache-2.0
// The one place that decides into which cache rows are prefetched. How far ahead stands in kernels/simd/prefetch.hpp.
#pragma once

#include <cstdint>

#include "kernels/core/cache_level.hpp"
#include "rowmill/table_view.hpp"

namespace rowmill {

/// The level for rows of tables beyond the caches: the second, but for processors on which the first was measured to be
/// better.
CacheLevel prefetch_level();

/// The level for rows of a table that is only read: the first, if the table is near.
CacheLevel prefetch_level(const ConstTableView& table);

/// The level for rows that are updated, of a table and its states of `bytes` together: the first, if they are near.
CacheLevel prefetch_level_of_update(std::int64_t bytes);

}  // namespace rowmill
