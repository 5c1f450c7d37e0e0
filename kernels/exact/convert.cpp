// SPDX-License-Identifier: Apache-2.0
// Conversions between f64 and the float formats, and constants of integer tables.
#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/core/checks.hpp"
#include "kernels/core/parallel.hpp"
#include "kernels/exact/exact.hpp"
#include "kernels/exact/rows.hpp"
#include "kernels/table/rows.hpp"

namespace rowmill::exact {
namespace {

/// x rounded to odd: if x is no float, the one of its two neighbours whose last bit is 1. Rounding that to a format
/// with at least two bits less gives the same as rounding x, which rounding twice to the nearest may not.
float to_odd(double x) {
  const auto nearest = static_cast<float>(x);
  const auto bits = std::bit_cast<std::uint32_t>(nearest);
  if (std::isnan(x) || double{nearest} == x || (bits & 1U) != 0) return nearest;
  return std::bit_cast<float>(std::fabs(double{nearest}) > std::fabs(x) ? bits - 1 : bits + 1);
}

template <class To, class From>
To converted(From x) {
  if constexpr (std::is_same_v<To, double>) {
    return double{static_cast<float>(x)};
  } else if constexpr (std::is_same_v<To, float>) {
    return static_cast<float>(x);
  } else {
    return To(to_odd(x));
  }
}

using ConvertRow = void(const void* from, void* to, std::int64_t dim);

template <class From, class To>
void convert_row(const void* from, void* to, std::int64_t dim) {
  const auto* const in = static_cast<const From*>(from);
  std::transform(in, in + dim, static_cast<To*>(to), converted<To, From>);
}

ConvertRow* convert_row_of(Format from, Format to) {
  switch (from) {
    case Format::f32:
      return convert_row<float, double>;
    case Format::bf16:
      return convert_row<Bf16, double>;
    case Format::f16:
      return convert_row<F16, double>;
    default:  // f64
      break;
  }
  return to == Format::f32    ? convert_row<double, float>
         : to == Format::bf16 ? convert_row<double, Bf16>
                              : convert_row<double, F16>;
}

template <class T>
void fill_row(void* row, std::int64_t dim, std::int64_t value) {
  std::fill_n(static_cast<T*>(row), dim, static_cast<T>(value));
}

}  // namespace

void convert(const ConstTableView& from, const TableView& to) {
  ConvertRow* const convert_row = convert_row_of(from.format(), to.format());
  const std::int64_t traffic_each = row_bytes(from) + row_bytes(to);
  const std::int64_t threads = concurrency_for(from.rows() * traffic_each);
  parallel_chunks(threads, from.rows(), rows_per_task(from.rows(), traffic_each, threads),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t r = begin; r < end; ++r)
                      convert_row(row_address(from, r), row_address(to, r), from.dim());
                  });
}

void fill(const TableView& table, std::int64_t value, std::int64_t threads) {
  using FillRow = void(void* row, std::int64_t dim, std::int64_t value);
  FillRow* const fill = with_unsigned_type(table.format(), []<class T>(T) -> FillRow* { return fill_row<T>; });
  parallel_chunks(threads, table.rows(), rows_per_fill_task(row_bytes(table)),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t r = begin; r < end; ++r) fill(row_address(table, r), table.dim(), value);
                  });
}

}  // namespace rowmill::exact
