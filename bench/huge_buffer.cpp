// SPDX-License-Identifier: Apache-2.0
#include "huge_buffer.hpp"

#include <sys/mman.h>
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <new>
#include <utility>

namespace bench {

namespace {
constexpr std::size_t kHugePage = std::size_t{2} << 20;
}

HugeBuffer::HugeBuffer(std::size_t floats) : size_(floats) {
  if (floats == 0) return;
  const std::size_t bytes = (floats * sizeof(float) + kHugePage - 1) / kHugePage * kHugePage;
  mapped_bytes_ = bytes + kHugePage;
  mapping_ = mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping_ == MAP_FAILED) throw std::bad_alloc();
  const auto address = reinterpret_cast<std::uintptr_t>(mapping_);
  const std::uintptr_t aligned = (address + kHugePage - 1) / kHugePage * kHugePage;
  data_ = reinterpret_cast<float*>(aligned);
  madvise(data_, bytes, MADV_HUGEPAGE);  // a wish: without huge pages both sides are slower alike
  fill_small_numbers(*this);
}

HugeBuffer::~HugeBuffer() {
  if (mapping_ != nullptr) munmap(mapping_, mapped_bytes_);
}

HugeBuffer::HugeBuffer(HugeBuffer&& other) noexcept
    : mapping_(std::exchange(other.mapping_, nullptr)),
      mapped_bytes_(std::exchange(other.mapped_bytes_, 0)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

HugeBuffer& HugeBuffer::operator=(HugeBuffer&& other) noexcept {
  std::swap(mapping_, other.mapping_);
  std::swap(mapped_bytes_, other.mapped_bytes_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

void fill_small_numbers(HugeBuffer& buffer) {
  float* data = buffer.data();
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, buffer.size(), std::size_t{1} << 18), [&](const auto& range) {
    for (std::size_t i = range.begin(); i != range.end(); ++i) {
      const std::uint32_t word = (static_cast<std::uint32_t>(i) + 1) * 2654435769U;
      data[i] = (static_cast<float>(word >> 8) + 0.5F) * 0x1p-24F * 0.002F - 0.001F;
    }
  });
}

}  // namespace bench
