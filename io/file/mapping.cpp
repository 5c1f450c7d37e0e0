// SPDX-License-Identifier: Apache-2.0
#include "io/file/mapping.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace rowmill::io {

Mapping::~Mapping() {
  if (data_ != nullptr) ::munmap(data_, static_cast<std::size_t>(size_));
}

Mapping Mapping::of_file(const InputFile& file, std::int64_t size) {
  Mapping mapping;
  if (size == 0) return mapping;
  void* const data = ::mmap(nullptr, static_cast<std::size_t>(size), PROT_READ, MAP_SHARED, file.descriptor(), 0);
  if (data == MAP_FAILED) throw_system_error(file.path(), "mapped", errno);
  mapping.data_ = static_cast<std::byte*>(data);
  mapping.size_ = size;
  return mapping;
}

Mapping Mapping::sparse(std::int64_t size) {
  Mapping mapping;
  if (size == 0) return mapping;
  void* const data = ::mmap(nullptr, static_cast<std::size_t>(size), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) {
    throw Error(ErrorCode::out_of_memory,
                "rowmill: mapped table: the system refused " + std::to_string(size) + " bytes of address space");
  }
  mapping.data_ = static_cast<std::byte*>(data);
  mapping.size_ = size;
  return mapping;
}

bool tells_residency(const InputFile& file) noexcept {
  struct stat status {};
  if (::fstat(file.descriptor(), &status) == 0 && status.st_uid == ::geteuid()) return true;
  return ::faccessat(AT_FDCWD, file.path().c_str(), W_OK, AT_EACCESS) == 0;
}

}  // namespace rowmill::io
