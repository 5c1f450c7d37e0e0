// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <rowmill/format.hpp>
#include <rowmill/pool.hpp>
#include <string_view>

namespace bench {

enum class Kind : std::uint8_t {
  lookup,  ///< reads the table and writes an output
  update,  ///< reads gradients, or values, and updates the table
  plan,    ///< finds out what a step needs to know of its ids
};

struct Operation {
  std::string_view name;
  Kind kind;
  bool pooled = false;     ///< the output or the gradient has a row for each bag instead of for each id
  bool weighted = false;   ///< each id has a weight
  bool step = false;       ///< an optimizer's
  int states = 0;          ///< state tables as large as the weights
  bool row_state = false;  ///< one state value for each row
  rowmill::Format format = rowmill::Format::f32;  ///< of the table; of a lookup's output too, but for quantised rows
  rowmill::Pooling pooling = rowmill::Pooling::sum;

  /// Not weighted, and no other pooling than a sum.
  [[nodiscard]] bool plain() const { return !weighted && pooling == rowmill::Pooling::sum; }
  /// Of a lookup's output: quantised rows become floats.
  [[nodiscard]] rowmill::Format out() const { return rowmill::is_quantized(format) ? rowmill::Format::f32 : format; }
};

inline constexpr Operation kOperations[] = {
    {.name = "gather", .kind = Kind::lookup},
    {.name = "gather_bf16", .kind = Kind::lookup, .format = rowmill::Format::bf16},
    {.name = "gather_f16", .kind = Kind::lookup, .format = rowmill::Format::f16},
    {.name = "gather_int8", .kind = Kind::lookup, .format = rowmill::Format::int8},
    {.name = "gather_int4", .kind = Kind::lookup, .format = rowmill::Format::int4},
    {.name = "gather_int2", .kind = Kind::lookup, .format = rowmill::Format::int2},
    {.name = "pool", .kind = Kind::lookup, .pooled = true},
    {.name = "pool_bf16", .kind = Kind::lookup, .pooled = true, .format = rowmill::Format::bf16},
    {.name = "pool_f16", .kind = Kind::lookup, .pooled = true, .format = rowmill::Format::f16},
    {.name = "pool_int8", .kind = Kind::lookup, .pooled = true, .format = rowmill::Format::int8},
    {.name = "pool_int4", .kind = Kind::lookup, .pooled = true, .format = rowmill::Format::int4},
    {.name = "pool_int2", .kind = Kind::lookup, .pooled = true, .format = rowmill::Format::int2},
    {.name = "pool_weighted", .kind = Kind::lookup, .pooled = true, .weighted = true},
    {.name = "pool_max", .kind = Kind::lookup, .pooled = true, .pooling = rowmill::Pooling::max},
    {.name = "scatter_add", .kind = Kind::update},
    {.name = "sgd", .kind = Kind::update, .step = true},
    {.name = "sgd_bf16", .kind = Kind::update, .step = true, .format = rowmill::Format::bf16},
    {.name = "adagrad", .kind = Kind::update, .step = true, .states = 1},
    {.name = "row_wise_adagrad", .kind = Kind::update, .step = true, .row_state = true},
    {.name = "adam", .kind = Kind::update, .step = true, .states = 2},
    {.name = "pooled_sgd", .kind = Kind::update, .pooled = true, .step = true},
    {.name = "pooled_sgd_weighted", .kind = Kind::update, .pooled = true, .weighted = true, .step = true},
    {.name = "pooled_row_wise_adagrad", .kind = Kind::update, .pooled = true, .step = true, .row_state = true},
    {.name = "pooled_row_wise_adagrad_weighted",
     .kind = Kind::update,
     .pooled = true,
     .weighted = true,
     .step = true,
     .row_state = true},
    {.name = "plan", .kind = Kind::plan},
    {.name = "plan_bags", .kind = Kind::plan, .pooled = true},
};
/// The operation of that name among them.
[[nodiscard]] inline const Operation& operation(std::string_view name) {
  return *std::ranges::find(kOperations, name, &Operation::name);
}

}  // namespace bench
