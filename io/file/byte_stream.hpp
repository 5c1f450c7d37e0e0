// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/file/input_file.hpp"

namespace rowmill::io {

/// Bytes in order, of a file, a pipe or standard input ("-"). What gzip has packed is unpacked: offsets count what
/// comes out.
class ByteStream {
 public:
  /// Throws FileError (io_error).
  explicit ByteStream(const std::filesystem::path& path);
  ~ByteStream();
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  /// Fills `bytes`, or as much of it as there is; returns how much that is. Throws FileError if the system can't read
  /// (io_error), or what gzip has packed is damaged or cut off (bad_file).
  std::size_t read(std::span<char> bytes);

  /// The first bytes of the stream, up to `count`, which read() will still give.
  std::string_view peek(std::size_t count);

  [[nodiscard]] FileError bad(std::int64_t offset, const std::string& what) const {
    return {ErrorCode::bad_file, path_, offset, what};
  }

 private:
  struct Gzip;

  std::size_t read_file(std::span<char> bytes);
  std::size_t unpack(std::span<char> bytes);

  std::filesystem::path path_;
  Descriptor file_;
  std::vector<char> ahead_;  // read, but not yet given: ahead_[given_ ...]
  std::size_t given_ = 0;
  std::unique_ptr<Gzip> gzip_;
  std::int64_t packed_offset_ = 0;
};

/// Throws FileError (bad_file), with advice, if a file with these first bytes is a known kind that no reader takes: a
/// pickle of gensim, a .bin of fastText, a zip file.
void refuse_foreign(const std::filesystem::path& path, std::string_view first_bytes);

}  // namespace rowmill::io
