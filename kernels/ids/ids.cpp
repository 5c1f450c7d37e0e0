// SPDX-License-Identifier: Apache-2.0
// find_bad_id(), and the rows that blocks of ids mean.
#include "rowmill/ids.hpp"

#include <algorithm>
#include <atomic>
#include <limits>

#include "kernels/core/dispatch.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/ids/resolve.hpp"

namespace rowmill {
namespace {

std::int64_t find(const KernelTable& k, const FindBadIdArgs<std::int32_t>& args) { return k.find_bad_id_i32(args); }
std::int64_t find(const KernelTable& k, const FindBadIdArgs<std::int64_t>& args) { return k.find_bad_id_i64(args); }

/// The lowest position for which find_in(begin, end), over a chunk, is not `end`; ids.size() if there is none.
template <class FindIn>
std::int64_t find_first(Ids ids, FindIn find_in) {
  constexpr std::int64_t kGrain = 1 << 15;
  std::atomic<std::int64_t> first{ids.size()};
  parallel_chunks(concurrency_for(ids.size() * (ids.is_64_bit() ? 8 : 4)), ids.size(), kGrain,
                  [&](std::int64_t begin, std::int64_t end) {
                    std::int64_t lowest_bad = first.load(std::memory_order_relaxed);
                    if (begin >= lowest_bad) return;
                    const std::int64_t bad = find_in(begin, end);
                    if (bad == end) return;
                    while (bad < lowest_bad && !first.compare_exchange_weak(lowest_bad, bad)) {
                    }
                  });
  return first.load();
}

/// The lowest position of an id outside [lowest, highest]; ids.size() if there is none. The ids are contiguous.
std::int64_t find_outside(Ids ids, std::int64_t lowest, std::int64_t highest) {
  const KernelTable& k = kernels();
  return ids.visit([&]<class Id>(const Id* data) {
    // The allowed range, clamped to what an Id can hold: ids are never narrowed.
    const auto low = static_cast<Id>(std::max<std::int64_t>(lowest, std::numeric_limits<Id>::min()));
    const auto high = static_cast<Id>(std::min<std::int64_t>(highest, std::numeric_limits<Id>::max()));
    return find_first(ids, [&](std::int64_t begin, std::int64_t end) {
      return begin + find(k, {data + begin, end - begin, low, high});
    });
  });
}

/// As find_outside(), in positions begin .. end-1 of strided ids: copies a block of them at a time to the stack.
/// Returns `end` if there is none.
std::int64_t find_in_blocks(const KernelTable& k, Ids ids, std::int64_t begin, std::int64_t end, std::int64_t lowest,
                            std::int64_t highest) {
  constexpr std::int64_t kBlock = 1024;
  std::int64_t block[kBlock];
  for (; begin < end; begin += kBlock) {
    const std::int64_t count = std::min(kBlock, end - begin);
    resolve_block(ids, begin, count, 0, OutOfRange::error, block);
    const std::int64_t bad = k.find_bad_id_i64({block, count, lowest, highest});
    if (bad < count) return begin + bad;
  }
  return end;
}

}  // namespace

std::optional<BadId> find_bad_id(Ids ids, std::int64_t rows, OutOfRange policy,
                                 std::optional<std::int64_t> padding_id) {
  if (ids.empty() || policy == OutOfRange::zero || policy == OutOfRange::skip) return std::nullopt;
  if (policy == OutOfRange::clip && rows > 0) return std::nullopt;
  rows = std::max<std::int64_t>(rows, 0);
  std::int64_t lowest = policy == OutOfRange::wrap_negative ? -rows : 0;
  std::int64_t highest = rows - 1;
  // The usual padding ids lie just outside the range: it is widened by them.
  if (padding_id && *padding_id == lowest - 1) lowest = *padding_id;
  if (padding_id && *padding_id == highest + 1) highest = *padding_id;
  const bool far_padding = padding_id && (*padding_id < lowest || *padding_id > highest);

  const auto find_strided = [&](std::int64_t begin, std::int64_t end) {
    return find_in_blocks(kernels(), ids, begin, end, lowest, highest);
  };
  const auto find_beside_padding = [&](std::int64_t begin, std::int64_t end) {
    const auto allowed = [&](std::int64_t id) { return (id >= lowest && id <= highest) || id == *padding_id; };
    while (begin < end && allowed(ids[begin])) ++begin;
    return begin;
  };
  const std::int64_t position = far_padding           ? find_first(ids, find_beside_padding)
                                : ids.is_contiguous() ? find_outside(ids, lowest, highest)
                                                      : find_first(ids, find_strided);
  if (position == ids.size()) return std::nullopt;
  return BadId{position, ids[position]};
}

bool all_are_rows(Ids ids, std::int64_t rows, std::optional<std::int64_t> padding_id) {
  std::int64_t lowest = 0;
  std::int64_t highest = rows - 1;
  if (padding_id == lowest) {
    ++lowest;
  } else if (padding_id == highest) {
    --highest;
  } else if (padding_id && *padding_id > lowest && *padding_id < highest) {
    return false;
  }
  return ids.is_contiguous() && lowest <= highest && find_outside(ids, lowest, highest) == ids.size();
}

namespace {

/// out[i] = row_of(ids[begin + i]) for `count` ids, which may be strided.
template <class RowOf>
void map_ids(Ids ids, std::int64_t begin, std::int64_t count, std::int64_t* out, RowOf row_of) {
  if (!ids.is_contiguous()) {
    for (std::int64_t i = 0; i < count; ++i) out[i] = row_of(ids[begin + i]);
    return;
  }
  ids.visit([&](const auto* data) {
    for (std::int64_t i = 0; i < count; ++i) out[i] = row_of(data[begin + i]);
  });
}

}  // namespace

void resolve_block(Ids ids, std::int64_t begin, std::int64_t count, std::int64_t rows, OutOfRange policy,
                   std::int64_t* out) {
  // The usual case: a loop without branches.
  if (policy == OutOfRange::error) return map_ids(ids, begin, count, out, [](std::int64_t id) { return id; });
  map_ids(ids, begin, count, out, [=](std::int64_t id) { return resolve(id, rows, policy); });
}

void resolve_block(const Bags& bags, std::int64_t begin, std::int64_t count, std::int64_t rows, OutOfRange policy,
                   std::int64_t* out) {
  const std::optional<std::int64_t> padding = bags.padding_id();
  if (policy != OutOfRange::skip || padding) {
    return map_ids(bags.ids(), begin, count, out,
                   [=](std::int64_t id) { return resolve_in_bag(id, rows, policy, padding); });
  }
  // `skip` without padding is common too: a loop without branches.
  map_ids(bags.ids(), begin, count, out, [=](std::int64_t id) { return id >= 0 && id < rows ? id : kDropped; });
}

void resolve_all(Ids ids, std::int64_t rows, OutOfRange policy, std::int64_t threads, std::int64_t* out) {
  constexpr std::int64_t kGrain = 1 << 14;
  parallel_chunks(threads, ids.size(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    resolve_block(ids, begin, end - begin, rows, policy, out + begin);
  });
}

void resolve_all(const Bags& bags, std::int64_t rows, OutOfRange policy, std::int64_t threads, std::int64_t* out) {
  constexpr std::int64_t kGrain = 1 << 14;
  parallel_chunks(threads, bags.ids().size(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    resolve_block(bags, begin, end - begin, rows, policy, out + begin);
  });
}

}  // namespace rowmill
