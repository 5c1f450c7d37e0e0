// SPDX-License-Identifier: Apache-2.0
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

}  // namespace

std::optional<BadId> find_bad_id(Ids ids, std::int64_t rows, OutOfRange policy) {
  if (ids.empty() || policy == OutOfRange::zero || (policy == OutOfRange::clip && rows > 0)) return std::nullopt;
  if (rows <= 0) return BadId{0, ids[0]};
  const std::int64_t lowest = policy == OutOfRange::wrap_negative ? -rows : 0;
  const std::int64_t highest = rows - 1;

  const std::int64_t position = ids.visit([&]<class Id>(const Id* data) {
    // The range allowed, as far as this width of id can be in it: an id is never narrowed.
    const auto low = static_cast<Id>(std::max<std::int64_t>(lowest, std::numeric_limits<Id>::min()));
    const auto high = static_cast<Id>(std::min<std::int64_t>(highest, std::numeric_limits<Id>::max()));
    const KernelTable& k = kernels();
    constexpr std::int64_t kGrain = 1 << 15;
    std::atomic<std::int64_t> first{ids.size()};
    parallel_chunks(concurrency_for(ids.size() * std::int64_t{sizeof(Id)}), ids.size(), kGrain,
                    [&](std::int64_t begin, std::int64_t end) {
                      std::int64_t lowest_bad = first.load(std::memory_order_relaxed);
                      if (begin >= lowest_bad) return;
                      const std::int64_t bad = begin + find(k, {data + begin, end - begin, low, high});
                      if (bad == end) return;
                      while (bad < lowest_bad && !first.compare_exchange_weak(lowest_bad, bad)) {
                      }
                    });
    return first.load();
  });
  if (position == ids.size()) return std::nullopt;
  return BadId{position, ids[position]};
}

void resolve_all(Ids ids, std::int64_t rows, OutOfRange policy, std::int64_t threads, std::int64_t* out) {
  constexpr std::int64_t kGrain = 1 << 14;
  ids.visit([&](const auto* data) {
    parallel_chunks(threads, ids.size(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) out[i] = resolve(data[i], rows, policy);
    });
  });
}

}  // namespace rowmill
