// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace bench {

/// Memory on 2 MiB boundaries with huge pages asked for, all of it touched. The library and the ceiling work on the
/// same buffers, so neither profits from better pages.
class HugeBuffer {
 public:
  HugeBuffer() = default;
  /// Throws std::bad_alloc if the system refuses.
  explicit HugeBuffer(std::size_t floats);
  ~HugeBuffer();
  HugeBuffer(HugeBuffer&& other) noexcept;
  HugeBuffer& operator=(HugeBuffer&& other) noexcept;
  HugeBuffer(const HugeBuffer&) = delete;
  HugeBuffer& operator=(const HugeBuffer&) = delete;

  [[nodiscard]] float* data() { return data_; }
  [[nodiscard]] const float* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  void* mapping_ = nullptr;
  std::size_t mapped_bytes_ = 0;
  float* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Fills with numbers in [-0.001, 0.001), none of them denormal, a pure function of position.
void fill_small_numbers(HugeBuffer& buffer);

}  // namespace bench
