// SPDX-License-Identifier: Apache-2.0
#include "rowmill/gather.hpp"

#include <algorithm>

#include "kernels/core/checks.hpp"
#include "kernels/core/dispatch.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/ids/resolve.hpp"
#include "kernels/memory/memory.hpp"

namespace rowmill {
namespace {

void run(const KernelTable& k, const GatherArgs<std::int32_t>& args) { k.gather_f32_i32(args); }
void run(const KernelTable& k, const GatherArgs<std::int64_t>& args) { k.gather_f32_i64(args); }

/// Measured (docs/design/performance.md): an output beyond the threads' share of the caches is written faster past
/// them.
bool use_streaming(const TableView& out, Stores stores, std::int64_t threads) {
  constexpr std::int64_t kAlignment = 64;
  const std::int64_t row_bytes = out.dim() * std::int64_t{sizeof(float)};
  const bool aligned = reinterpret_cast<std::uintptr_t>(out.data()) % kAlignment == 0 &&
                       out.row_stride() * std::int64_t{sizeof(float)} % kAlignment == 0 && row_bytes % kAlignment == 0;
  if (!aligned || stores == Stores::ordinary) return false;
  if (stores == Stores::streaming) return true;
  return out.rows() * row_bytes > cache_share_bytes(threads);
}

/// Gathers by ids that are not rows yet: translates them in small blocks, so that the caller's ids stay as they are.
template <class Id>
void gather_resolved(const KernelTable& k, const GatherArgs<Id>& args, std::int64_t rows, OutOfRange policy) {
  constexpr std::int64_t kBlock = 256;
  std::int64_t resolved[kBlock];
  for (std::int64_t begin = 0; begin < args.count; begin += kBlock) {
    const std::int64_t count = std::min(kBlock, args.count - begin);
    for (std::int64_t i = 0; i < count; ++i) resolved[i] = resolve(args.ids[begin + i], rows, policy);
    k.gather_f32_i64({args.table, args.table_stride, resolved, count, args.out + begin * args.out_stride,
                      args.out_stride, args.dim, args.ask_into, args.streaming});
  }
}

}  // namespace

void gather(const ConstTableView& table, Ids ids, const TableView& out, const GatherOptions& options) {
  constexpr std::string_view kOp = "gather";
  check_view(kOp, "table", table);
  check_writable(kOp, "out", out);
  check_format(kOp, "table", table, {Format::f32});
  check_format(kOp, "out", out, {Format::f32});
  check_ids_pointer(kOp, ids);
  check_shape(kOp, "out", out, ids.size(), table.dim(), "ids.size() x the table's dim");
  check_disjoint(kOp, "out", out, "table", table);
  check_disjoint(kOp, "out", out, "ids", ids);
  check_ids(kOp, ids, table.rows(), options.out_of_range, table.name());

  const KernelTable& k = kernels();
  const std::int64_t row_bytes = table.dim() * std::int64_t{sizeof(float)};
  const std::int64_t threads = concurrency_for(2 * ids.size() * row_bytes);
  const bool streaming = use_streaming(out, options.stores, threads);
  const CacheLevel level = prefetch_level(table);
  const std::int64_t grain = rows_per_task(ids.size(), 2 * row_bytes, threads);
  ids.visit([&]<class Id>(const Id* data) {
    parallel_chunks(threads, ids.size(), grain, [&](std::int64_t begin, std::int64_t end) {
      const GatherArgs<Id> args{.table = table.data(),
                                .table_stride = table.row_stride(),
                                .ids = data + begin,
                                .count = end - begin,
                                .out = out.row(begin).data(),
                                .out_stride = out.row_stride(),
                                .dim = table.dim(),
                                .ask_into = level,
                                .streaming = streaming};
      if (options.out_of_range == OutOfRange::error) {
        run(k, args);
      } else {
        gather_resolved(k, args, table.rows(), options.out_of_range);
      }
    });
  });
}

}  // namespace rowmill
