// SPDX-License-Identifier: Apache-2.0
// Memory that shows what a kernel may not do: an end that can't be read past, rows too far apart for 32 bits.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

#include "rowmill/table_view.hpp"

namespace rowmill::test {

inline std::size_t page_size() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

/// Address space of whole pages, none of which may be touched until open() says so.
class Pages {
 public:
  explicit Pages(std::size_t bytes) : size_((bytes + page_size() - 1) / page_size() * page_size()) {
    void* const start = mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) throw std::bad_alloc();
    start_ = static_cast<std::byte*>(start);
  }
  ~Pages() { munmap(start_, size_); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  /// The pages of [offset, offset + bytes) may be read and written.
  void open(std::size_t offset, std::size_t bytes) {
    if (bytes == 0) return;  // which mprotect takes for an error under emulation
    const std::size_t begin = offset / page_size() * page_size();
    if (mprotect(start_ + begin, offset + bytes - begin, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
  }

  [[nodiscard]] std::byte* data() const { return start_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  std::size_t size_;
  std::byte* start_;
};

/// A copy of an array that ends where its page ends: who reads past it crashes, in every build.
template <class T>
class PageEnd {
 public:
  explicit PageEnd(const std::vector<T>& values) : pages_(values.size() * sizeof(T) + page_size()) {
    const std::size_t end = pages_.size() - page_size();
    pages_.open(0, end);
    data_ = reinterpret_cast<T*>(pages_.data() + end) - values.size();
    std::ranges::copy(values, data_);
  }

  [[nodiscard]] T* data() { return data_; }
  [[nodiscard]] const T* data() const { return data_; }

 private:
  Pages pages_;
  T* data_;
};

/// A table of three rows more than 2^31 elements apart.
class FarTable {
 public:
  explicit FarTable(std::int64_t dim) : dim_(dim), pages_((2 * kStride + kStride / 2) * sizeof(float)) {
    for (const std::size_t row : {0U, 1U, 2U}) {
      pages_.open(row * kStride * sizeof(float), static_cast<std::size_t>(dim) * sizeof(float));
    }
  }

  [[nodiscard]] TableView view() const {
    return {reinterpret_cast<float*>(pages_.data()), 3, dim_, static_cast<std::int64_t>(kStride)};
  }

 private:
  static constexpr std::size_t kStride = (std::size_t{1} << 31) + 4096;
  std::int64_t dim_;
  Pages pages_;
};

}  // namespace rowmill::test
