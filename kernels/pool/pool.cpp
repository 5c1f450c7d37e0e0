// SPDX-License-Identifier: Apache-2.0
#include "rowmill/pool.hpp"

#include <algorithm>

#include "kernels/core/checks.hpp"
#include "kernels/core/choose_prefetch.hpp"
#include "kernels/core/dispatch.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/ids/resolve.hpp"
#include "kernels/memory/carve.hpp"
#include "kernels/memory/memory.hpp"
#include "rowmill/error.hpp"

namespace rowmill {
namespace {

constexpr std::string_view kOp = "pool";

/// The kernel from one format into another.
template <class Id>
Kernel<PoolArgs<Id>>* kernel_for(Format from, Format to) {
  const KernelTable& k = kernels();
  if constexpr (sizeof(Id) == 4) {
    return from == Format::f32 ? k.pool_f32_i32 : to == Format::f32 ? k.pool_bf16_to_f32_i32 : k.pool_bf16_i32;
  } else {
    return from == Format::f32 ? k.pool_f32_i64 : to == Format::f32 ? k.pool_bf16_to_f32_i64 : k.pool_bf16_i64;
  }
}

/// Bags [first, last), a block of them at a time: their begins are widened on the stack.
template <class Id>
void pool_range(const ConstTableView& table, const Bags& bags, const Id* ids, std::int64_t first, std::int64_t last,
                const TableView& out, PrefetchArgs prefetch, bool mean) {
  constexpr std::int64_t kBlock = 256;
  Kernel<PoolArgs<Id>>* const kernel = kernel_for<Id>(table.format(), out.format());
  const std::int64_t out_row_bytes = out.row_stride() * element_size(out.format());
  std::int64_t begin[kBlock + 1];
  for (std::int64_t b = first; b < last; b += kBlock) {
    const std::int64_t count = std::min(kBlock, last - b);
    for (std::int64_t i = 0; i <= count; ++i) begin[i] = bags.begin(b + i);
    kernel({.table = table.bytes(),
            .table_stride = table.row_stride(),
            .ids = ids,
            .begin = begin,
            .bags = count,
            .out = static_cast<std::byte*>(out.bytes()) + b * out_row_bytes,
            .out_stride = out.row_stride(),
            .dim = table.dim(),
            .prefetch = prefetch,
            .mean = mean});
  }
}

}  // namespace

std::size_t pool_memory_required(std::int64_t id_count) {
  check_id_count(kOp, id_count);
  Carver memory(nullptr);
  (void)memory.take<std::int64_t>(id_count);
  return memory.used();
}

void pool(const ConstTableView& table, const Bags& bags, const TableView& out, const PoolOptions& options,
          Workspace* workspace) {
  const auto refuse = [](const std::string& what) {
    throw Error(ErrorCode::invalid_argument, "rowmill: pool: " + what + " is not supported yet");
  };
  if (options.pooling == Pooling::sqrtn || options.pooling == Pooling::max) refuse("this pooling");
  if (options.divisor != Divisor::count) refuse("a divisor of weights");
  if (bags.has_weights() || bags.padding_id()) refuse("bags with weights or a padding id");
  check_view(kOp, "table", table);
  check_writable(kOp, "out", out);
  check_format(kOp, "table", table, {Format::f32, Format::bf16});
  if (table.format() == Format::f32) {
    check_format(kOp, "out", out, {Format::f32});
  } else {
    check_format(kOp, "out", out, {Format::f32, Format::bf16});
  }
  check_bags(kOp, bags);
  check_shape(kOp, "out", out, bags.size(), table.dim(), "bags.size() x the table's dim");
  check_disjoint(kOp, "out", out, "table", table);
  check_disjoint(kOp, "out", out, "ids", bags.ids());
  if (bags.has_offsets()) check_disjoint(kOp, "out", out, "offsets", bags.offsets());
  check_ids(kOp, bags, table.rows(), options.out_of_range, table.name());
  if (bags.size() == 0 || table.dim() == 0) return;

  const Ids ids = bags.ids();
  const std::int64_t row_bytes = table.dim() * element_size(table.format());
  const std::int64_t threads = concurrency_for_lookup((ids.size() / 2 + bags.size()) * row_bytes);
  const PrefetchArgs prefetch = prefetch_for_pool(table);
  const bool mean = options.pooling == Pooling::mean;

  // Tasks of about the same number of ids: the bags that begin in one range of positions.
  const std::int64_t positions = std::max<std::int64_t>(ids.size(), 1);
  const std::int64_t grain = rows_per_task(positions, row_bytes, threads);
  const auto pool_all = [&](const auto* data) {
    parallel_chunks(threads, positions, grain, [&](std::int64_t begin, std::int64_t end) {
      const std::int64_t first = begin == 0 ? 0 : bags.bag_of(begin - 1) + 1;
      const std::int64_t last = end == positions ? bags.size() : bags.bag_of(end - 1) + 1;
      pool_range(table, bags, data, first, last, out, prefetch, mean);
    });
  };
  if (are_rows(ids, options.out_of_range)) return ids.visit(pool_all);

  Workspace own;
  Workspace& scratch = workspace != nullptr ? *workspace : own;
  scratch.reserve(pool_memory_required(ids.size()), kOp);
  auto* const rows = Carver(scratch.data()).take<std::int64_t>(ids.size());
  resolve_all(bags, table.rows(), options.out_of_range, threads, rows);
  pool_all(static_cast<const std::int64_t*>(rows));
}

}  // namespace rowmill
