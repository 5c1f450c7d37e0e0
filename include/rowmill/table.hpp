// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "rowmill/random.hpp"
#include "rowmill/table_view.hpp"

namespace rowmill {

struct TableOptions {
  std::string name = {};  ///< appears in errors, and separates the random numbers of tables with one seed
  Initializer initializer = {};
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;  ///< separates the random numbers of tables with one seed and one name
  bool huge_pages = true;    ///< ask for 2 MiB pages when the table is larger than a few of them
  /// All threads of the arena fill the table, and so touch its pages first: sooner, and on the memory nodes of the
  /// threads that are going to use them. Otherwise the calling thread does.
  bool parallel_first_touch = true;
};

/// Owns a `rows x dim` table of floats, 64-byte aligned, rows one after another (stride = dim). Move-only: copies of
/// big tables should be seen; clone() makes one.
class Table {
 public:
  Table() = default;

  /// Throws Error if rows < 0 or dim < 1 or rows * dim overflows or the initializer is bad (invalid_argument), or the
  /// system refuses the memory (out_of_memory). rows = 0 is an empty table.
  Table(std::int64_t rows, std::int64_t dim, TableOptions options = {});

  Table(Table&&) noexcept = default;
  Table& operator=(Table&&) noexcept = default;
  [[nodiscard]] Table clone() const;

  [[nodiscard]] std::int64_t rows() const { return rows_; }
  [[nodiscard]] std::int64_t dim() const { return dim_; }
  [[nodiscard]] const std::string& name() const { return options_.name; }
  [[nodiscard]] float* data() { return data_.get(); }
  [[nodiscard]] const float* data() const { return data_.get(); }

  /// The view stays valid when the table is moved, but not its name: views are made when needed.
  [[nodiscard]] TableView view() { return {data_.get(), rows_, dim_, dim_, options_.name}; }
  [[nodiscard]] ConstTableView view() const { return {data_.get(), rows_, dim_, dim_, options_.name}; }
  operator TableView() { return view(); }             // NOLINT(google-explicit-constructor): a table is its view
  operator ConstTableView() const { return view(); }  // NOLINT(google-explicit-constructor)

 private:
  struct Free {
    std::size_t bytes;
    void operator()(float* p) const noexcept;
  };
  static Table uninitialized(std::int64_t rows, std::int64_t dim, TableOptions options);

  std::int64_t rows_ = 0;
  std::int64_t dim_ = 0;
  TableOptions options_;
  std::unique_ptr<float, Free> data_;
};

}  // namespace rowmill
