// SPDX-License-Identifier: Apache-2.0
// Output and OutputAllocator.
#include "rowmill/output.hpp"

#include <algorithm>
#include <mutex>
#include <vector>

#include "kernels/core/checks.hpp"
#include "kernels/memory/memory.hpp"

namespace rowmill {

/// The blocks that no output uses, in the order in which they were given back.
class OutputMemory {
 public:
  struct Block {
    float* data;
    std::size_t capacity;
  };

  OutputMemory() { idle_.reserve(kMaxIdle); }
  OutputMemory(const OutputMemory&) = delete;
  OutputMemory& operator=(const OutputMemory&) = delete;
  ~OutputMemory() { trim(); }

  /// The smallest block of `bytes` to twice as many; null if there is none. Of equal ones the one that was given back
  /// last, because most of it may be in a cache.
  Block take(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    auto best = idle_.end();
    for (auto block = idle_.begin(); block != idle_.end(); ++block) {
      if (block->capacity < bytes || block->capacity / 2 > bytes) continue;
      if (best == idle_.end() || block->capacity <= best->capacity) best = block;
    }
    if (best == idle_.end()) return {nullptr, 0};
    const Block found = *best;
    idle_.erase(best);
    return found;
  }

  void give_back(Block block) noexcept {
    {
      const std::lock_guard lock(mutex_);
      if (idle_.size() == kMaxIdle) {
        std::swap(block, idle_.front());
        std::rotate(idle_.begin(), idle_.begin() + 1, idle_.end());
      } else {
        idle_.push_back(block);  // there is room
        return;
      }
    }
    free_array(block.data, block.capacity);
  }

  std::size_t idle_bytes() {
    const std::lock_guard lock(mutex_);
    std::size_t bytes = 0;
    for (const Block& block : idle_) bytes += block.capacity;
    return bytes;
  }

  void trim() noexcept {
    const std::lock_guard lock(mutex_);
    for (const Block& block : idle_) free_array(block.data, block.capacity);
    idle_.clear();
  }

 private:
  static constexpr std::size_t kMaxIdle = 8;
  std::mutex mutex_;
  std::vector<Block> idle_;
};

Output::~Output() {
  if (data_ != nullptr) memory_->give_back({data_, capacity_});
}

OutputAllocator::OutputAllocator() : memory_(std::make_shared<OutputMemory>()) {}

Output OutputAllocator::make(std::int64_t rows, std::int64_t dim) {
  const std::size_t bytes = checked_size("output", ConstTableView(nullptr, rows, dim));
  Output output;
  if (bytes > 0) {
    OutputMemory::Block block = memory_->take(bytes);
    if (block.data == nullptr) {
      block = {static_cast<float*>(allocate_array(bytes, true, describe("output", ConstTableView(nullptr, rows, dim)))),
               bytes};
    }
    output.memory_ = memory_;
    output.data_ = block.data;
    output.capacity_ = block.capacity;
  }
  output.rows_ = rows;
  output.dim_ = dim;
  return output;
}

std::size_t OutputAllocator::idle_bytes() const { return memory_->idle_bytes(); }

void OutputAllocator::trim() { memory_->trim(); }

}  // namespace rowmill
