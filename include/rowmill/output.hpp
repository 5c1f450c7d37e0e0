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

/// Makes outputs for callers who want a new one for each call. Memory that is new from the system has to be cleared
/// page by page when it is first written, which takes longer than a large gather itself; this keeps the memory of the
/// last outputs that died for the next ones.
///
///     OutputAllocator outputs;
///     Output out = outputs.make(ids.size(), table.dim());
///     gather(table, ids, out);
///
/// Threads may share one, and so do its copies: they keep the same memory.
class OutputAllocator {
 public:
  OutputAllocator();
  OutputAllocator(const OutputAllocator&) = default;  // and no moves, which would leave one without memory
  OutputAllocator& operator=(const OutputAllocator&) = default;

  /// A rows x dim output; what it holds is unspecified. It gets memory that an output of up to twice its size left, or
  /// new memory, in 2 MiB pages where it is large. Throws Error if rows < 0 or dim < 0 or rows * dim overflows
  /// (invalid_argument), or the system refuses the memory (out_of_memory).
  [[nodiscard]] Output make(std::int64_t rows, std::int64_t dim);

  /// The bytes that no output uses now. At most eight blocks are kept: of more, the one that was left first is freed.
  [[nodiscard]] std::size_t idle_bytes() const;

  /// Gives idle memory back to the system.
  void trim();

 private:
  std::shared_ptr<OutputMemory> memory_;
};

}  // namespace rowmill
