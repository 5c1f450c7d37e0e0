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

/// The rows of a table that have changed since its last checkpoint. Mark the plan of each step; and what writes rows
/// without one: a lookup with max_norm, code of your own that writes through a view.
class TouchedRows {
 public:
  /// Throws Error (invalid_argument) if rows < 0.
  explicit TouchedRows(std::int64_t rows);

  /// Throws Error (shape_mismatch) if the plan is for a table of another number of rows.
  void mark(const Plan& plan);
  /// Throws IdError if an id is not a row.
  void mark(Ids ids);
  /// For what says nothing of the rows it writes.
  void mark_all();
  /// Nothing has changed: a checkpoint was saved.
  void clear();

  [[nodiscard]] std::int64_t rows() const { return rows_; }
  /// In ascending order.
  [[nodiscard]] std::vector<std::int64_t> touched() const;

 private:
  void set(std::int64_t row) { bits_[static_cast<std::size_t>(row / 64)] |= std::uint64_t{1} << (row % 64); }

  std::int64_t rows_;
  std::vector<std::uint64_t> bits_;
};

/// The place of a file in a chain: a whole checkpoint, its base, and deltas, each of what changed since the link
/// before.
struct ChainLink {
  std::string base;         ///< checksum of the base
  std::string checksum;     ///< of this file
  std::int64_t number = 0;  ///< 0 for the base
};

/// The link that a file is. Throws FileError as CheckpointFile.
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

/// As CheckpointFile::restore, of the first file and then of the deltas after it, in their order. All that
/// is restored is checked before anything changes. Throws also FileError (bad_file) if a file does not follow the one
/// before it: a link is missing, out of order, or of another chain.
void restore_chain(std::span<const std::filesystem::path> files, std::string_view name, const TableView& table,
                   Optimizer* optimizer = nullptr);

}  // namespace rowmill::io
