// SPDX-License-Identifier: Apache-2.0
#include "io/file/new_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "rowmill/io/save_options.hpp"

namespace rowmill::io {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kPermissions = S_IRWXU | S_IRWXG | S_IRWXO;

/// What the temporary files of `path` begin with: ".NAME.rowmill-", of a name cut to what a directory entry holds.
std::string temporary_prefix(const fs::path& path) {
  std::string prefix = ".";
  prefix += path.filename().string().substr(0, 200);
  return prefix += ".rowmill-";
}

fs::path directory_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

/// A name for a temporary file of `path` that this process has not used before.
fs::path temporary_name(const fs::path& path) {
  static std::atomic<unsigned> counter{0};
  return directory_of(path) / (temporary_prefix(path) + std::to_string(::getpid()) + "-" + std::to_string(++counter));
}

/// Whether `path` still names the file behind `fd`.
bool names(const fs::path& path, int fd) {
  struct stat at_path {};
  struct stat open {};
  return ::lstat(path.c_str(), &at_path) == 0 && ::fstat(fd, &open) == 0 && at_path.st_dev == open.st_dev &&
         at_path.st_ino == open.st_ino;
}

Descriptor open_directory_of(const fs::path& path) {
  const fs::path directory = directory_of(path);
  Descriptor opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened.valid()) throw_system_error(directory, "synced", errno);
  return opened;
}

/// Removes the temporary files of killed processes.
void remove_leftovers(const fs::path& path) {
  const std::string prefix = temporary_prefix(path);
  std::error_code error;  // a directory that can't be listed is no reason not to write
  for (fs::directory_iterator entry(directory_of(path), error), end; !error && entry != end; entry.increment(error)) {
    if (!entry->path().filename().string().starts_with(prefix)) continue;
    const Descriptor leftover(::open(entry->path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    // Who writes it holds the lock. Having got it, look again: the file may have been renamed meanwhile.
    if (leftover.valid() && ::flock(leftover.get(), LOCK_EX | LOCK_NB) == 0 && names(entry->path(), leftover.get())) {
      ::unlink(entry->path().c_str());
    }
  }
}

}  // namespace

NewFile::NewFile(const fs::path& path, std::int64_t size) : path_(path) {
  std::error_code none;
  if (fs::is_symlink(path_, none) && fs::exists(path_, none)) path_ = fs::canonical(path_, none);
  struct stat old {};
  const bool replaces = ::stat(path_.c_str(), &old) == 0;
  if (!replaces && errno != ENOENT) throw_system_error(path_, "written", errno);
  if (replaces && S_ISDIR(old.st_mode)) throw_system_error(path_, "written", EISDIR);
  if (replaces && !S_ISREG(old.st_mode)) {
    throw FileError(ErrorCode::io_error, path_, FileError::kNowhere, "cannot be replaced: it is not a regular file");
  }
  if (path_.filename().empty()) throw_system_error(path_, "written", ENOENT);
  remove_leftovers(path_);

  while (temporary_.empty()) {
    const fs::path candidate = temporary_name(path_);
    file_ = Descriptor(::open(candidate.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (!file_.valid() && errno == EEXIST) continue;
    if (!file_.valid()) throw_system_error(path_, "written", errno);
    ::flock(file_.get(), LOCK_EX | LOCK_NB);  // where the file system knows no locks, nothing is removed either
    // Another save may have taken it for a leftover between these two calls.
    if (names(candidate, file_.get())) temporary_ = candidate;
  }
  try {
    if (replaces && ::fchmod(file_.get(), old.st_mode & kPermissions) != 0) throw_system_error(path_, "written", errno);
    // Space is reserved first, so that a full disk is known at once. Not every file system can.
    if (size > 0 && ::fallocate(file_.get(), 0, 0, size) != 0 && errno != EOPNOTSUPP && errno != ENOSYS &&
        errno != EINVAL && errno != EINTR) {
      throw_system_error(path_, "written", errno);
    }
  } catch (...) {
    ::unlink(temporary_.c_str());
    throw;
  }
}

NewFile::~NewFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void check_can_save(const fs::path& path) { const NewFile file(path); }

void NewFile::write(std::int64_t offset, std::span<const std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(file_.get(), bytes.data(), bytes.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_system_error(path_, "written", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += count;
  }
}

void NewFile::commit(bool sync) {
  flush(sync);
  rename();
  sync_directory();
}

void NewFile::flush(bool sync) {
  if (sync) directory_ = open_directory_of(path_);
  // Some file systems report at a close what they could not write; the other descriptor keeps the lock.
  if (sync ? ::fsync(file_.get()) != 0 : !Descriptor(::fcntl(file_.get(), F_DUPFD_CLOEXEC, 0)).close()) {
    throw_system_error(path_, "written", errno);
  }
}

void NewFile::rename() {
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) throw_system_error(path_, "replaced", errno);
  temporary_.clear();
}

void NewFile::sync_directory() const {
  if (!directory_.valid() || ::fsync(directory_.get()) == 0 || errno == EINVAL) return;
  throw FileError(ErrorCode::io_error, path_, FileError::kNowhere,
                  "is the new file, but its directory cannot be synced, and a crash of the machine may bring the old "
                  "one back: " +
                      std::generic_category().message(errno));
}

SetAside::SetAside(fs::path path, bool sync) : path_(std::move(path)) {
  remove_leftovers(path_);
  struct stat old {};
  if (::lstat(path_.c_str(), &old) != 0) return;
  if (S_ISDIR(old.st_mode)) throw_system_error(path_, "removed", EISDIR);
  const Descriptor directory = sync ? open_directory_of(path_) : Descriptor();
  lock_ = Descriptor(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (lock_.valid()) ::flock(lock_.get(), LOCK_EX | LOCK_NB);
  const fs::path temporary = temporary_name(path_);
  if (::rename(path_.c_str(), temporary.c_str()) != 0) throw_system_error(path_, "removed", errno);
  if (sync && ::fsync(directory.get()) != 0 && errno != EINVAL) {
    const int error = errno;
    ::rename(temporary.c_str(), path_.c_str());
    throw_system_error(directory_of(path_), "synced", error);
  }
  temporary_ = temporary;
}

SetAside::~SetAside() {
  if (!temporary_.empty()) ::rename(temporary_.c_str(), path_.c_str());
}

void SetAside::remove() noexcept {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  temporary_.clear();
}

}  // namespace rowmill::io
