// SPDX-License-Identifier: Apache-2.0
// The element types of exact tables, and typed rows.
#pragma once

#include <cstdint>
#include <type_traits>

#include "rowmill/table_view.hpp"

namespace rowmill::exact {

/// Calls f with a value of the type in which the elements of an exact format are stored.
template <class F>
decltype(auto) with_type(Format format, F f) {
  switch (format) {
    case Format::i64:
      return f(std::int64_t{});
    case Format::i32:
      return f(std::int32_t{});
    case Format::i16:
      return f(std::int16_t{});
    case Format::i8:
      return f(std::int8_t{});
    case Format::u8:
      return f(std::uint8_t{});
    default:  // f64
      return f(double{});
  }
}

/// The same with unsigned types for the integers: for work that does not depend on the sign, such as sums that wrap.
template <class F>
decltype(auto) with_unsigned_type(Format format, F f) {
  switch (element_size(format)) {
    case 1:
      return f(std::uint8_t{});
    case 2:
      return f(std::uint16_t{});
    case 4:
      return f(std::uint32_t{});
    default:
      return format == Format::f64 ? f(double{}) : f(std::uint64_t{});
  }
}

/// Row r of a table of T.
template <class T>
const T* row_of(const ConstTableView& table, std::int64_t r) {
  return static_cast<const T*>(table.bytes()) + r * table.row_stride();
}
template <class T>
T* row_of(const TableView& table, std::int64_t r) {
  return static_cast<T*>(table.bytes()) + r * table.row_stride();
}

/// a + b. Integers wrap around.
template <class T>
T sum_of(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    using Unsigned = std::make_unsigned_t<T>;
    return static_cast<T>(static_cast<Unsigned>(static_cast<Unsigned>(a) + static_cast<Unsigned>(b)));
  } else {
    return a + b;
  }
}

}  // namespace rowmill::exact
