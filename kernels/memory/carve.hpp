// SPDX-License-Identifier: Apache-2.0
// Arrays in one block of memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace rowmill {

/// Cuts one block of memory into arrays, each aligned to 64 bytes. With a null block it only counts: the code that lays
/// memory out also tells how much it needs.
class Carver {
 public:
  explicit Carver(std::byte* block) : block_(block) {}

  template <class T>
  T* take(std::int64_t count) {
    T* const array = block_ == nullptr ? nullptr : reinterpret_cast<T*>(block_ + used_);
    const auto elements = static_cast<std::size_t>(count);
    const std::size_t bytes =
        elements > kMost / sizeof(T) ? kMost : (elements * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
    used_ = bytes > kMost - used_ ? kMost : used_ + bytes;
    return array;
  }

  /// rows x columns elements.
  template <class T>
  T* take(std::int64_t rows, std::int64_t columns) {
    std::int64_t count = 0;
    return take<T>(__builtin_mul_overflow(rows, columns, &count) ? std::numeric_limits<std::int64_t>::max() : count);
  }

  [[nodiscard]] std::size_t used() const { return used_; }

 private:
  static constexpr std::size_t kAlignment = 64;
  /// Larger sizes saturate here: no system has so much memory.
  static constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max() / kAlignment * kAlignment;

  std::byte* block_;
  std::size_t used_ = 0;
};

}  // namespace rowmill
