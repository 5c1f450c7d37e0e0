// SPDX-License-Identifier: Apache-2.0
// The one place that decides into which cache rows are prefetched, and how far ahead.
#pragma once

#include <cstdint>

#include "kernels/core/prefetch.hpp"
#include "rowmill/table_view.hpp"

namespace rowmill {

/// The level for rows of tables beyond the caches: the second, but for processors on which the first was measured to be
/// better. Near tables take the first.
CacheLevel far_prefetch_level();

/// For rows that are copied.
PrefetchArgs prefetch_for_gather(const ConstTableView& table);

/// For rows that are summed: twice as far ahead, but in near tables only on processors where that was measured to pay.
PrefetchArgs prefetch_for_pool(const ConstTableView& table);

/// By how many rows less a row's other lines are prefetched ahead than its first line. The first one also waits until
/// the row's address is translated; when the others are prefetched, that is done.
std::int64_t rest_nearer_for_pool(const ConstTableView& table);

/// For rows of `row_bytes` that are updated, with their gradients. The table and its states have `bytes`; the rows of
/// the batch have `touched_bytes` of these, at most. Few rows are near whatever the table's size, because a lookup has
/// mostly just read them. With `weights_alone`, the caches hold the gradients and no states are read: then a larger
/// table is near too.
PrefetchArgs prefetch_for_update(std::int64_t bytes, std::int64_t touched_bytes, std::int64_t row_bytes,
                                 bool weights_alone = false);

}  // namespace rowmill
