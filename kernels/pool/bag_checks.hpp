// SPDX-License-Identifier: Apache-2.0
// What the operations on bags check.
#pragma once

#include "kernels/core/checks.hpp"
#include "rowmill/error.hpp"
#include "rowmill/pool.hpp"

namespace rowmill {

/// Both are known, and a divisor of the weights has something to divide: only a mean or sqrtn is divided.
void check_pooling(std::string_view op, Pooling pooling, Divisor divisor);
inline void check_pool_options(std::string_view op, const PoolOptions& options) {
  check_pooling(op, options.pooling, options.divisor);
  check_policy(op, options.out_of_range);
}

/// Integers have sums and maxima alone, and no weights.
inline void check_pool_of_integers(std::string_view op, const ConstTableView& table, const Bags& bags,
                                   const PoolOptions& options) {
  if (!is_exact(table.format()) || table.format() == Format::f64) return;
  const bool divides = options.pooling == Pooling::mean || options.pooling == Pooling::sqrtn;
  if (!divides && !bags.has_weights()) return;
  throw Error(ErrorCode::invalid_argument, "rowmill: " + std::string(op) + ": " + describe("table", table) +
                                               " has format " + std::string(format_name(table.format())) +
                                               ", which has no " +
                                               (!divides ? "weights; supported: bags without weights"
                                                : options.pooling == Pooling::mean ? "mean; supported: sum, max"
                                                                                   : "sqrtn; supported: sum, max"));
}

/// What pool() checks: after it, pool() with these arguments fails only where its scratch memory is refused. Returns
/// all_are_rows of the ids.
bool check_pool(const ConstTableView& table, const Bags& bags, const TableView& out, const PoolOptions& options);

/// `a` (a view, or an array of integers) shares no memory with the ids, offsets and weights of bags.
template <class A>
void check_disjoint_from_bags(std::string_view op, std::string_view name, const A& a, const Bags& bags) {
  check_disjoint(op, name, a, "ids", bags.ids());
  if (bags.has_offsets()) check_disjoint(op, name, a, "offsets", bags.offsets());
  if (bags.has_weights()) check_disjoint(op, name, a, "weights", memory_of(bags.weights()));
}

}  // namespace rowmill
