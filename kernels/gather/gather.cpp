// SPDX-License-Identifier: Apache-2.0
// gather(): checks, then kernels over parts of the ids.
#include "rowmill/gather.hpp"

#include <algorithm>
#include <utility>

#include "kernels/core/checks.hpp"
#include "kernels/core/choose_prefetch.hpp"
#include "kernels/core/dispatch.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/exact/exact.hpp"
#include "kernels/gather/check_gather.hpp"
#include "kernels/gather/gather_formats.hpp"
#include "kernels/ids/resolve.hpp"
#include "kernels/memory/memory.hpp"

namespace rowmill {
namespace {

/// Measured (docs/design/performance.md): streaming stores are faster if the output exceeds the threads' share of the
/// caches.
bool use_streaming(const ConstTableView& table, const TableView& out, Stores stores, std::int64_t threads) {
  constexpr std::int64_t kAlignment = 64;
  const std::int64_t size = element_size(out.format());
  const std::int64_t row_bytes = out.dim() * size;
  const bool aligned = reinterpret_cast<std::uintptr_t>(out.bytes()) % kAlignment == 0 &&
                       out.row_stride() * size % kAlignment == 0 && row_bytes % kAlignment == 0;
  if (!aligned || stores == Stores::ordinary) return false;
  // Narrowed to 16 bits, a vector of floats fills half a vector: no kernel streams those.
  if (out.format() != Format::f32 && out.format() != table.format()) return false;
  if (stores == Stores::streaming) return true;
  return out.rows() * row_bytes > cache_share_bytes(threads);
}

/// Gathers by ids that are not rows as they stand: resolves a block of them at a time on the stack.
void gather_resolved(Kernel<GatherArgs<std::int64_t>>* kernel, GatherArgs<std::int64_t> args, Ids ids,
                     std::int64_t first, std::int64_t last, std::int64_t out_row_bytes, std::int64_t rows,
                     OutOfRange policy) {
  constexpr std::int64_t kBlock = 256;
  std::int64_t resolved[kBlock];
  args.ids = resolved;
  for (std::int64_t begin = first; begin < last; begin += args.count) {
    args.count = std::min(kBlock, last - begin);
    resolve_block(ids, begin, args.count, rows, policy, resolved);
    kernel(args);
    args.out = static_cast<std::byte*>(args.out) + args.count * out_row_bytes;
  }
}

}  // namespace

GatherKernels gather_kernels(Format from, Format to) {
  const KernelTable& k = kernels();
  if (from == Format::f32 && to == Format::f32) return {k.gather_f32_i32, k.gather_f32_i64};
  if (from == to) return {k.gather_16bit_i32, k.gather_16bit_i64};
  switch (from) {
    case Format::f32:
      return {k.gather_f32_to_any_i32, k.gather_f32_to_any_i64};
    case Format::bf16:
      return {k.gather_bf16_to_any_i32, k.gather_bf16_to_any_i64};
    case Format::f16:
      return {k.gather_f16_to_any_i32, k.gather_f16_to_any_i64};
    case Format::int8:
      return {k.gather_int8_to_any_i32, k.gather_int8_to_any_i64};
    case Format::int4:
      return {k.gather_int4_to_any_i32, k.gather_int4_to_any_i64};
    default:  // int2
      break;
  }
  return {k.gather_int2_to_any_i32, k.gather_int2_to_any_i64};
}

void check_gather(const ConstTableView& table, Ids ids, const TableView& out, OutOfRange policy) {
  constexpr std::string_view kOp = "gather";
  check_lookup(kOp, table, out);
  check_ids_pointer(kOp, ids);
  check_shape(kOp, "out", out, ids.size(), table.dim(), "ids.size() x the table's dim");
  check_disjoint(kOp, "out", out, "table", table);
  check_disjoint(kOp, "out", out, "ids", ids);
  check_ids(kOp, ids, table.rows(), policy, table.name());
}

void gather(const ConstTableView& table, Ids ids, const TableView& out, const GatherOptions& options) {
  check_gather(table, ids, out, options.out_of_range);
  check_enum("gather", "stores", options.stores, Stores::streaming);
  if (ids.empty() || table.dim() == 0) return;
  if (is_exact(table.format())) return exact::gather(table, ids, out, options.out_of_range);

  const auto [kernel32, kernel64] = gather_kernels(table.format(), out.format());
  const std::int64_t out_row_bytes = out.row_stride() * element_size(out.format());
  const std::int64_t traffic_each = row_bytes(table) + row_bytes(out);
  const std::int64_t threads = concurrency_for_lookup(ids.size() * traffic_each);
  const bool streaming = use_streaming(table, out, options.stores, threads);
  const PrefetchArgs prefetch = prefetch_for_gather(table);
  const std::int64_t grain = rows_per_task(ids.size(), traffic_each, threads);
  const auto args_for = [&]<class Id>(const Id* data, std::int64_t begin, std::int64_t end) {
    return GatherArgs<Id>{.table = table.bytes(),
                          .table_stride = table.row_stride(),
                          .ids = data,
                          .count = end - begin,
                          .out = static_cast<std::byte*>(out.bytes()) + begin * out_row_bytes,
                          .out_stride = out.row_stride(),
                          .dim = table.dim(),
                          .prefetch = prefetch,
                          .streaming = streaming,
                          .to = out.format()};
  };
  if (!are_rows(ids, options.out_of_range)) {
    return parallel_chunks(threads, ids.size(), grain, [&, kernel = kernel64](std::int64_t begin, std::int64_t end) {
      gather_resolved(kernel, args_for(static_cast<const std::int64_t*>(nullptr), begin, end), ids, begin, end,
                      out_row_bytes, table.rows(), options.out_of_range);
    });
  }
  ids.visit([&, kernel32 = kernel32, kernel64 = kernel64]<class Id>(const Id* data) {
    parallel_chunks(threads, ids.size(), grain, [&](std::int64_t begin, std::int64_t end) {
      GatherArgs<Id> args = args_for(data + begin, begin, end);
      args.later_ids = ids.size() - end;
      if constexpr (sizeof(Id) == 4) {
        kernel32(args);
      } else {
        kernel64(args);
      }
    });
  });
}

}  // namespace rowmill
