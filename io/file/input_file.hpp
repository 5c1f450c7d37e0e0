// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

#include "rowmill/io/file_error.hpp"

namespace rowmill::io {

/// A file descriptor that is closed with its owner.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] bool valid() const noexcept { return fd_ >= 0; }
  /// Closes it now; false, with errno, if the system reports an error.
  [[nodiscard]] bool close() noexcept;

 private:
  int fd_ = -1;
};

/// Throws the FileError (io_error) that errno stands for: "PATH: cannot be DONE: the system's reason".
[[noreturn]] void throw_system_error(const std::filesystem::path& path, const std::string& done, int error);

/// Opens for reading, with more flags of open(). Throws FileError (io_error), for a directory too.
[[nodiscard]] Descriptor open_for_reading(const std::filesystem::path& path, int flags = 0);

/// A regular file that is read at any place, by any number of threads.
class InputFile {
 public:
  /// Throws FileError (io_error) if it can't be opened or is not a regular file.
  explicit InputFile(std::filesystem::path path);

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] std::int64_t size() const noexcept { return size_; }
  [[nodiscard]] int descriptor() const noexcept { return file_.get(); }

  /// Fills `bytes` from byte `offset` on. Throws FileError (io_error) if the system can't, or the file has shrunk.
  void read(std::int64_t offset, std::span<std::byte> bytes) const;

  /// The size now. Throws FileError (io_error).
  [[nodiscard]] std::int64_t current_size() const;

  /// Throws FileError (io_error) unless path() still names this file: what stands beside the name belongs to another
  /// one if a save has replaced it.
  void check_not_replaced() const;

  /// The error of a file that holds what it must not.
  [[nodiscard]] FileError bad(std::int64_t offset, const std::string& what) const {
    return {ErrorCode::bad_file, path_, offset, what};
  }

 private:
  std::filesystem::path path_;
  Descriptor file_;
  std::int64_t size_ = 0;
};

}  // namespace rowmill::io
