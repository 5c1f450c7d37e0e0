// SPDX-License-Identifier: Apache-2.0
// Tables of float64 and of integers: complete and exact, and not fast. A public operation checks its arguments and then
// calls these for formats of is_exact(). They compute in the format's own type, as docs/numerics.md says in "float64
// and integers".
#pragma once

#include <cstdint>
#include <string_view>

#include "rowmill/bags.hpp"
#include "rowmill/ids.hpp"
#include "rowmill/plan.hpp"
#include "rowmill/pool.hpp"
#include "rowmill/table_view.hpp"

namespace rowmill::exact {

void gather(const ConstTableView& table, Ids ids, const TableView& out, OutOfRange policy);

void pool(const ConstTableView& table, const Bags& bags, const TableView& out, const PoolOptions& options);
void find_winners(const ConstTableView& table, const Bags& bags, std::int32_t* winners, const PoolOptions& options);
/// For a table of f64. `winners` are those of a max, or null.
void pool_weight_gradients(const ConstTableView& table, const Bags& bags, const ConstTableView& gradient, float* out,
                           const std::int32_t* winners, const PoolOptions& options);

/// The plan's coefficients serve `written`, a table or gradient of any format: integers need a plan without
/// coefficients, and f64 needs those of a mean or sqrtn in double.
void check_coefficients(std::string_view op, const Plan& plan, std::string_view written_name,
                        const ConstTableView& written);
void scatter_add(const TableView& table, Ids ids, const ConstTableView& values, OutOfRange policy);
void scatter_add(const TableView& table, const Plan& plan, const ConstTableView& values);

/// Between f64 and f32, bf16 or f16.
void convert(const ConstTableView& from, const TableView& to);

/// Every element of a table of integers becomes `value`, which its type has.
void fill(const TableView& table, std::int64_t value, std::int64_t threads);

}  // namespace rowmill::exact
