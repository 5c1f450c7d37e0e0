// SPDX-License-Identifier: Apache-2.0
#include "rowmill/scatter_add.hpp"

#include <algorithm>
#include <string>
#include <type_traits>

#include "kernels/core/checks.hpp"
#include "kernels/core/dispatch.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/ids/resolve.hpp"
#include "kernels/plan/partition.hpp"
#include "rowmill/error.hpp"

namespace rowmill {
namespace {

constexpr std::string_view kOp = "scatter_add";

void check_views(const TableView& table, const ConstTableView& values) {
  check_writable(kOp, "table", table);
  check_view(kOp, "values", values);
  check_disjoint(kOp, "table", table, "values", values);
}

std::int64_t traffic(std::int64_t ids, std::int64_t dim) { return 3 * ids * dim * std::int64_t{sizeof(float)}; }

ScatterAddArgs leaf_args(const TableView& table, const ConstTableView& values, const std::int64_t* rows,
                         const std::int64_t* positions, std::int64_t count) {
  return {table.data(), table.row_stride(), rows, positions, count, values.data(), values.row_stride(), table.dim()};
}

/// On the calling thread, in position order.
void scatter_add_alone(const TableView& table, Ids ids, const ConstTableView& values, OutOfRange policy,
                       Workspace& workspace) {
  const FpEnvironment environment;
  const std::int64_t* rows = nullptr;
  if (ids.is_64_bit() && policy == OutOfRange::error) {
    rows = static_cast<const std::int64_t*>(ids.data());
  } else {
    workspace.reserve(scatter_add_memory_required(ids.size()));
    auto* const resolved = Carver(workspace.data()).take<std::int64_t>(ids.size());
    resolve_all(ids, table.rows(), policy, 1, resolved);
    rows = resolved;
  }
  kernels().scatter_add_f32(leaf_args(table, values, rows, nullptr, ids.size()));
}

/// Each shard reads its part of the values in strides: few, then, but enough that a thread which finishes early finds
/// more to do.
int shard_bits(std::int64_t threads) { return shard_bits_for(2 * threads); }

}  // namespace

std::size_t scatter_add_memory_required(std::int64_t id_count) {
  Carver memory(nullptr);
  const Partition layout(id_count, kMostShardBits, memory);
  return memory.used();
}

void scatter_add(const TableView& table, Ids ids, const ConstTableView& values, const ScatterAddOptions& options,
                 Workspace* workspace) {
  check_views(table, values);
  check_ids_pointer(kOp, ids);
  check_shape(kOp, "values", values, ids.size(), table.dim(), "ids.size() x the table's dim");
  check_disjoint(kOp, "table", table, "ids", ids);
  check_ids(kOp, ids, table.rows(), options.out_of_range, table.name());
  if (ids.empty()) return;

  const KernelTable& k = kernels();
  Workspace own;
  Workspace& scratch = workspace != nullptr ? *workspace : own;
  const std::int64_t threads = concurrency_for(traffic(ids.size(), table.dim()));
  if (threads == 1) return scatter_add_alone(table, ids, values, options.out_of_range, scratch);

  scratch.reserve(scatter_add_memory_required(ids.size()));
  Carver memory(scratch.data());
  const int bits = shard_bits(threads);
  const Partition shards(ids.size(), bits, memory);
  partition(ids, nullptr, table.rows(), options.out_of_range, bits, threads, shards);
  parallel_tasks(threads, std::int64_t{1} << bits, [&](std::int64_t s) {
    const std::int64_t begin = shards.shard_begin[s];
    k.scatter_add_f32(
        leaf_args(table, values, shards.rows + begin, shards.positions + begin, shards.shard_begin[s + 1] - begin));
  });
}

void scatter_add(const TableView& table, const Plan& plan, const ConstTableView& values) {
  check_views(table, values);
  check_plan(kOp, plan, table);
  check_shape(kOp, "values", values, plan.gradient_rows(), table.dim(), "the plan's ids or bags x the table's dim");

  const KernelTable& k = kernels();
  const std::int64_t threads = concurrency_for(traffic(plan.id_count(), table.dim()));
  parallel_tasks(threads, plan.shard_count(), [&](std::int64_t s) {
    const Plan::Shard shard = plan.shard(s);
    k.scatter_add_f32(leaf_args(table, values, shard.contribution_rows.data(), shard.contribution_positions.data(),
                                static_cast<std::int64_t>(shard.contribution_rows.size())));
  });
}

}  // namespace rowmill
