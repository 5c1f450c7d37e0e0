// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

#include "rowmill/config.hpp"

namespace rowmill {

/// Scratch memory that calls reuse. Once it has seen its largest batch it allocates no more; reserve() with an
/// operation's memory_required() makes the first call allocation-free too. One Workspace serves one call at a time:
/// concurrent calls need one each.
class Workspace {
 public:
  Workspace() = default;
  explicit Workspace(std::size_t bytes) { reserve(bytes); }
  Workspace(Workspace&& other) noexcept
      : data_(std::move(other.data_)), capacity_(std::exchange(other.capacity_, std::size_t{0})) {}
  Workspace& operator=(Workspace&& other) noexcept {
    data_ = std::move(other.data_);
    capacity_ = std::exchange(other.capacity_, std::size_t{0});
    return *this;
  }

  /// Makes room for `bytes`. Where the memory has to grow, its contents are lost. Throws Error (out_of_memory) if the
  /// system refuses; the workspace is then unchanged, and the message names `what` the memory was for.
  void reserve(std::size_t bytes, std::string_view what = "workspace");

  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

  /// The memory itself, aligned to 64 bytes; null while capacity() is 0. Each call that uses it overwrites it.
  [[nodiscard]] std::byte* data() const noexcept { return data_.get(); }

 private:
  struct Free {
    void operator()(std::byte* p) const noexcept;
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t capacity_ = 0;
};

}  // namespace rowmill
