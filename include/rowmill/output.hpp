// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "rowmill/table_view.hpp"

namespace rowmill {

class OutputMemory;

/// A `rows x dim` output made by an OutputAllocator, 64-byte aligned, rows one after another. Move-only; when it dies
/// its memory goes back to the allocator, which it may outlive.
class Output {
 public:
  Output() = default;
  Output(Output&& other) noexcept { swap(other); }
  Output& operator=(Output&& other) noexcept {
    Output moved(std::move(other));
    moved.swap(*this);
    return *this;
  }
  ~Output();

  [[nodiscard]] std::int64_t rows() const { return rows_; }
  [[nodiscard]] std::int64_t dim() const { return dim_; }
  [[nodiscard]] float* data() { return data_; }
  [[nodiscard]] const float* data() const { return data_; }

  [[nodiscard]] TableView view() { return {data_, rows_, dim_}; }
  [[nodiscard]] ConstTableView view() const { return {data_, rows_, dim_}; }
  operator TableView() { return view(); }             // NOLINT(google-explicit-constructor): an output is its view
  operator ConstTableView() const { return view(); }  // NOLINT(google-explicit-constructor)

 private:
  friend class OutputAllocator;
  void swap(Output& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(data_, other.data_);
    std::swap(capacity_, other.capacity_);
    std::swap(rows_, other.rows_);
    std::swap(dim_, other.dim_);
  }

  std::shared_ptr<OutputMemory> memory_;
  float* data_ = nullptr;
  std::size_t capacity_ = 0;
  std::int64_t rows_ = 0;
  std::int64_t dim_ = 0;
};

/// Makes outputs for callers who want a new one for each call. The system clears new memory page by page when it is
/// first written, which takes longer than a large gather itself. So an allocator keeps the memory of outputs that died
/// for the next ones.
///
///     OutputAllocator outputs;
///     Output out = outputs.make(ids.size(), table.dim());
///     gather(table, ids, out);
///
/// Threads may share an allocator. Its copies share its memory.
class OutputAllocator {
 public:
  OutputAllocator();
  OutputAllocator(const OutputAllocator&) = default;  // and no moves, which would leave one without memory
  OutputAllocator& operator=(const OutputAllocator&) = default;

  /// A rows x dim output of unspecified values. It gets the memory of a dead output of up to twice its size, or new
  /// memory, in 2 MiB pages where it is large. Throws Error if rows < 0, dim < 0 or rows * dim overflows
  /// (invalid_argument), or the system refuses the memory (out_of_memory).
  [[nodiscard]] Output make(std::int64_t rows, std::int64_t dim);

  /// The bytes that are kept for the next outputs. At most eight blocks are kept; the oldest is freed first.
  [[nodiscard]] std::size_t idle_bytes() const;

  /// Gives idle memory back to the system.
  void trim();

 private:
  std::shared_ptr<OutputMemory> memory_;
};

}  // namespace rowmill
