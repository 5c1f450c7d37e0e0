// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <ranges>
#include <span>
#include <type_traits>

#include "rowmill/config.hpp"
#include "rowmill/error.hpp"

namespace rowmill {

/// What an operation does with an id outside its table.
enum class OutOfRange : std::uint8_t {
  error,          ///< throw IdError; allowed: 0 .. rows-1
  clip,           ///< use row 0 for negative ids and row rows-1 for large ones, as `jnp.take(mode="clip")`
  zero,           ///< a row of zeros, which counts in its bag; an update ignores the id
  wrap_negative,  ///< -1 is the last row, as in Python; allowed: -rows .. rows-1, others throw IdError
  skip,           ///< a bag leaves the id out, and does not count it; else as `zero`
};

/// Any signed integer of 4 or 8 bytes: int, long, long long.
template <class T>
concept IdType = std::signed_integral<T> &&(sizeof(T) == 4 || sizeof(T) == 8) && !std::is_same_v<T, wchar_t>;

/// A read-only view of ids of either width. Any contiguous range of signed integers of 4 or 8 bytes converts to it; a
/// batch of any shape is passed flattened, in row-major order. The ids are never narrowed or rewritten.
///
/// Ids may be strided: a column of an array of ids, or every second one. Every operation takes them. A lookup then
/// costs as much as with a policy other than OutOfRange::error, and needs the same scratch memory.
///
/// Making one checks nothing. Ids are *bad*, which operations report as invalid_argument, if their size is negative,
/// their pointer is null (and they are not empty) or not aligned, or their extent in bytes overflows 64 bits.
class Ids {
 public:
  constexpr Ids() = default;

  template <IdType T>
  constexpr Ids(const T* data, std::int64_t size) : data_(data), size_(size), is_64_bit_(sizeof(T) == 8) {}

  template <std::ranges::contiguous_range R>
  requires IdType<std::remove_cv_t<std::ranges::range_value_t<R>>>
  constexpr Ids(const R& ids)  // NOLINT(google-explicit-constructor): a span of ids is ids
      : Ids(std::ranges::data(ids), static_cast<std::int64_t>(std::ranges::size(ids))) {}

  /// Id i is data[i * stride]. The stride is in ids; below 0 the ids are read backwards from `data`, and 0 repeats one.
  template <IdType T>
  [[nodiscard]] static constexpr Ids strided(const T* data, std::int64_t size, std::int64_t stride) {
    Ids ids(data, size);
    ids.stride_ = stride;
    return ids;
  }

  [[nodiscard]] constexpr std::int64_t size() const { return size_; }
  [[nodiscard]] constexpr bool empty() const { return size_ == 0; }
  /// Where the first id is.
  [[nodiscard]] constexpr const void* data() const { return data_; }
  [[nodiscard]] constexpr bool is_64_bit() const { return is_64_bit_; }
  /// From an id to the next, in ids.
  [[nodiscard]] constexpr std::int64_t stride() const { return stride_; }
  /// Whether the ids stand one after another in memory.
  [[nodiscard]] constexpr bool is_contiguous() const { return stride_ == 1 || size_ <= 1; }

  /// The i-th id, widened.
  [[nodiscard]] std::int64_t operator[](std::int64_t i) const {
    const std::int64_t at = i * stride_;
    return is_64_bit_ ? static_cast<const Int64*>(data_)[at] : static_cast<const Int32*>(data_)[at];
  }

  /// Calls `f` with the typed pointer: `const int32_t*` or `const int64_t*`.
  /// Throws Error (invalid_argument) unless the ids are contiguous.
  template <class F>
  decltype(auto) visit(F&& f) const {
    if (!is_contiguous()) [[unlikely]]
      refuse();
    return is_64_bit_ ? f(static_cast<const std::int64_t*>(data_)) : f(static_cast<const std::int32_t*>(data_));
  }

 private:
  [[noreturn, gnu::cold, gnu::noinline]] static void refuse() {
    throw Error(ErrorCode::invalid_argument, "rowmill: strided ids were used as contiguous ones");
  }

  // The ids may be of another type of this size: long long, where int64_t is long.
  using Int32 [[gnu::may_alias]] = std::int32_t;
  using Int64 [[gnu::may_alias]] = std::int64_t;

  const void* data_ = nullptr;
  std::int64_t size_ = 0;
  std::int64_t stride_ = 1;
  bool is_64_bit_ = false;
};

/// The lowest position whose id the policy does not allow.
struct BadId {
  std::int64_t position;
  std::int64_t value;
};

/// Looks for an id that `policy` forbids in a table of `rows` rows, and does not throw if there is one: for callers
/// without exceptions. The ids must not be bad in the sense of Ids.
///
///     for i in 0 .. ids.size()-1:
///       if ids[i] != padding_id and not allowed(ids[i], rows, policy): return {i, ids[i]}
///     return nothing
///
/// Under `clip` with rows = 0 every id is bad; under `zero` and `skip` none is. Vectorised, and parallel for large
/// batches; fastest where the padding id is a row, -1 or `rows`.
/// Throws Error (unsupported_isa) only if ROWMILL_ISA is wrong.
[[nodiscard]] std::optional<BadId> find_bad_id(Ids ids, std::int64_t rows, OutOfRange policy = OutOfRange::error,
                                               std::optional<std::int64_t> padding_id = {});

}  // namespace rowmill
