// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace rowmill {

/// Cuts one block of memory into arrays, each aligned to 64. With a null block it only counts, so that the code which
/// lays memory out also says how much it needs.
class Carver {
 public:
  explicit Carver(std::byte* block) : block_(block) {}

  template <class T>
  T* take(std::int64_t count) {
    constexpr std::size_t kAlignment = 64;
    T* const array = block_ == nullptr ? nullptr : reinterpret_cast<T*>(block_ + used_);
    used_ += (static_cast<std::size_t>(count) * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
    return array;
  }

  [[nodiscard]] std::size_t used() const { return used_; }

 private:
  std::byte* block_;
  std::size_t used_ = 0;
};

}  // namespace rowmill
