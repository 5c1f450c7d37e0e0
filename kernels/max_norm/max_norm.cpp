// SPDX-License-Identifier: Apache-2.0
// renormalize(): groups the ids by row, then scales each row once.
#include "rowmill/max_norm.hpp"

#include <limits>
#include <string>

#include "kernels/core/checks.hpp"
#include "kernels/core/choose_prefetch.hpp"
#include "kernels/core/dispatch.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/exact/step.hpp"
#include "kernels/max_norm/check_max_norm.hpp"
#include "kernels/memory/carve.hpp"
#include "kernels/plan/grouping.hpp"
#include "rowmill/error.hpp"

namespace rowmill {
namespace {

constexpr std::string_view kOp = "renormalize";

void check_table(const TableView& table, const MaxNorm& max_norm) {
  check_writable(kOp, "table", table);
  check_format(kOp, "table", table, {Format::f32, Format::bf16, Format::f16, Format::f64});
  check_max_norm(kOp, max_norm);
}

/// After all checks. A grouping of the ids says which rows there are, and which thread owns each.
void renormalize_rows(const TableView& table, const GroupingInput& input, const MaxNorm& max_norm,
                      Workspace* workspace) {
  const std::int64_t id_count = input.ids.size();
  if (id_count == 0 || table.dim() == 0) return;
  const KernelTable& k = kernels();
  Workspace own;
  Workspace& scratch = workspace != nullptr ? *workspace : own;
  scratch.reserve(renormalize_memory_required(id_count), kOp);
  Carver memory(scratch.data());
  const Grouping grouping(id_count, {}, memory);
  grouping.build(input, concurrency_for_plan(id_count));

  const auto kernel = table.format() == Format::f32    ? k.renormalize_f32
                      : table.format() == Format::bf16 ? k.renormalize_bf16
                                                       : k.renormalize_f16;
  const std::int64_t row_bytes = table.dim() * element_size(table.format());
  const PrefetchArgs prefetch = prefetch_for_update(table.rows() * row_bytes, id_count * row_bytes, row_bytes);
  parallel_tasks(concurrency_for(id_count * row_bytes), grouping.shard_count(), [&](std::int64_t s) {
    const Plan::Shard shard = grouping.shard(s);
    if (table.format() == Format::f64) {
      for (const std::int64_t row : shard.rows) {
        exact::renormalize_row(table.row<double>(row).data(), table.dim(), max_norm.max_norm, max_norm.norm);
      }
      return;
    }
    kernel({.table = table.bytes(),
            .table_stride = table.row_stride(),
            .rows = shard.rows.data(),
            .count = std::ssize(shard.rows),
            .dim = table.dim(),
            .max_norm = static_cast<float>(max_norm.max_norm),
            .norm = max_norm.norm,
            .prefetch = prefetch});
  });
}

}  // namespace

void check_max_norm(std::string_view op, const MaxNorm& max_norm) {
  const auto fail = [&](const std::string& what) {
    throw Error(ErrorCode::invalid_argument, "rowmill: " + std::string(op) + ": " + what);
  };
  if (!(max_norm.max_norm >= 0 && max_norm.max_norm <= std::numeric_limits<float>::max())) {
    fail("max_norm is " + to_text(max_norm.max_norm) + "; allowed: 0 <= value <= 3.4e38");
  }
  if (max_norm.norm > NormType::infinity) {
    fail("norm is " + std::to_string(static_cast<int>(max_norm.norm)) + "; allowed: 0 to 2");
  }
}

std::size_t renormalize_memory_required(std::int64_t id_count) {
  check_id_count(kOp, id_count);
  Carver memory(nullptr);
  const Grouping grouping(id_count, {}, memory);
  return memory.used();
}

void renormalize(const TableView& table, Ids ids, const MaxNorm& max_norm, const RenormalizeOptions& options,
                 Workspace* workspace) {
  check_table(table, max_norm);
  check_ids_pointer(kOp, ids);
  check_disjoint(kOp, "table", table, "ids", ids);
  check_ids(kOp, ids, table.rows(), options.out_of_range, table.name(), options.padding_id);
  renormalize_rows(table,
                   {.ids = ids, .rows = table.rows(), .policy = options.out_of_range, .padding_id = options.padding_id},
                   max_norm, workspace);
}

void renormalize(const TableView& table, const Bags& bags, const MaxNorm& max_norm, const RenormalizeOptions& options,
                 Workspace* workspace) {
  check_table(table, max_norm);
  if (options.padding_id) {
    throw Error(ErrorCode::invalid_argument,
                "rowmill: renormalize: padding_id is given beside bags; their own is Bags::with_padding");
  }
  check_bags(kOp, bags);
  check_disjoint(kOp, "table", table, "ids", bags.ids());
  if (bags.has_offsets()) check_disjoint(kOp, "table", table, "offsets", bags.offsets());
  if (bags.has_weights()) {
    const std::int64_t size = std::ssize(bags.weights());
    check_disjoint(kOp, "table", table, "weights", ConstTableView(bags.weights().data(), 1, size));
  }
  check_ids(kOp, bags, table.rows(), options.out_of_range, table.name());
  renormalize_rows(
      table, {.ids = bags.ids(), .rows = table.rows(), .policy = options.out_of_range, .padding_id = bags.padding_id()},
      max_norm, workspace);
}

}  // namespace rowmill
