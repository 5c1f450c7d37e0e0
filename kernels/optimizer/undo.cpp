// SPDX-License-Identifier: Apache-2.0
#include "kernels/optimizer/undo.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <limits>

#include "kernels/core/checks.hpp"
#include "kernels/core/parallel.hpp"

namespace rowmill {
namespace {

/// Calls copy(place of the row, place of its copy, bytes) for each table's rows of a shard.
template <class Copy>
void for_each_copy(const Plan::Shard& shard, const TableView& weights, std::span<const TableView> state,
                   std::byte* saved, Copy copy) {
  const auto of_table = [&](const TableView& table, std::int64_t row) {
    const std::int64_t offset = row * table.row_stride() * element_size(table.format());
    copy(static_cast<std::byte*>(table.bytes()) + offset, saved, static_cast<std::size_t>(row_bytes(table)));
    saved += row_bytes(table);
  };
  for (const std::int64_t row : shard.rows) {
    of_table(weights, row);
    for (const TableView& table : state) of_table(table, row);
  }
}

}  // namespace

Undo::Undo(bool wanted, std::int64_t id_count, std::int64_t unique, std::int64_t bytes_a_row, Carver& memory)
    : wanted_(wanted),
      bytes_a_row_(bytes_a_row),
      shard_begin_(memory.take<std::int64_t>(wanted ? Plan::shard_count_for(id_count) : 0)),
      overflowed_(memory.take<bool>(wanted ? Plan::shard_count_for(id_count) : 0)),
      rows_(memory.take<std::byte>(wanted ? unique : 0, bytes_a_row)) {}

void Undo::save(const Plan& plan, std::int64_t threads, const TableView& weights, std::span<const TableView> state) {
  if (!wanted_) return;
  std::int64_t begin = 0;
  for (std::int64_t s = 0; s < plan.shard_count(); ++s) {
    overflowed_[s] = false;
    shard_begin_[s] = begin;
    begin += std::ssize(plan.shard(s).rows);
  }
  parallel_tasks(threads, plan.shard_count(), [&](std::int64_t s) {
    for_each_copy(
        plan.shard(s), weights, state, rows_ + shard_begin_[s] * bytes_a_row_,
        [](const std::byte* place, std::byte* saved, std::size_t bytes) { std::memcpy(saved, place, bytes); });
  });
}

bool Undo::needed(const Plan& plan) const {
  return wanted_ &&
         std::any_of(overflowed_, overflowed_ + plan.shard_count(), [](bool overflowed) { return overflowed; });
}

void Undo::put_back(const Plan& plan, std::int64_t threads, const TableView& weights,
                    std::span<const TableView> state) const {
  parallel_tasks(threads, plan.shard_count(), [&](std::int64_t s) {
    for_each_copy(
        plan.shard(s), weights, state, rows_ + shard_begin_[s] * bytes_a_row_,
        [](std::byte* place, const std::byte* saved, std::size_t bytes) { std::memcpy(place, saved, bytes); });
  });
}

Place find_infinite(const Plan& plan, const ConstTableView& weights) {
  Place found{std::numeric_limits<std::int64_t>::max(), 0};
  for (std::int64_t s = 0; s < plan.shard_count(); ++s) {
    const Plan::Shard shard = plan.shard(s);
    for (const std::int64_t row : shard.rows) {
      if (row >= found.row) continue;
      const std::span<const F16> values = weights.row<F16>(row);
      const auto is_infinite = [](F16 x) { return (x.bits & 0x7FFFU) == 0x7C00U; };
      const auto first = std::find_if(values.begin(), values.end(), is_infinite);
      if (first != values.end()) found = {row, first - values.begin()};
    }
  }
  return found;
}

}  // namespace rowmill
