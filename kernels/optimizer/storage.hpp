// SPDX-License-Identifier: Apache-2.0
// What StorageOptions mean for an optimizer.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/optimizer/storage_args.hpp"
#include "rowmill/storage_options.hpp"
#include "rowmill/table_view.hpp"

namespace rowmill {

/// Every option is one that there is, and stochastic rounding knows its random numbers. `name` is the table's.
void check_storage(std::string_view op, const StorageOptions& storage, std::string_view name);

/// Weights of this format can be updated so, and no option is without effect. `has_16_bit_states`: some are rounded.
void check_weights_format(std::string_view op, const StorageOptions& storage, const ConstTableView& weights,
                          bool has_16_bit_states);

/// The tables of step number `step` as kernels of any format take them. `states` are those of the formula, and `low`
/// the lower halves of a split table.
StorageArgs storage_args(const StorageOptions& storage, const TableView& weights, std::span<const TableView> states,
                         void* low, std::int64_t step);

}  // namespace rowmill
