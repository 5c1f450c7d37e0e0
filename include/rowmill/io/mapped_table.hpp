// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "rowmill/bags.hpp"
#include "rowmill/gather.hpp"
#include "rowmill/ids.hpp"
#include "rowmill/io/file_error.hpp"
#include "rowmill/io/vocabulary.hpp"
#include "rowmill/pool.hpp"
#include "rowmill/table_view.hpp"
#include "rowmill/workspace.hpp"

namespace rowmill::io {

/// How a MappedTable is opened and read.
struct MappedTableOptions {
  std::string tensor = {};  ///< of a safetensors file; empty: its only table
  /// Before the rows of a batch are read, ask the system for those that are not in memory, all at once; otherwise it
  /// reads one after another as they are met.
  bool read_ahead = true;
  /// Survive a file that shrinks during a call: rows are read by pread into memory of the call's own, which takes
  /// several times as long. Otherwise such a file ends the process with SIGBUS, as it does for every mapped file.
  bool guarded = false;
};

/// A read-only table in a safetensors or .npy file, whose rows are read when they are used. So it is ready at once, and
/// may be larger than memory. Threads may use one at the same time. If a save replaces the file meanwhile, a table that
/// is open keeps the old one.
class MappedTable {
 public:
  /// Throws FileError if the file can't be read or mapped (io_error), holds no such table, or holds one that has to be
  /// copied: big-endian or column by column (.npy), or not aligned to its elements (safetensors of others) (bad_file).
  /// A delta of a checkpoint holds no table, either.
  /// Throws Error (invalid_argument) if a tensor is named and the file is no safetensors file.
  explicit MappedTable(const std::filesystem::path& path, const MappedTableOptions& options = {});
  ~MappedTable();
  MappedTable(MappedTable&&) noexcept;
  MappedTable& operator=(MappedTable&&) noexcept;

  [[nodiscard]] std::int64_t rows() const { return view().rows(); }
  [[nodiscard]] std::int64_t dim() const { return view().dim(); }
  [[nodiscard]] Format format() const { return view().format(); }

  /// The table in the mapped file, for any function that reads tables. It lives as long as this does. What reads it
  /// neither checks the file's size nor reads ahead.
  [[nodiscard]] const ConstTableView& view() const;

  /// The words beside the table: see SafetensorsFile::load_words and words_path(). Empty if there are none.
  /// Throws FileError as these; also if a save has replaced the file since it was opened (io_error): the words that are
  /// there now are those of other rows.
  [[nodiscard]] Vocabulary load_words() const;

  /// Reads the whole table into the system's cache and maps it, so that later calls wait for nothing.
  /// Throws FileError (io_error) if the system refuses.
  void populate() const;

 private:
  friend void gather(const MappedTable& table, Ids ids, const TableView& out, const GatherOptions& options);
  friend void pool(const MappedTable& table, const Bags& bags, const TableView& out, const PoolOptions& options,
                   Workspace* workspace);

  template <class Batch, class Operation>
  void read(const Batch& batch, Ids ids, OutOfRange policy, Operation operation) const;

  struct State;
  std::unique_ptr<State> state_;
};

/// As rowmill::gather and rowmill::pool, of a table in a file. They also throw FileError (io_error) if the file has
/// become shorter than the table, or, if guarded, becomes so during the call; nothing is written then.
void gather(const MappedTable& table, Ids ids, const TableView& out, const GatherOptions& options = {});
void pool(const MappedTable& table, const Bags& bags, const TableView& out, const PoolOptions& options = {},
          Workspace* workspace = nullptr);

}  // namespace rowmill::io
