// SPDX-License-Identifier: Apache-2.0
#include "rowmill/scatter_add.hpp"

#include <algorithm>

#include "kernels/core/checks.hpp"
#include "kernels/core/choose_prefetch.hpp"
#include "kernels/core/dispatch.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/core/tuning.hpp"
#include "kernels/exact/exact.hpp"
#include "kernels/gradient/contributions.hpp"
#include "kernels/ids/resolve.hpp"
#include "kernels/memory/memory.hpp"
#include "kernels/plan/grouping.hpp"
#include "kernels/plan/shard_segments.hpp"
#include "rowmill/error.hpp"

namespace rowmill {
namespace {

constexpr std::string_view kOp = "scatter_add";

void check_views(const TableView& table, const ConstTableView& values) {
  check_writable(kOp, "table", table);
  check_view(kOp, "values", values);
  check_format(kOp, "table", table, kNumberFormats);
  if (is_exact(table.format())) {
    check_format(kOp, "values", values, {table.format()});
  } else {
    check_format(kOp, "values", values, kFloatFormats);
  }
  check_disjoint(kOp, "table", table, "values", values);
}

PrefetchArgs prefetch_for(const TableView& table, std::int64_t ids) {
  return prefetch_for_update(table.rows() * row_bytes(table), ids * row_bytes(table), row_bytes(table));
}

std::int64_t traffic(std::int64_t ids, std::int64_t dim) { return 3 * ids * dim * std::int64_t{sizeof(float)}; }

/// On the calling thread, in position order. Ids that are not rows as they stand become rows on the stack, some at a
/// time: this needs no memory.
void scatter_add_alone(const TableView& table, Ids ids, const ConstTableView& values, OutOfRange policy) {
  const FpEnvironment environment;
  const KernelTable& k = kernels();
  const PrefetchArgs prefetch = prefetch_for(table, ids.size());
  const bool any = table.format() == Format::f16 || values.format() != Format::f32;
  const auto kernel = any ? k.scatter_add_any : table.format() == Format::f32 ? k.scatter_add_f32 : k.scatter_add_bf16;
  const auto add = [&](const std::int64_t* rows, std::int64_t begin, std::int64_t count) {
    kernel({.table = table.bytes(),
            .table_stride = table.row_stride(),
            .rows = rows,
            .count = count,
            .values = static_cast<const std::byte*>(values.bytes()) +
                      begin * values.row_stride() * element_size(values.format()),
            .values_stride = values.row_stride(),
            .dim = table.dim(),
            .prefetch = prefetch,
            .format = table.format(),
            .values_format = values.format()});
  };
  if (ids.is_64_bit() && are_rows(ids, policy)) return add(static_cast<const std::int64_t*>(ids.data()), 0, ids.size());
  constexpr std::int64_t kBlock = 2048;
  std::int64_t rows[kBlock];
  for (std::int64_t begin = 0; begin < ids.size(); begin += kBlock) {
    const std::int64_t count = std::min(kBlock, ids.size() - begin);
    resolve_block(ids, begin, count, table.rows(), policy, rows);
    add(rows, begin, count);
  }
}

/// Row by row, so that a row is read and written once: shard(s) are `shards` groups of rows that threads may take.
template <class ShardOf>
void scatter_add_shards(const TableView& table, const ConstTableView& values, const std::int32_t* winners,
                        std::int64_t threads, std::int64_t shards, ShardOf shard_of) {
  const KernelTable& k = kernels();
  const auto kernel = table.format() == Format::f32    ? k.scatter_add_segments_f32
                      : table.format() == Format::bf16 ? k.scatter_add_segments_bf16
                                                       : k.scatter_add_segments_f16;
  const GradientPass pass{values.bytes(), values.row_stride(), values.rows(), values.format()};
  const GradientArgs gradients{.passes = &pass,
                               .pass_count = 1,
                               .index = {},
                               .dim = table.dim(),
                               .block = 0,
                               .prefetched = true,
                               .mean_squares = nullptr,
                               .any_format = values.format() != Format::f32,
                               .winners = winners};
  const PrefetchArgs prefetch = prefetch_for(table, values.rows());
  parallel_tasks(threads, shards, [&](std::int64_t s) {
    kernel({.segments = segments_of(shard_of(s)),
            .values = gradients,
            .prefetch = prefetch,
            .table = table.bytes(),
            .table_stride = table.row_stride()});
  });
}

}  // namespace

std::size_t scatter_add_memory_required(std::int64_t id_count) {
  check_id_count(kOp, id_count);
  Carver memory(nullptr);
  const Grouping grouping(id_count, {}, memory);
  return memory.used();
}

void scatter_add(const TableView& table, Ids ids, const ConstTableView& values, const ScatterAddOptions& options,
                 Workspace* workspace) {
  check_views(table, values);
  check_ids_pointer(kOp, ids);
  check_shape(kOp, "values", values, ids.size(), table.dim(), "ids.size() x the table's dim");
  check_disjoint(kOp, "table", table, "ids", ids);
  check_ids(kOp, ids, table.rows(), options.out_of_range, table.name());
  if (ids.empty() || table.dim() == 0) return;
  if (is_exact(table.format())) return exact::scatter_add(table, ids, values, options.out_of_range);

  const std::int64_t threads = concurrency_for(traffic(ids.size(), table.dim()));
  const std::int64_t value_bytes = ids.size() * table.dim() * std::int64_t{sizeof(float)};
  if (threads == 1 || value_bytes < tuning().group_bytes) {
    return scatter_add_alone(table, ids, values, options.out_of_range);
  }

  Workspace own;
  Workspace& scratch = workspace != nullptr ? *workspace : own;
  try {
    scratch.reserve(scatter_add_memory_required(ids.size()), kOp);
  } catch (const Error&) {  // the memory is refused
    return scatter_add_alone(table, ids, values, options.out_of_range);
  }
  Carver memory(scratch.data());
  const Grouping grouping(ids.size(), {}, memory);
  grouping.build({.ids = ids, .rows = table.rows(), .policy = options.out_of_range}, concurrency_for_plan(ids.size()));
  scatter_add_shards(table, values, nullptr, threads, grouping.shard_count(),
                     [&](std::int64_t s) { return grouping.shard(s); });
}

void scatter_add(const TableView& table, const Plan& plan, const ConstTableView& values) {
  check_views(table, values);
  check_plan(kOp, plan, table);
  check_shape(kOp, "values", values, plan.gradient_rows(), table.dim(), "the plan's ids or bags x the table's dim");
  check_gradients(kOp, plan, std::span(&values, 1), table.dim(), "table", table);
  exact::check_coefficients(kOp, plan, "table", table);
  if (plan.id_count() == 0 || table.dim() == 0) return;
  if (is_exact(table.format())) return exact::scatter_add(table, plan, values);

  const std::int64_t threads = concurrency_for(traffic(plan.id_count(), table.dim()));
  const std::int32_t* const winners = plan.pooling() == Pooling::max ? plan.winners().data() : nullptr;
  scatter_add_shards(table, values, winners, threads, plan.shard_count(),
                     [&](std::int64_t s) { return plan.shard(s); });
}

}  // namespace rowmill
