// SPDX-License-Identifier: Apache-2.0
// gather, pool, find_winners and pool_weight_gradients of exact tables.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/core/checks.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/exact/exact.hpp"
#include "kernels/exact/lane_sums.hpp"
#include "kernels/exact/rows.hpp"
#include "kernels/ids/resolve.hpp"
#include "kernels/pool/bag_blocks.hpp"
#include "kernels/table/rows.hpp"

namespace rowmill::exact {
namespace {

/// Calls body(i, row, weight) for the positions i of bag b that count, in order. `row` is null for a row of zeros;
/// `weight` is 1 where bags have none.
template <class T, class Body>
void for_each_position(const ConstTableView& table, const Bags& bags, std::int64_t b, OutOfRange policy, Body body) {
  for (std::int64_t i = bags.begin(b); i < bags.begin(b + 1); ++i) {
    const std::int64_t row = resolve_in_bag(bags.ids()[i], table.rows(), policy, bags.padding_id());
    if (row == kDropped) continue;
    const double weight = bags.has_weights() ? double{bags.weights()[static_cast<std::size_t>(i)]} : 1;
    body(i, row == kZeroRow ? nullptr : row_of<T>(table, row), weight);
  }
}

/// The term of a row in its bag, in column c. Bags of integers have no weights.
template <class T>
T term(const T* row, std::int64_t c, double weight) {
  const T x = row == nullptr ? T{0} : row[c];
  if constexpr (std::is_same_v<T, double>) return weight * x;
  return x;
}

/// Whether a max takes `later` after `best`: if it is larger, or the first NaN.
template <class T>
bool takes(T later, T best) {
  if constexpr (std::is_same_v<T, double>) {
    if (std::isnan(later)) return !std::isnan(best);
  }
  return later > best;
}

/// The divisor of a bag's mean or sqrtn.
double divisor_of(const ConstTableView& table, const Bags& bags, std::int64_t b, const PoolOptions& options) {
  const bool root = options.pooling == Pooling::sqrtn;
  double of_weights = 0;
  std::int64_t count = 0;
  for_each_position<double>(table, bags, b, options.out_of_range, [&](std::int64_t, const double*, double weight) {
    const double x = root ? weight * weight : weight;
    of_weights = count == 0 ? x : of_weights + x;
    ++count;
  });
  const bool by_weights = options.divisor == Divisor::weights && bags.has_weights();
  const double total = by_weights ? of_weights : static_cast<double>(count);
  return root ? std::sqrt(total) : total;
}

template <class T>
void pool_bag(const ConstTableView& table, const Bags& bags, std::int64_t b, T* out, const PoolOptions& options) {
  const std::int64_t dim = table.dim();
  const bool max = options.pooling == Pooling::max;
  bool first = true;
  for_each_position<T>(table, bags, b, options.out_of_range, [&](std::int64_t, const T* row, double weight) {
    for (std::int64_t c = 0; c < dim; ++c) {
      const T x = term(row, c, weight);
      if (first || (max && takes(x, out[c]))) {
        out[c] = x;
      } else if (!max) {
        out[c] = sum_of(out[c], x);
      }
    }
    first = false;
  });
  if (first) std::fill_n(out, dim, T{0});
  if constexpr (std::is_same_v<T, double>) {
    if (!divides(options)) return;
    const double by = divisor_of(table, bags, b, options);
    for (std::int64_t c = 0; c < dim; ++c) out[c] = by == 0 ? 0 : out[c] / by;
  }
}

/// Calls task(b) for all bags.
template <class Task>
void for_each_bag(const ConstTableView& table, const Bags& bags, Task task) {
  for_each_bag_task(bags, row_bytes(table), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t b = first; b < last; ++b) task(b);
  });
}

/// The winners of a bag, a block of columns at a time.
template <class T>
void find_bag_winners(const ConstTableView& table, const Bags& bags, std::int64_t b, std::int32_t* winners,
                      OutOfRange policy) {
  constexpr std::int64_t kColumns = 64;
  for (std::int64_t c0 = 0; c0 < table.dim(); c0 += kColumns) {
    const std::int64_t columns = std::min(kColumns, table.dim() - c0);
    T best[kColumns];
    bool first = true;
    std::fill_n(winners + c0, columns, -1);
    for_each_position<T>(table, bags, b, policy, [&](std::int64_t i, const T* row, double weight) {
      for (std::int64_t c = 0; c < columns; ++c) {
        const T x = term(row, c0 + c, weight);
        if (!first && !takes(x, best[c])) continue;
        best[c] = x;
        winners[c0 + c] = row == nullptr ? -1 : static_cast<std::int32_t>(i - bags.begin(b));
      }
      first = false;
    });
  }
}

