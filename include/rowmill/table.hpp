// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "rowmill/format.hpp"
#include "rowmill/random.hpp"
#include "rowmill/table_view.hpp"

namespace rowmill {

/// What a Table is made with.
struct TableOptions {
  std::string name = {};  ///< appears in errors, and separates the random numbers of tables with one seed
  Initializer initializer = {};
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;  ///< separates the random numbers of tables with one seed and one name
  Format format = Format::f32;
  bool huge_pages = true;  ///< ask for 2 MiB pages when the table is larger than a few of them
  /// All threads of the arena fill the table, not the calling one alone. That is faster, and places its pages on the
  /// NUMA nodes of the threads that will use them.
  bool parallel_first_touch = true;
};

/// Owns a `rows x dim` table of one format, 64-byte aligned, rows one after another (stride = row_elements). Move-only,
/// because a copy of a big table should be visible in the code: clone() makes one. A table that was moved from is
/// empty.
class Table {
 public:
  Table() = default;

  /// A new table, filled as initialize() does it. A quantised table takes zeros alone: convert() fills it.
  /// Throws Error if rows < 0, dim < 0, the size overflows 64 bits, the format is unknown, or initialize() refuses the
  /// initializer (invalid_argument); if the system refuses the memory (out_of_memory), or ROWMILL_ISA is wrong
  /// (unsupported_isa).
  Table(std::int64_t rows, std::int64_t dim, TableOptions options = {});

  Table(Table&& other) noexcept { swap(other); }
  Table& operator=(Table&& other) noexcept {
    Table moved(std::move(other));
    moved.swap(*this);
    return *this;
  }
  /// A copy in memory of its own. Throws Error (out_of_memory).
  [[nodiscard]] Table clone() const;

  [[nodiscard]] std::int64_t rows() const { return rows_; }
  [[nodiscard]] std::int64_t dim() const { return dim_; }
  [[nodiscard]] Format format() const { return format_; }
  [[nodiscard]] const std::string& name() const;

  /// As data() and bytes() of the view.
  template <StorageType T = float>
  [[nodiscard]] T* data() {
    return view().data<T>();
  }
  template <StorageType T = float>
  [[nodiscard]] const T* data() const {
    return view().data<T>();
  }
  [[nodiscard]] void* bytes() { return data_.get(); }
  [[nodiscard]] const void* bytes() const { return data_.get(); }

  /// The view stays valid, its name too, when the table is moved.
  [[nodiscard]] TableView view() { return {bytes(), format_, rows_, dim_, row_elements(format_, dim_), name()}; }
  [[nodiscard]] ConstTableView view() const {
    return {bytes(), format_, rows_, dim_, row_elements(format_, dim_), name()};
  }
  operator TableView() { return view(); }             // NOLINT(google-explicit-constructor): a table is its view
  operator ConstTableView() const { return view(); }  // NOLINT(google-explicit-constructor)

 private:
  struct Free {
    std::size_t bytes;
    void operator()(std::byte* p) const noexcept;
  };
  friend Table uninitialized_table(std::int64_t rows, std::int64_t dim, const TableOptions& options);
  static Table uninitialized(std::int64_t rows, std::int64_t dim, Format format, bool huge_pages,
                             const std::string& name);
  void swap(Table& other) noexcept {
    std::swap(rows_, other.rows_);
    std::swap(dim_, other.dim_);
    std::swap(format_, other.format_);
    std::swap(huge_pages_, other.huge_pages_);
    std::swap(name_, other.name_);
    std::swap(data_, other.data_);
  }

  std::int64_t rows_ = 0;
  std::int64_t dim_ = 0;
  Format format_ = Format::f32;
  bool huge_pages_ = true;
  std::unique_ptr<const std::string> name_;  // stays where it is when the table is moved: views point to it
  std::unique_ptr<std::byte, Free> data_;
};

}  // namespace rowmill
