// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "rowmill/config.hpp"
#include "rowmill/error.hpp"
#include "rowmill/format.hpp"

namespace rowmill {

/// A storage type other than float that a view may point to: const only where the view is read only.
template <class T, bool kConst>
concept OtherElement = StorageType<std::remove_const_t<T>> && !std::is_same_v<std::remove_const_t<T>, float> &&
                       (kConst || !std::is_const_v<T>);

/// A `rows x dim` table in anyone's memory, whose elements have one format. Row r starts `row_stride` elements after
/// row r-1 and has row_elements(format, dim) elements. `name`, if given, appears in errors and must outlive the view.
/// Column slices of one buffer are separate tables and may be used together.
///
/// ConstTableView is read only; its stride may be 0, which broadcasts one row. TableView is written too, and converts
/// to a ConstTableView. Its rows must not share elements: row_stride >= row_elements(format, dim), unless there is one
/// row.
///
/// Making a view checks nothing: the operation that uses it does, and names the argument. A view is *bad*, which
/// operations report as invalid_argument, if its rows, dim or row stride are negative, its format is unknown, its size
/// in bytes overflows 64 bits, or its pointer is null (and the view is not empty) or not aligned to its elements.
template <bool kConst>
class BasicTableView {
 public:
  /// T, or const T where the view is read only.
  template <class T>
  using Element = std::conditional_t<kConst, const T, T>;

  constexpr BasicTableView() = default;
  constexpr BasicTableView(Element<void>* data, Format format, std::int64_t rows, std::int64_t dim,
                           std::int64_t row_stride, std::string_view name = {})
      : data_(data), rows_(rows), dim_(dim), row_stride_(row_stride), format_(format), name_(name) {}

  /// A view of floats, or of a null pointer.
  constexpr BasicTableView(Element<float>* data, std::int64_t rows, std::int64_t dim, std::int64_t row_stride,
                           std::string_view name = {})
      : BasicTableView(data, Format::f32, rows, dim, row_stride, name) {}
  constexpr BasicTableView(Element<float>* data, std::int64_t rows, std::int64_t dim)
      : BasicTableView(data, rows, dim, dim) {}

  /// A view of another storage type.
  template <OtherElement<kConst> T>
  constexpr BasicTableView(T* data, std::int64_t rows, std::int64_t dim, std::int64_t row_stride,
                           std::string_view name = {})
      : BasicTableView(data, format_of<std::remove_const_t<T>>, rows, dim, row_stride, name) {}
  template <OtherElement<kConst> T>
  constexpr BasicTableView(T* data, std::int64_t rows, std::int64_t dim) : BasicTableView(data, rows, dim, dim) {}

  constexpr operator BasicTableView<true>() const  // NOLINT(google-explicit-constructor): writable is readable
      requires(!kConst) {
    return {data_, format_, rows_, dim_, row_stride_, name_};
  }

  [[nodiscard]] constexpr std::int64_t rows() const { return rows_; }
  [[nodiscard]] constexpr std::int64_t dim() const { return dim_; }
  /// In elements.
  [[nodiscard]] constexpr std::int64_t row_stride() const { return row_stride_; }
  [[nodiscard]] constexpr Format format() const { return format_; }
  [[nodiscard]] constexpr std::string_view name() const { return name_; }

  /// The memory, whatever its format.
  [[nodiscard]] constexpr Element<void>* bytes() const { return data_; }

  /// The first element of the table, and the elements of row r.
  /// Throw Error (invalid_argument) if the view's format is not that of T.
  template <StorageType T = float>
  [[nodiscard]] Element<T>* data() const {
    if (format_ != format_of<T>) [[unlikely]]
      refuse(format_of<T>);
    return static_cast<Element<T>*>(data_);
  }
  template <StorageType T = float>
  [[nodiscard]] std::span<Element<T>> row(std::int64_t r) const {
    return {data<T>() + r * row_stride_, static_cast<std::size_t>(dim_)};
  }

 private:
  [[noreturn, gnu::cold, gnu::noinline]] void refuse(Format wanted) const {
    throw Error(ErrorCode::invalid_argument,
                "rowmill: a view" + (name_.empty() ? "" : " '" + std::string(name_) + "'") + " of " +
                    std::string(format_name(format_)) + " was used as " + std::string(format_name(wanted)));
  }

  Element<void>* data_ = nullptr;
  std::int64_t rows_ = 0;
  std::int64_t dim_ = 0;
  std::int64_t row_stride_ = 0;
  Format format_ = Format::f32;
  std::string_view name_;
};

using TableView = BasicTableView<false>;
using ConstTableView = BasicTableView<true>;

}  // namespace rowmill
