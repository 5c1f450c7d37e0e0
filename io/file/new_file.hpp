// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "io/file/input_file.hpp"

namespace rowmill::io {

/// A file that takes the place of PATH when it is whole, and vanishes if it does not come to that.
///
/// It is written under a temporary name in the directory of PATH, and holds a lock (flock) as long as its process
/// lives. So the next save of PATH can tell a temporary file that a killed process left, and removes it.
class NewFile {
 public:
  /// Throws FileError (io_error) if PATH is a directory or not a regular file, the directory does not exist or can't be
  /// written, or there is no space for `size` bytes (which may be 0: unknown).
  explicit NewFile(const std::filesystem::path& path, std::int64_t size = 0);
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  /// Writes `bytes` at byte `offset`; threads may do so at once. Throws FileError (io_error).
  void write(std::int64_t offset, std::span<const std::byte> bytes) const;

  /// Makes it PATH: the file is synced (if `sync`), then renamed, then the directory is synced (if `sync`).
  /// Throws FileError (io_error); PATH is then the old file, unless only the directory could not be synced: the message
  /// says so.
  void commit(bool sync);

  /// The three steps of commit(), for files that take their places together. All that can fail is done by flush(), but
  /// for what the others say.
  void flush(bool sync);
  void rename();                ///< throws FileError (io_error) if PATH has meanwhile become a directory, say
  void sync_directory() const;  ///< nothing, if flush() was not to sync

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;       // where symbolic links lead to
  std::filesystem::path temporary_;  // empty: none (any more)
  Descriptor file_;
  Descriptor directory_;  // if it is to be synced
};

/// A file that is out of the way while another one is replaced: it must not be taken for what belongs to the new one.
/// It gets its name back unless it is removed, also where an exception is thrown. If the process is killed, it keeps
/// a temporary name as that of a NewFile, and is removed as such.
class SetAside {
 public:
  /// Renames PATH, if there is such a file, and then syncs the directory (if `sync`). Throws FileError (io_error), for
  /// a directory too; PATH is then as it was.
  SetAside(std::filesystem::path path, bool sync);
  ~SetAside();
  SetAside(const SetAside&) = delete;
  SetAside& operator=(const SetAside&) = delete;

  void remove() noexcept;

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;  // empty: there was no such file, or it is removed
  Descriptor lock_;
};

}  // namespace rowmill::io
