// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "rowmill/bags.hpp"
#include "rowmill/table_view.hpp"
#include "rowmill/workspace.hpp"

namespace rowmill {

/// How a bag's rows become one.
enum class Pooling : std::uint8_t {
  sum,
  mean,   ///< the sum divided by the number of rows
  sqrtn,  ///< the sum divided by the root of that number
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

/// Pooled lookups: the forward pass of an embedding bag. docs/numerics.md says which bits it gives.
///
///     for b in 0 .. bags.size()-1:
///       terms = [weight of i * table[row of i, :] for each position i of bag b that counts]
///       sum:          out[b, :] = terms[0] + terms[1] + ...     # in this order; zero if there is none
///       mean, sqrtn:  out[b, :] = that / divisor                # zero if the divisor is 0
///       max:          out[b, :] = the largest, column by column # zero if there is none
///
/// A position counts unless its id is padding, or out of range under `skip`. The divisor of a mean is the number of
/// positions that count, or the sum of their weights; of sqrtn the root of that number, or of the sum of their squares.
/// Weights are 1 where bags have none.
///
/// `table` may have any format but low16, and `out` is f32, bf16 or f16: sums are float32, and rounded once. A table of
/// f64 or integers needs an `out` of its own format, in which it is summed. Integers wrap around; they have sum and max
/// alone, without weights.
///
/// Shapes: `table` rows x dim; `bags` n bags; `out` n x dim, with any row stride >= dim. `workspace`, if given, holds
/// the scratch memory and serves this call alone. Scratch memory is needed only if a bag has more than 4,096 ids, and
/// there is padding, a max, strided ids, a policy other than `error` or, for a quantised or f16 table, a weight: see
/// pool_memory_required(). Runs in the caller's oneTBB arena. Reads of one table may run concurrently; a write to it
/// meanwhile is a race.
///
/// Throws Error, and writes nothing, if
/// - a view, the ids, the offsets or the weights are bad, a format is none of these, or an option is unknown
///   (invalid_argument);
/// - offsets are missing (invalid_argument), do not begin with 0, fall, or do not end with ids.size() (PositionError:
///   the lowest bad position and its value); batch x length is not ids.size() (shape_mismatch);
/// - there is not one weight for each id (shape_mismatch);
/// - the divisor is `weights`, and the pooling sum or max, which do not divide (invalid_argument);
/// - integers are pooled by a mean or sqrtn, or with weights (invalid_argument);
/// - out is not bags.size() x table.dim() (shape_mismatch);
/// - out shares an element with table, ids, offsets or weights, or its rows with each other (overlap);
/// - an id is out of range under the policy, and not padding (IdError: the lowest position, its bag and its value);
/// - scratch memory is refused (out_of_memory), or ROWMILL_ISA is wrong (unsupported_isa).
void pool(const ConstTableView& table, const Bags& bags, const TableView& out, const PoolOptions& options = {},
          Workspace* workspace = nullptr);

/// The bytes of Workspace that pool() or find_winners() uses at most for `id_count` ids.
/// Throws Error (invalid_argument) unless 0 <= id_count <= 2^56.
[[nodiscard]] std::size_t pool_memory_required(std::int64_t id_count);

/// Which position gave each element of a maximum: what the backward pass of Pooling::max needs.
///
///     for b in 0 .. bags.size()-1, each column c:
///       winners[b * dim + c] = i - bags.begin(b), for the position i whose term is out[b, c] of pool()
///                              # -1 if no position counts, or if the winner is a row of zeros under `zero`
///
/// The table must be as it was at the lookup. `winners` holds bags.size() x dim elements. Scratch memory and
/// concurrency are as in pool().
///
/// Throws Error, and writes nothing, as pool() does, and if
/// - the pooling is not max, the table is quantised, or a bag has more than 2^31 - 1 ids (invalid_argument);
/// - winners does not have bags.size() x dim elements (shape_mismatch), or shares memory with table, ids, offsets or
///   weights (overlap).
void find_winners(const ConstTableView& table, const Bags& bags, std::span<std::int32_t> winners,
                  const PoolOptions& options, Workspace* workspace = nullptr);

/// The gradients of per-sample weights, given the gradient of each bag's row, d loss / d out.
///
///     for b in 0 .. bags.size()-1, each position i of bag b:
///       d[i] = dot(gradient[b, :], table[row of i, :])          # for max in the columns that i won
///       out[i] = d[i]                                           # sum and max
///       out[i] = d[i] / divisor, less what the divisor takes    # mean and sqrtn: docs/numerics.md
///
/// A position that does not count, or whose bag's divisor is 0, has the gradient 0. Bags without weights give the
/// gradients of weights that are all 1; their divisor is the count.
///
/// Shapes: `table` rows x dim of f32, bf16, f16 or f64; `gradient` bags.size() x dim of f32, or of f64 if the table is;
/// `out` one element for each id. For max the table must be as it was at the lookup. `workspace` needs at most
/// pool_memory_required(bags, dim, options). Concurrency is as in pool().
///
/// Throws Error, and writes nothing, as pool() does, and if
/// - gradient is not bags.size() x dim, or out does not have ids.size() elements (shape_mismatch);
/// - a bag of a max has more than 2^31 - 1 ids (invalid_argument);
/// - out shares memory with table, gradient, ids, offsets or weights (overlap).
void pool_weight_gradients(const ConstTableView& table, const Bags& bags, const ConstTableView& gradient,
                           std::span<float> out, const PoolOptions& options, Workspace* workspace = nullptr);

/// The bytes of Workspace that any of the operations above uses at most for tables of `dim` columns.
/// Throws Error (invalid_argument) if there are more than 2^56 ids, or bags.size() x dim is more than that or below 0.
[[nodiscard]] std::size_t pool_memory_required(const Bags& bags, std::int64_t dim, const PoolOptions& options);

}  // namespace rowmill
