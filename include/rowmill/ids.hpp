// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <ranges>
#include <span>
#include <type_traits>

#include "rowmill/config.hpp"

namespace rowmill {

/// What an operation does with an id outside its table.
enum class OutOfRange : std::uint8_t {
  error,          ///< throw IdError; allowed: 0 .. rows-1
  clip,           ///< use row 0 for negative ids and row rows-1 for large ones, as `jnp.take(mode="clip")`
  zero,           ///< a gather yields a zero row; an update ignores the id
  wrap_negative,  ///< -1 is the last row, as in Python; allowed: -rows .. rows-1, others throw IdError
};

/// Any signed integer of 4 or 8 bytes: int, long, long long.
template <class T>
concept IdType = std::signed_integral<T> &&(sizeof(T) == 4 || sizeof(T) == 8) && !std::is_same_v<T, wchar_t>;

/// A read-only view of ids of either width. Any contiguous range of signed integers of 4 or 8 bytes converts to it; a
/// batch of any shape is passed flattened, in row-major order. The ids are never copied, narrowed or rewritten.
class Ids {
 public:
  constexpr Ids() = default;

  template <IdType T>
  constexpr Ids(const T* data, std::int64_t size) : data_(data), size_(size), is_64_bit_(sizeof(T) == 8) {}

  template <std::ranges::contiguous_range R>
  requires IdType<std::remove_cv_t<std::ranges::range_value_t<R>>>
  constexpr Ids(const R& ids)  // NOLINT(google-explicit-constructor): a span of ids is ids
      : Ids(std::ranges::data(ids), static_cast<std::int64_t>(std::ranges::size(ids))) {}

  [[nodiscard]] constexpr std::int64_t size() const { return size_; }
  [[nodiscard]] constexpr bool empty() const { return size_ == 0; }
  [[nodiscard]] constexpr const void* data() const { return data_; }
  [[nodiscard]] constexpr bool is_64_bit() const { return is_64_bit_; }

  /// The i-th id, widened.
  [[nodiscard]] std::int64_t operator[](std::int64_t i) const {
    return is_64_bit_ ? static_cast<const Int64*>(data_)[i] : static_cast<const Int32*>(data_)[i];
  }

  /// Calls `f` with the typed pointer: `const int32_t*` or `const int64_t*`.
  template <class F>
  decltype(auto) visit(F&& f) const {
    return is_64_bit_ ? f(static_cast<const std::int64_t*>(data_)) : f(static_cast<const std::int32_t*>(data_));
  }

 private:
  // The ids may be of another type of this size: long long, where int64_t is long.
  using Int32 [[gnu::may_alias]] = std::int32_t;
  using Int64 [[gnu::may_alias]] = std::int64_t;

  const void* data_ = nullptr;
  std::int64_t size_ = 0;
  bool is_64_bit_ = false;
};

/// The lowest position whose id the policy does not allow.
struct BadId {
  std::int64_t position;
  std::int64_t value;
};

/// Looks for an id that `policy` forbids in a table of `rows` rows, and throws nothing for any ids: for callers
/// without exceptions.
///
///     for i in 0 .. ids.size()-1:
///       if not allowed(ids[i], rows, policy): return {i, ids[i]}
///     return nothing
///
/// Under `clip` with rows = 0 every id is bad; under `zero` none is. Vectorised, and parallel for large batches.
/// Throws Error (unsupported_isa) only if ROWMILL_ISA is wrong.
[[nodiscard]] std::optional<BadId> find_bad_id(Ids ids, std::int64_t rows, OutOfRange policy = OutOfRange::error);

}  // namespace rowmill
