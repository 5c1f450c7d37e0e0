// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "io/file/input_file.hpp"

namespace rowmill::io {

inline constexpr std::int64_t kPage = 4096;

/// Memory that the system maps: a file, or nothing yet.
class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept { swap(other); }
  Mapping& operator=(Mapping&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Mapping();

  /// The first `size` bytes of a file, read-only. Throws FileError (io_error).
  [[nodiscard]] static Mapping of_file(const InputFile& file, std::int64_t size);

  /// `size` bytes that read as zero, of which only what is written takes memory. Throws Error (out_of_memory).
  [[nodiscard]] static Mapping sparse(std::int64_t size);

  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] std::int64_t size() const { return size_; }

 private:
  void swap(Mapping& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  std::byte* data_ = nullptr;
  std::int64_t size_ = 0;
};

/// Whether mincore tells this process which pages of the file are resident. Of files that it neither owns nor may
/// write, Linux (since 5.2) calls all pages resident.
[[nodiscard]] bool tells_residency(const InputFile& file) noexcept;

}  // namespace rowmill::io
