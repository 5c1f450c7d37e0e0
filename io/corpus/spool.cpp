// SPDX-License-Identifier: Apache-2.0
#include "io/corpus/spool.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>

namespace rowmill::io {
namespace {

constexpr auto kBytes = static_cast<std::int64_t>(sizeof(std::int32_t));

std::filesystem::path temporary_directory() {
  const char* const named = std::getenv("TMPDIR");
  return named != nullptr && *named != '\0' ? named : "/tmp";
}

[[noreturn]] void throw_spool_error(const std::filesystem::path& path, const std::string& done, int error) {
  throw FileError(ErrorCode::io_error, path, FileError::kNowhere,
                  "the temporary file cannot be " + done + ": " + std::generic_category().message(error) +
                      " (TMPDIR names its directory)");
}

}  // namespace

Corpus::Spool::Spool(const std::filesystem::path& directory)
    : path_((directory.empty() ? temporary_directory() : directory) / "rowmill-corpus-XXXXXX") {
  std::string name = path_.string();
  file_ = Descriptor(::mkostemp(name.data(), O_CLOEXEC));
  if (!file_.valid()) throw_spool_error(path_, "written", errno);
  ::unlink(name.c_str());
}

void Corpus::Spool::write(std::int64_t begin, std::span<const std::int32_t> numbers) const {
  auto bytes = std::as_bytes(numbers);
  for (std::int64_t offset = begin * kBytes; !bytes.empty();) {
    const ssize_t count = ::pwrite(file_.get(), bytes.data(), bytes.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_spool_error(path_, "written", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += count;
  }
}

void Corpus::Spool::read(std::int64_t begin, std::span<std::int32_t> numbers) const {
  auto bytes = std::as_writable_bytes(numbers);
  for (std::int64_t offset = begin * kBytes; !bytes.empty();) {
    const ssize_t count = ::pread(file_.get(), bytes.data(), bytes.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw_spool_error(path_, "read", count < 0 ? errno : EIO);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += count;
  }
}

void Corpus::Spool::truncate(std::int64_t size) const {
  if (::ftruncate(file_.get(), size * kBytes) != 0) throw_spool_error(path_, "written", errno);
}

void Corpus::Spool::will_need(std::int64_t begin, std::int64_t count) const noexcept {
  static_cast<void>(::posix_fadvise(file_.get(), begin * kBytes, count * kBytes, POSIX_FADV_WILLNEED));
}

}  // namespace rowmill::io
