// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "rowmill/error.hpp"

namespace rowmill::io {

/// What functions of rowmill::io throw about a file: which one, where in it, what was expected there and what was
/// found. What the message quotes of a file may be any bytes: control characters stand as \xHH.
class FileError : public Error {
 public:
  /// No particular place in the file.
  static constexpr std::int64_t kNowhere = -1;

  FileError(ErrorCode code, const std::filesystem::path& path, std::int64_t offset, const std::string& what)
      : Error(code, message(path, offset, what)), path_(path), offset_(offset) {}

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  /// The byte in the file (in what it unpacks to, if it is a gzip file), or kNowhere.
  [[nodiscard]] std::int64_t offset() const noexcept { return offset_; }

 private:
  static std::string message(const std::filesystem::path& path, std::int64_t offset, const std::string& what);

  std::filesystem::path path_;
  std::int64_t offset_;
};

}  // namespace rowmill::io
