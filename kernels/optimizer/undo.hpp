// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/memory/carve.hpp"
#include "rowmill/plan.hpp"
#include "rowmill/table_view.hpp"

namespace rowmill {

/// Copies of the rows that a step touches, which can be put back where a weight overflowed. Does nothing unless
/// `wanted`.
class Undo {
 public:
  /// Memory for plans of `id_count` ids that touch `unique` rows, of tables with so many bytes a row in all.
  Undo(bool wanted, std::int64_t id_count, std::int64_t unique, std::int64_t bytes_a_row, Carver& memory);

  void save(const Plan& plan, std::int64_t threads, const TableView& weights, std::span<const TableView> state);
  /// What the update of shard s sets to true where a weight overflows; null unless `wanted`.
  [[nodiscard]] bool* overflowed(std::int64_t s) const { return wanted_ ? overflowed_ + s : nullptr; }
  /// Whether an update did.
  [[nodiscard]] bool needed(const Plan& plan) const;
  void put_back(const Plan& plan, std::int64_t threads, const TableView& weights,
                std::span<const TableView> state) const;

 private:
  bool wanted_;
  std::int64_t bytes_a_row_;
  std::int64_t* shard_begin_;  // the number of the first row of each shard
  bool* overflowed_;           // of each shard
  std::byte* rows_;            // by shard and segment: the row of the weights, then that of each state
};

struct Place {
  std::int64_t row;
  std::int64_t column;
};
/// The lowest row that the plan touches with an infinite weight, and its first such column; of f16.
Place find_infinite(const Plan& plan, const ConstTableView& weights);

}  // namespace rowmill
