// SPDX-License-Identifier: Apache-2.0
#include "io/file/input_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <system_error>

namespace rowmill::io {

static_assert(std::endian::native == std::endian::little, "files are little-endian, and read without conversion");

Descriptor::~Descriptor() {
  if (valid()) ::close(fd_);
}

bool Descriptor::close() noexcept { return ::close(std::exchange(fd_, -1)) == 0; }

void throw_system_error(const std::filesystem::path& path, const std::string& done, int error) {
  throw FileError(ErrorCode::io_error, path, FileError::kNowhere,
                  "cannot be " + done + ": " + std::generic_category().message(error));
}

Descriptor open_for_reading(const std::filesystem::path& path, int flags) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
  struct stat status {};
  if (!file.valid() || ::fstat(file.get(), &status) != 0) throw_system_error(path, "opened", errno);
  if (S_ISDIR(status.st_mode)) throw_system_error(path, "read", EISDIR);
  return file;
}

// To open a pipe would otherwise wait for who writes it, only to refuse it.
InputFile::InputFile(std::filesystem::path path) : path_(std::move(path)), file_(open_for_reading(path_, O_NONBLOCK)) {
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) throw_system_error(path_, "opened", errno);
  if (!S_ISREG(status.st_mode)) {
    throw FileError(ErrorCode::io_error, path_, FileError::kNowhere, "is not a regular file, which this format needs");
  }
  size_ = status.st_size;
}

std::int64_t InputFile::current_size() const {
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) throw_system_error(path_, "examined", errno);
  return status.st_size;
}

void InputFile::check_not_replaced() const {
  struct stat at_path {};
  struct stat open {};
  if (::stat(path_.c_str(), &at_path) != 0) throw_system_error(path_, "opened again", errno);
  if (::fstat(file_.get(), &open) != 0) throw_system_error(path_, "examined", errno);
  if (at_path.st_dev == open.st_dev && at_path.st_ino == open.st_ino) return;
  throw FileError(ErrorCode::io_error, path_, FileError::kNowhere,
                  "was replaced by another file after it was opened: open it again");
}

void InputFile::read(std::int64_t offset, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t count = ::pread(file_.get(), bytes.data(), bytes.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_system_error(path_, "read", errno);
    if (count == 0) {
      throw FileError(ErrorCode::io_error, path_, offset,
                      "the file ends, " + std::to_string(bytes.size()) + " bytes before the end of what was expected");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += count;
  }
}

}  // namespace rowmill::io
