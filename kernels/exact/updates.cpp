// SPDX-License-Identifier: Apache-2.0
// scatter_add of exact tables.
#include <algorithm>
#include <string>

#include "kernels/core/checks.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/exact/contributions.hpp"
#include "kernels/exact/exact.hpp"
#include "kernels/exact/rows.hpp"
#include "kernels/ids/resolve.hpp"
#include "kernels/table/rows.hpp"
#include "rowmill/error.hpp"

namespace rowmill::exact {
namespace {

/// The bytes that an update moves: a row of the table read, one of values read, and one of the table written for each
/// id.
std::int64_t traffic(std::int64_t ids, const TableView& table) { return 3 * ids * row_bytes(table); }

/// Adds columns begin .. end-1 of a contribution, whose gradient row is `from`, to a row of T.
using AddColumns = void(void* to, const void* from, std::int64_t begin, std::int64_t end, const Contribution& of);

template <class T>
void add_columns(void* to, const void* from, std::int64_t begin, std::int64_t end, const Contribution& of) {
  auto* const sum = static_cast<T*>(to);
  const auto* const g = static_cast<const T*>(from);
  for (std::int64_t c = begin; c < end; ++c) sum[c] = sum_of(sum[c], of.at(g, c));
}

AddColumns* add_columns_of(Format format) {
  return with_unsigned_type(format, []<class T>(T) -> AddColumns* { return add_columns<T>; });
}

bool has_coefficients(const Plan& plan) {
  for (std::int64_t s = 0; s < plan.shard_count(); ++s) {
    if (!plan.shard(s).coefficients.empty()) return true;
  }
  return false;
}

}  // namespace

void check_coefficients(std::string_view op, const Plan& plan, std::string_view written_name,
                        const ConstTableView& written) {
  if (!is_exact(written.format())) return;
  const auto fail = [&](const std::string& what) {
    throw Error(ErrorCode::invalid_argument, "rowmill: " + std::string(op) + ": " + describe(written_name, written) +
                                                 " has format " + std::string(format_name(written.format())) +
                                                 ", but the plan " + what);
  };
  const bool divided = plan.pooling() == Pooling::mean || plan.pooling() == Pooling::sqrtn;
  if (written.format() != Format::f64) {
    if (divided || has_coefficients(plan)) {
      fail("is of weights, a mean or sqrtn; supported: sum and max without weights");
    }
  } else if (divided && plan.id_count() > 0 && plan.double_coefficients().empty()) {
    fail("has the coefficients of its mean or sqrtn in float; set PlanOptions::double_coefficients");
  }
}

void scatter_add(const TableView& table, Ids ids, const ConstTableView& values, OutOfRange policy) {
  AddColumns* const add = add_columns_of(table.format());
  // Each thread has some of the columns and adds in the order of the positions: this needs no memory.
  constexpr std::int64_t kCacheLine = 64;
  const std::int64_t threads = concurrency_for(traffic(ids.size(), table));
  const std::int64_t grain = std::max(kCacheLine / element_size(table.format()), (table.dim() + threads - 1) / threads);
  parallel_chunks(threads, table.dim(), grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = 0; i < ids.size(); ++i) {
      const std::int64_t row = resolve(ids[i], table.rows(), policy);
      if (row != kIgnored) add(row_address(table, row), row_address(values, i), begin, end, {});
    }
  });
}

void scatter_add(const TableView& table, const Plan& plan, const ConstTableView& values) {
  AddColumns* const add = add_columns_of(table.format());
  const std::int64_t threads = concurrency_for(traffic(plan.id_count(), table));
  parallel_tasks(threads, plan.shard_count(), [&](std::int64_t s) {
    const ShardContributions contributions(plan, s, table.dim());
    const Plan::Shard& shard = contributions.shard();
    for (std::size_t g = 0; g < shard.rows.size(); ++g) {
      for (std::int64_t k = shard.segment_begin[g]; k < shard.segment_begin[g + 1]; ++k) {
        const Contribution of = contributions[k];
        add(row_address(table, shard.rows[g]), row_address(values, of.position), 0, table.dim(), of);
      }
    }
  });
}

}  // namespace rowmill::exact
