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

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  void remove_leftovers() const;

  std::filesystem::path path_;       // where symbolic links lead to
  std::filesystem::path temporary_;  // empty: none (any more)
  Descriptor file_;
};

}  // namespace rowmill::io
