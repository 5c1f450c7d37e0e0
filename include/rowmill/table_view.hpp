// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace rowmill {

/// How a table stores its elements. (Others follow; a view carries its format, so one call may mix them.)
enum class Format : std::uint8_t { f32 };

/// A read-only `rows x dim` table in anyone's memory. Row r starts `row_stride` elements after row r-1; a stride of 0
/// broadcasts one row. The memory may have any alignment that the element type allows. Making a view checks nothing:
/// the operation that uses it does, and can name the argument. `name`, if given, appears in errors and must outlive
/// the view.
class ConstTableView {
 public:
  constexpr ConstTableView() = default;
  constexpr ConstTableView(const float* data, std::int64_t rows, std::int64_t dim, std::int64_t row_stride,
                           std::string_view name = {})
      : data_(data), rows_(rows), dim_(dim), row_stride_(row_stride), name_(name) {}
  constexpr ConstTableView(const float* data, std::int64_t rows, std::int64_t dim)
      : ConstTableView(data, rows, dim, dim) {}

  [[nodiscard]] constexpr const float* data() const { return data_; }
  [[nodiscard]] constexpr std::int64_t rows() const { return rows_; }
  [[nodiscard]] constexpr std::int64_t dim() const { return dim_; }
  [[nodiscard]] constexpr std::int64_t row_stride() const { return row_stride_; }
  [[nodiscard]] constexpr Format format() const { return format_; }
  [[nodiscard]] constexpr std::string_view name() const { return name_; }
  [[nodiscard]] constexpr std::span<const float> row(std::int64_t r) const {
    return {data_ + r * row_stride_, static_cast<std::size_t>(dim_)};
  }

 private:
  const float* data_ = nullptr;
  std::int64_t rows_ = 0;
  std::int64_t dim_ = 0;
  std::int64_t row_stride_ = 0;
  Format format_ = Format::f32;
  std::string_view name_;
};

/// A writable `rows x dim` table in anyone's memory: as ConstTableView, with row_stride >= dim, so that no two rows
/// share an element. Column slices of one buffer are separate tables and may be used together.
class TableView {
 public:
  constexpr TableView() = default;
  constexpr TableView(float* data, std::int64_t rows, std::int64_t dim, std::int64_t row_stride,
                      std::string_view name = {})
      : data_(data), rows_(rows), dim_(dim), row_stride_(row_stride), name_(name) {}
  constexpr TableView(float* data, std::int64_t rows, std::int64_t dim) : TableView(data, rows, dim, dim) {}

  [[nodiscard]] constexpr float* data() const { return data_; }
  [[nodiscard]] constexpr std::int64_t rows() const { return rows_; }
  [[nodiscard]] constexpr std::int64_t dim() const { return dim_; }
  [[nodiscard]] constexpr std::int64_t row_stride() const { return row_stride_; }
  [[nodiscard]] constexpr Format format() const { return format_; }
  [[nodiscard]] constexpr std::string_view name() const { return name_; }
  [[nodiscard]] constexpr std::span<float> row(std::int64_t r) const {
    return {data_ + r * row_stride_, static_cast<std::size_t>(dim_)};
  }

  constexpr operator ConstTableView() const {  // NOLINT(google-explicit-constructor): writable is readable
    return {data_, rows_, dim_, row_stride_, name_};
  }

 private:
  float* data_ = nullptr;
  std::int64_t rows_ = 0;
  std::int64_t dim_ = 0;
  std::int64_t row_stride_ = 0;
  Format format_ = Format::f32;
  std::string_view name_;
};

}  // namespace rowmill
