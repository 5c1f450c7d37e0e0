// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rowmill/io/file_error.hpp"
#include "rowmill/io/safetensors.hpp"
#include "rowmill/io/save_options.hpp"
#include "rowmill/io/vocabulary.hpp"
#include "rowmill/optimizer.hpp"
#include "rowmill/table.hpp"
#include "rowmill/table_view.hpp"

namespace rowmill::io {

/// What a checkpoint is to hold. It refers to tables and optimizers, which must outlive it and not change before it is
/// saved, and copies none of their rows.
class CheckpointContents {
 public:
  Metadata metadata;  ///< keys that begin with "rowmill." are taken

  CheckpointContents() = default;
  CheckpointContents(const CheckpointContents&) = delete;
  CheckpointContents& operator=(const CheckpointContents&) = delete;

  /// A table of any format and, if given, the state, the step count, the learning rate and the other hyperparameters of
  /// its optimizer. Throws Error as SafetensorsContents::add (invalid_argument), and if the optimizer is of a table of
  /// another shape (shape_mismatch).
  CheckpointContents& add(const std::string& name, const ConstTableView& table, const Optimizer* optimizer = nullptr);
  CheckpointContents& add(const std::string& name, Table&& table, const Optimizer* optimizer = nullptr) = delete;
  /// The words of table `name`. Throws Error as SafetensorsContents::add_words (invalid_argument).
  CheckpointContents& add_words(const std::string& name, const Vocabulary& words);
  CheckpointContents& add_words(const std::string& name, Vocabulary&& words) = delete;

  /// Other numbers that a program needs to go on: the state of its random number generators, its place in the data.
  /// Throw Error as SafetensorsContents::add (invalid_argument).
  CheckpointContents& add_values(const std::string& name, std::span<const std::int64_t> values);
  CheckpointContents& add_values(const std::string& name, std::span<const double> values);

 private:
  friend std::string save_checkpoint(const std::filesystem::path& path, const CheckpointContents& contents,
                                     const SaveOptions& options);

  SafetensorsContents tensors_;
  Metadata optimizers_;
  std::deque<std::int64_t> steps_;  // what tensors_ refers to: a deque moves none of its elements
  std::deque<std::array<double, 2>> powers_;
  std::deque<double> rates_;
};

/// Writes a checkpoint: a safetensors file with a checksum of each tensor and of the whole in its __metadata__ (see
/// docs/files.md). At any instant the name stands for the old file or for the new one: see SaveOptions.
/// Returns the checksum of the whole. Throws as save_safetensors.
std::string save_checkpoint(const std::filesystem::path& path, const CheckpointContents& contents,
                            const SaveOptions& options = {});

/// A checkpoint that is open for reading.
class CheckpointFile {
 public:
  /// Throws FileError as SafetensorsFile; also if the file holds no checkpoint, or its header does not have its
  /// checksum (bad_file).
  explicit CheckpointFile(const std::filesystem::path& path);

  /// The file as any safetensors file: its metadata, its tensors, the words of tables.
  [[nodiscard]] const SafetensorsFile& file() const { return file_; }
  [[nodiscard]] const std::string& checksum() const { return checksum_; }

  /// Reads the whole file, on all threads. Throws FileError (bad_file) if a tensor does not have its checksum.
  void verify(const Progress& progress = {}) const { file_.verify(progress); }

  /// Throws FileError (bad_file) if the tensor is missing or does not have its checksum.
  void check(std::string_view name) const;

  /// Restores a table and, if given, its optimizer, so that the next steps have the same bits as those of the training
  /// that was saved.
  ///
  ///     table[r, :], state[r, :] = the saved ones, for each saved row r       # rows beyond are left as they are
  ///
  /// Checksums are compared first, which reads the tensors once more. Throws, and changes nothing, FileError if the
  /// checkpoint has no such table, no state of this optimizer, or one that was stored in another way (StorageOptions)
  /// or had other hyperparameters, is a delta or damaged (bad_file), or can't be read (io_error); Error if a view is
  /// bad or has another format (invalid_argument), has fewer rows or another dim than was saved, or if the optimizer is
  /// of a table of another shape (shape_mismatch). If reading fails after the checksums were compared, table and state
  /// are undefined.
  ///
  /// The learning rate is restored; the other hyperparameters must be those that were saved. To go on with others, set
  /// them afterwards: Optimizer::set_options. Options of single steps (GradientOptions) and gradients are not saved.
  void restore(std::string_view name, const TableView& table, Optimizer* optimizer = nullptr) const;

  /// A new table of the saved rows. Throws as restore(): a delta is refused, too.
  [[nodiscard]] Table load_table(std::string_view name) const;

  /// What add_values() was given. Throws FileError if it is not there, has another type or is damaged (bad_file).
  template <class T>
  [[nodiscard]] std::vector<T> values(std::string_view name) const {
    check(name);
    return file_.load<T>(name);
  }

 private:
  SafetensorsFile file_;
  std::string checksum_;
};

}  // namespace rowmill::io
