// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "io/file/input_file.hpp"
#include "rowmill/io/corpus.hpp"

namespace rowmill::io {

/// Numbers in a temporary file that has no name any more: it is gone when its process is, however that ends.
class Corpus::Spool {
 public:
  /// Throws FileError (io_error).
  explicit Spool(const std::filesystem::path& directory);

  /// Threads may write and read at the same time. Each throws FileError (io_error).
  void write(std::int64_t begin, std::span<const std::int32_t> numbers) const;
  void read(std::int64_t begin, std::span<std::int32_t> numbers) const;
  void truncate(std::int64_t size) const;
  /// These will be read soon.
  void will_need(std::int64_t begin, std::int64_t count) const noexcept;

 private:
  std::filesystem::path path_;
  Descriptor file_;
};

}  // namespace rowmill::io
