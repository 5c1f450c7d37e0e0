// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "rowmill/bags.hpp"
#include "rowmill/table_view.hpp"
#include "rowmill/workspace.hpp"

namespace rowmill {

/// How a bag's rows become one.
enum class Pooling : std::uint8_t {
  sum,
  mean,   ///< the sum over their number
  sqrtn,  ///< the sum over the root of their number
  max,    ///< column by column, the largest; of equal ones the first; NaN where there is one
};

/// What a mean or sqrtn of bags with weights divides by. Without weights both are the same.
enum class Divisor : std::uint8_t {
  count,    ///< the number of rows, or its root
  weights,  ///< the sum of the weights; for sqrtn the root of the sum of their squares
};

/// How pool() treats bags and ids out of range. Weights and a padding id come with the bags.
struct PoolOptions {
  Pooling pooling = Pooling::sum;
  OutOfRange out_of_range = OutOfRange::error;
  Divisor divisor = Divisor::count;  ///< `weights` is for mean and sqrtn alone
};

/// Pooled lookups: the forward pass of an embedding bag.
///
///     for b in 0 .. bags.size()-1:
///       rows = [table[id, :] for id in bag b]
///       out[b, :] = rows[0] + rows[1] + ...             # in this order; zero for an empty bag
///       out[b, :] = out[b, :] / len(rows)               # mean only
///
/// Shapes: `table` rows x dim; `bags` n bags; `out` n x dim, of any row stride >= dim and any alignment.
/// `workspace`, if given, holds the scratch memory (see pool_memory_required), which only policies other than `error`
/// need, and serves this call alone.
/// Runs in the caller's oneTBB arena. Reads of one table may run concurrently; a write to it meanwhile is a race.
///
/// Throws Error, and writes nothing, if
/// - table or out is null (and not empty), has a negative dim or number of rows, or a size that overflows
/// (invalid_argument);
/// - offsets are missing, do not begin with 0, fall, or do not end with ids.size() (invalid_argument: the lowest bad
///   position and its value); batch x length is not ids.size() (shape_mismatch);
/// - out is not bags.size() x table.dim() (shape_mismatch);
/// - out shares an element with table, ids or offsets, or its rows with each other (overlap);
/// - an id is out of range under the policy (IdError: the lowest position, its bag and its value);
/// - scratch memory is refused (out_of_memory), or ROWMILL_ISA is wrong (unsupported_isa).
void pool(const ConstTableView& table, const Bags& bags, const TableView& out, const PoolOptions& options = {},
          Workspace* workspace = nullptr);

/// The bytes of Workspace that a pool of `id_count` ids uses at most.
/// Throws Error (invalid_argument) unless 0 <= id_count <= 2^56.
[[nodiscard]] std::size_t pool_memory_required(std::int64_t id_count);

}  // namespace rowmill
