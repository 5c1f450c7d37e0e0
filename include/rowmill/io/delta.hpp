// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rowmill/ids.hpp"
#include "rowmill/io/checkpoint.hpp"
#include "rowmill/plan.hpp"

namespace rowmill::io {

/// The rows of a table that have changed since its last checkpoint. Mark the plan of each step, and also rows that are
/// written without a plan: by a lookup with max_norm, or by code of your own.
class TouchedRows {
 public:
  /// Throws Error (invalid_argument) if rows < 0.
  explicit TouchedRows(std::int64_t rows);

  /// Throws Error (shape_mismatch) if the plan is for a table of another number of rows.
  void mark(const Plan& plan);
  /// Throws IdError if an id is not a row.
  void mark(Ids ids);
  /// Marks every row: for writes whose rows are not known.
  void mark_all();
  /// Removes all marks: for when a checkpoint was saved.
  void clear();

  [[nodiscard]] std::int64_t rows() const { return rows_; }
  /// In ascending order.
  [[nodiscard]] std::vector<std::int64_t> touched() const;

 private:
  void set(std::int64_t row) { bits_[static_cast<std::size_t>(row / 64)] |= std::uint64_t{1} << (row % 64); }

  std::int64_t rows_;
  std::vector<std::uint64_t> bits_;
};

/// The place of a file in a chain. A chain is a whole checkpoint, its base, and then deltas, each of which has the rows
/// that changed since the file before it.
struct ChainLink {
  std::string base;         ///< checksum of the base
  std::string checksum;     ///< of this file
  std::int64_t number = 0;  ///< 0 for the base
};

/// The place of this file. Throws FileError as CheckpointFile.
[[nodiscard]] ChainLink chain_link(const CheckpointFile& file);

/// What a delta is to hold: the touched rows of tables and of their optimizers' states. It copies these rows when they
/// are added.
class DeltaContents {
 public:
  DeltaContents() = default;
  DeltaContents(const DeltaContents&) = delete;
  DeltaContents& operator=(const DeltaContents&) = delete;

  /// Throws Error as CheckpointContents::add, and if `touched` is of another number of rows (shape_mismatch).
  DeltaContents& add(const std::string& name, const ConstTableView& table, const TouchedRows& touched,
                     const Optimizer* optimizer = nullptr);

 private:
  friend ChainLink save_delta(const std::filesystem::path& path, const DeltaContents& contents,
                              const ChainLink& previous, const SaveOptions& options);

  SafetensorsContents tensors_;
  Metadata optimizers_;
  std::list<std::vector<std::int64_t>> integers_;  // what tensors_ refers to
  std::list<std::vector<double>> numbers_;
  std::list<Table> rows_;
};

/// Writes a delta that follows `previous`. Returns its link. Throws as save_checkpoint, and Error (invalid_argument) if
/// `previous` is no link of a chain.
ChainLink save_delta(const std::filesystem::path& path, const DeltaContents& contents, const ChainLink& previous,
                     const SaveOptions& options = {});

/// CheckpointFile::restore from the first file, and then from the deltas after it, in their order. All that is restored
/// is checked before anything changes. Throws also FileError (bad_file) if a file does not follow the one before it: a
/// delta is missing, out of order, or of another chain.
void restore_chain(std::span<const std::filesystem::path> files, std::string_view name, const TableView& table,
                   Optimizer* optimizer = nullptr);

}  // namespace rowmill::io