/// The dot product of g and a row; for a max, over the columns that position `i` of the bag won.
double dot(const double* g, const double* row, std::int64_t dim, const std::int32_t* winners, std::int64_t i) {
  return lane_sum(dim, [=](std::int64_t c) {
    const bool lost = winners != nullptr && winners[c] != i;
    return lost ? 0 : g[c] * (row == nullptr ? 0 : row[c]);
  });
}

/// The gradients of the weights of bag b, whose gradient is g.
void weight_gradients_of_bag(const ConstTableView& table, const Bags& bags, std::int64_t b, const double* g, float* out,
                             const std::int32_t* winners, const PoolOptions& options) {
  const std::int64_t begin = bags.begin(b);
  const auto dot_of = [&](std::int64_t i, const double* row) { return dot(g, row, table.dim(), winners, i - begin); };
  const bool by_weights = divides(options) && options.divisor == Divisor::weights && bags.has_weights();
  const double divisor = divides(options) ? divisor_of(table, bags, b, options) : 1;
  const double factor = divisor == 0 ? 0 : 1 / divisor;
  double total = 0;
  bool first = true;
  for_each_position<double>(table, bags, b, options.out_of_range,
                            [&](std::int64_t i, const double* row, double weight) {
                              if (!by_weights) return;
                              const double x = weight * dot_of(i, row);
                              total = first ? x : total + x;
                              first = false;
                            });
  std::fill(out + begin, out + bags.begin(b + 1), 0.0F);
  for_each_position<double>(
      table, bags, b, options.out_of_range, [&](std::int64_t i, const double* row, double weight) {
        if (factor == 0) return;
        const double d = dot_of(i, row);
        double of_weight = d;
        if (by_weights) {
          of_weight = options.pooling == Pooling::mean ? (d - total * factor) * factor
                                                       : (d - (weight * factor) * (total * factor)) * factor;
        } else if (divides(options)) {
          of_weight = factor * d;
        }
        out[i] = static_cast<float>(of_weight);
      });
}

}  // namespace

void gather(const ConstTableView& table, Ids ids, const TableView& out, OutOfRange policy) {
  const std::int64_t bytes = row_bytes(table);
  const std::int64_t threads = concurrency_for_lookup(2 * ids.size() * bytes);
  parallel_chunks(threads, ids.size(), rows_per_task(ids.size(), 2 * bytes, threads),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t i = begin; i < end; ++i) {
                      const std::int64_t row = resolve(ids[i], table.rows(), policy);
                      std::byte* const copy = row_address(out, i);
                      if (row == kIgnored) {
                        std::memset(copy, 0, static_cast<std::size_t>(bytes));
                      } else {
                        std::memcpy(copy, row_address(table, row), static_cast<std::size_t>(bytes));
                      }
                    }
                  });
}

void pool(const ConstTableView& table, const Bags& bags, const TableView& out, const PoolOptions& options) {
  with_type(table.format(), [&]<class T>(T) {
    for_each_bag(table, bags, [&](std::int64_t b) { pool_bag(table, bags, b, row_of<T>(out, b), options); });
  });
}

void find_winners(const ConstTableView& table, const Bags& bags, std::int32_t* winners, const PoolOptions& options) {
  const std::int64_t dim = table.dim();
  with_type(table.format(), [&]<class T>(T) {
    for_each_bag(table, bags,
                 [&](std::int64_t b) { find_bag_winners<T>(table, bags, b, winners + b * dim, options.out_of_range); });
  });
}

void pool_weight_gradients(const ConstTableView& table, const Bags& bags, const ConstTableView& gradient, float* out,
                           const std::int32_t* winners, const PoolOptions& options) {
  for_each_bag(table, bags, [&](std::int64_t b) {
    weight_gradients_of_bag(table, bags, b, row_of<double>(gradient, b), out,
                            winners == nullptr ? nullptr : winners + b * table.dim(), options);
  });
}

}  // namespace rowmill::exact
