// SPDX-License-Identifier: Apache-2.0
// What checkpoints and deltas share: finding, checking and taking over what was saved of a table and its optimizer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rowmill/io/checkpoint.hpp"

namespace rowmill::io {

/// The key of __metadata__ that says which optimizer a table has.
inline constexpr std::string_view kOptimizer = "rowmill.optimizer.";

/// The key of __metadata__ that says how that optimizer stores what it updates, unless it is the default way.
inline constexpr std::string_view kStorage = "rowmill.storage.";

/// All of the options that the bits of the next steps follow from, as text; "" for the default ones. A name of a stream
/// may hold any bytes: its checksum stands for it.
[[nodiscard]] std::string storage_text(const StorageOptions& storage);

/// The key of __metadata__ that says its hyperparameters.
inline constexpr std::string_view kOptions = "rowmill.options.";

/// All hyperparameters that the bits of the next steps follow from, as text, but the learning rate, which is saved as a
/// number and restored; an initial value has no effect any more.
[[nodiscard]] std::string options_text(const OptimizerOptions& options);

/// Throws Error (shape_mismatch) unless the states are those of an optimizer for this table.
void check_states(std::string_view op, std::string_view name, const ConstTableView& table, const Optimizer& optimizer);

/// Adds these keys for an optimizer of the table `name`.
void describe_optimizer(const std::string& name, const Optimizer& optimizer, Metadata& metadata);

/// The key of __metadata__ that a delta has: the checksum of its chain's base.
inline constexpr std::string_view kDeltaBase = "rowmill.delta.base";

[[nodiscard]] inline bool is_delta(const SafetensorsFile& file) {
  return file.metadata().contains(std::string(kDeltaBase));
}
/// Throws FileError (bad_file) if the file is a delta, whose rows are no table.
void check_is_no_delta(const SafetensorsFile& file);

[[nodiscard]] inline std::string joined(std::string_view name, std::string_view part) {
  return std::string(name).append(".").append(part);
}

/// "m" of the state "words.m", or "m".
[[nodiscard]] inline std::string_view part_of(std::string_view state_name) {
  const std::size_t dot = state_name.rfind('.');
  return dot == std::string_view::npos ? state_name : state_name.substr(dot + 1);
}

/// A tensor, and the table or state that it belongs to.
struct Target {
  const TensorInfo* tensor;
  TableView rows;
};

/// What a file has of a table and its optimizer: the table first, then the states.
struct SavedState {
  std::vector<Target> targets;
  OptimizerProgress progress;
  double learning_rate = 0;
};

/// Finds it all and compares its checksums, formats, dims and kinds; not the numbers of rows. Throws as
/// CheckpointFile::restore, and changes nothing.
[[nodiscard]] SavedState saved_state(const CheckpointFile& file, std::string_view name, const TableView& table,
                                     Optimizer* optimizer);

/// Sets step count, powers and learning rate of the optimizer, if there is one. Throws Error if they are none, and then
/// changes nothing.
void set_progress(const SavedState& saved, Optimizer* optimizer);

}  // namespace rowmill::io
