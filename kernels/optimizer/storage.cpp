// SPDX-License-Identifier: Apache-2.0
#include "kernels/optimizer/storage.hpp"

#include <algorithm>
#include <string>

#include "kernels/core/checks.hpp"
#include "kernels/random/streams.hpp"
#include "rowmill/error.hpp"

namespace rowmill {
namespace {

[[noreturn]] void refuse(std::string_view op, const std::string& what) {
  throw Error(ErrorCode::invalid_argument, "rowmill: " + std::string(op) + ": " + what);
}

}  // namespace

void check_storage(std::string_view op, const StorageOptions& storage, std::string_view name) {
  check_enum(op, "rounding", storage.rounding, Rounding::stochastic);
  check_enum(op, "overflow", storage.overflow, Overflow::error);
  const bool is_f64 = storage.state_format == Format::f64;
  if (storage.state_format != Format::f32 && storage.state_format != Format::bf16 && !is_f64) {
    refuse(op, "state_format is " + std::string(format_name(storage.state_format)) + "; supported: f32, bf16, f64");
  }
  if (is_f64 && storage.split) refuse(op, "split is set, but state_format is f64: weights of f64 are not split");
  if (is_f64 && storage.rounding == Rounding::stochastic) {
    refuse(op, "rounding is stochastic, but state_format is f64: nothing is rounded");
  }
  if (storage.rounding != Rounding::stochastic) return;
  if (storage.split && storage.state_format == Format::f32) {
    refuse(op, "rounding is stochastic, but a split table with states of f32 has nothing that is rounded");
  }
  if (name.empty() && storage.stream.name.empty() && storage.stream.stream == 0) {
    refuse(op,
           "rounding is stochastic, but nothing tells this table's random numbers from those of another of the same "
           "seed: give the table a name, or the stream a name or a number other than 0");
  }
}

void check_weights_format(std::string_view op, const StorageOptions& storage, const ConstTableView& weights,
                          bool has_16_bit_states) {
  if (storage.state_format == Format::f64) {
    check_format(op, "weights", weights, {Format::f64});
  } else if (weights.format() == Format::f64) {
    refuse(op,
           describe("weights", weights) + " has format f64; its optimizer needs StorageOptions::state_format = f64");
  } else if (storage.split) {
    check_format(op, "weights", weights, {Format::bf16});
  } else {
    check_format(op, "weights", weights, kFloatFormats);
  }
  if (storage.rounding == Rounding::stochastic && weights.format() == Format::f32 && !has_16_bit_states) {
    refuse(op, "rounding is stochastic, but " + describe("weights", weights) +
                   " has format f32 and the states have no 16 bits: nothing is rounded");
  }
  if (storage.overflow != Overflow::saturate && weights.format() != Format::f16) {
    refuse(op, "overflow is set, but " + describe("weights", weights) + " has format " +
                   std::string(format_name(weights.format())) + ": only f16 overflows");
  }
}

StorageArgs storage_args(const StorageOptions& storage, const TableView& weights, std::span<const TableView> states,
                         void* low, std::int64_t step) {
  const auto stored = [&](const TableView& table, RandomPurpose purpose) {
    StoredTable result{.data = table.bytes(), .stride = table.row_stride(), .format = table.format()};
    if (storage.rounding == Rounding::stochastic) {
      RandomStream stream = storage.stream;
      stream.purpose = purpose;
      std::ranges::copy(stream_key(stream), result.key);
    }
    return result;
  };
  StorageArgs args{.weights = stored(weights, RandomPurpose::round_weights),
                   .rounding = storage.rounding,
                   .overflow = storage.overflow,
                   .first_row = storage.first_row,
                   .first_column = storage.first_column,
                   .step = static_cast<std::uint32_t>(step)};
  args.weights.low = low;
  if (!states.empty()) args.states[0] = stored(states[0], RandomPurpose::round_state_1);
  if (states.size() > 1) args.states[1] = stored(states[1], RandomPurpose::round_state_2);
  return args;
}

}  // namespace rowmill
