// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <string_view>
#include <type_traits>

#include "rowmill/config.hpp"

namespace rowmill {

/// How a table stores its elements. The values are those of rowmill_format in rowmill/c.h, and stay as they are. Each
/// operation says which formats it supports; others are an error.
enum class Format : std::uint8_t {
  f32 = 0,   ///< float
  bf16 = 1,  ///< Bf16
  f16 = 2,   ///< F16
  int8 = 3,  ///< row-wise quantised, as the next two: for lookups and convert() alone; see row_elements()
  int4 = 4,
  int2 = 5,
  low16 = 6,  ///< the lower halves of floats whose upper halves are a bf16 table: see StorageOptions::split
  f64 = 7,    ///< double; this and the integers are for exactness, not for speed
  i64 = 8,    ///< std::int64_t, and so on
  i32 = 9,
  i16 = 10,
  i8 = 11,
  u8 = 12,
};

/// bfloat16: the upper half of a float, with its range and 8 bits of precision. It is only stored; arithmetic is float.
/// Both conversions work on integers, because the processors' own instructions flush denormals.
struct Bf16 {
  std::uint16_t bits;

  Bf16() = default;

  /// Rounds to the nearest value, a tie to the one whose last bit is 0. A value that rounds beyond the largest becomes
  /// infinity. A NaN keeps its sign and upper bits, and becomes quiet.
  constexpr explicit Bf16(float x) : bits(0) {
    const auto wide = std::bit_cast<std::uint32_t>(x);
    const bool is_nan = (wide & 0x7FFFFFFFU) > 0x7F800000U;
    const std::uint32_t rounded = is_nan ? wide | 0x00400000U : wide + 0x7FFFU + ((wide >> 16) & 1U);
    bits = static_cast<std::uint16_t>(rounded >> 16);
  }

  /// Exact.
  constexpr explicit operator float() const { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

  [[nodiscard]] static constexpr Bf16 from_bits(std::uint16_t bits) {
    Bf16 value(0.0F);
    value.bits = bits;
    return value;
  }
};
static_assert(sizeof(Bf16) == 2 && std::is_trivial_v<Bf16>);

/// float16: IEEE 754 binary16, with 11 bits of precision and values up to 65504. It is only stored; arithmetic is
/// float. Its functions are always inlined because leaf kernels use them, whose object files may not share functions.
struct F16 {
  std::uint16_t bits;

  F16() = default;

  /// Rounds to the nearest value, a tie to the one whose last bit is 0; denormals are kept. A value that rounds beyond
  /// 65504 becomes infinity. A NaN keeps its sign and upper bits, and becomes quiet.
  [[gnu::always_inline]] constexpr explicit F16(float x) : bits(0) {
    const auto wide = std::bit_cast<std::uint32_t>(x);
    const std::uint32_t magnitude = wide & 0x7FFFFFFFU;
    std::uint32_t half = 0;
    if (magnitude > 0x7F800000U) {
      half = 0x7E00U | (magnitude >> 13 & 0x3FFU);
    } else if (magnitude >= 0x477FF000U) {  // 65520, half way to 65536
      half = 0x7C00U;
    } else if (magnitude >= 0x38800000U) {  // 2^-14, the smallest that is not denormal
      half = (magnitude - ((127U - 15U) << 23) + 0xFFFU + (magnitude >> 13 & 1U)) >> 13;
    } else if (magnitude > 0x33000000U) {                    // 2^-25, half of the smallest denormal, which rounds to 0
      const std::uint32_t shift = 126U - (magnitude >> 23);  // from units of the last place to units of 2^-24
      const std::uint32_t significand = (magnitude & 0x7FFFFFU) | 0x800000U;
      const std::uint32_t below_half = (1U << (shift - 1U)) - 1U;
      half = (significand + below_half + (significand >> shift & 1U)) >> shift;
    }
    bits = static_cast<std::uint16_t>((wide >> 16 & 0x8000U) | half);
  }

  /// Exact.
  [[gnu::always_inline]] constexpr explicit operator float() const {
    constexpr std::uint32_t kExponents = 0x1FU << 23;
    constexpr std::uint32_t kBias = (127U - 15U) << 23;
    std::uint32_t wide = (bits & 0x7FFFU) << 13;
    if ((wide & kExponents) == kExponents) {
      wide += 2 * kBias;  // infinity and NaN
    } else if ((wide & kExponents) != 0) {
      wide += kBias;
    } else {
      // A multiple of 2^-24: 2^-14 and that much is a float, from which 2^-14 is taken exactly.
      constexpr std::uint32_t kSmallest = (127U - 14U) << 23;
      wide = std::bit_cast<std::uint32_t>(std::bit_cast<float>(kSmallest + wide) - std::bit_cast<float>(kSmallest));
    }
    return std::bit_cast<float>((bits & 0x8000U) << 16 | wide);
  }

  [[nodiscard, gnu::always_inline]] static constexpr F16 from_bits(std::uint16_t bits) {
    F16 value(0.0F);
    value.bits = bits;
    return value;
  }
};
static_assert(sizeof(F16) == 2 && std::is_trivial_v<F16>);

/// The number of the Format whose elements are T in memory; -1 if there is none.
template <class T>
inline constexpr int format_value = -1;
template <>
inline constexpr int format_value<float> = static_cast<int>(Format::f32);
template <>
inline constexpr int format_value<Bf16> = static_cast<int>(Format::bf16);
template <>
inline constexpr int format_value<F16> = static_cast<int>(Format::f16);
template <>
inline constexpr int format_value<double> = static_cast<int>(Format::f64);
template <>
inline constexpr int format_value<std::int64_t> = static_cast<int>(Format::i64);
template <>
inline constexpr int format_value<std::int32_t> = static_cast<int>(Format::i32);
template <>
inline constexpr int format_value<std::int16_t> = static_cast<int>(Format::i16);
template <>
inline constexpr int format_value<std::int8_t> = static_cast<int>(Format::i8);
template <>
inline constexpr int format_value<std::uint8_t> = static_cast<int>(Format::u8);

/// A type that elements have in memory.
template <class T>
concept StorageType = (format_value<T> >= 0);

/// The format whose elements are T in memory.
template <StorageType T>
inline constexpr Format format_of = static_cast<Format>(format_value<T>);

/// The bytes of one element; 0 if the value is not one of the enum's. Strides are in elements. Those of quantised
/// formats are bytes.
[[nodiscard]] constexpr std::int64_t element_size(Format format) {
  switch (format) {
    case Format::f64:
    case Format::i64:
      return 8;
    case Format::f32:
    case Format::i32:
      return 4;
    case Format::bf16:
    case Format::f16:
    case Format::low16:
    case Format::i16:
      return 2;
    case Format::int8:
    case Format::int4:
    case Format::int2:
    case Format::i8:
    case Format::u8:
      return 1;
  }
  return 0;
}

/// Whether arithmetic with the elements is in float: f32, bf16, f16.
[[nodiscard]] constexpr bool is_float(Format format) {
  return format == Format::f32 || format == Format::bf16 || format == Format::f16;
}

/// Whether arithmetic with the elements is in their own type: f64 and the integers.
[[nodiscard]] constexpr bool is_exact(Format format) { return format >= Format::f64 && format <= Format::u8; }

/// Whether rows hold codes with a scale and a bias of their own.
[[nodiscard]] constexpr bool is_quantized(Format format) {
  return format == Format::int8 || format == Format::int4 || format == Format::int2;
}

/// How many elements a row of `dim` columns takes: dim, or the row's bytes if it is quantised. These are
///
///     int8: dim codes, then scale and bias as float32
///     int4: two codes a byte, the even column in the low bits, then scale and bias as float16
///     int2: four codes a byte, the first column in the lowest bits, then scale and bias as float16
///
/// without padding, little-endian. A value is round(code * scale) + bias in float32: docs/numerics.md. A row without
/// columns takes no bytes. Returns the largest int64 where the number does not fit.
[[nodiscard]] constexpr std::int64_t row_elements(Format format, std::int64_t dim) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t kFloats = 8;
  constexpr std::int64_t kHalves = 4;
  if (dim <= 0) return dim;
  if (format == Format::int8) return dim > kMost - kFloats ? kMost : dim + kFloats;
  if (format == Format::int4) return dim / 2 + dim % 2 + kHalves;
  if (format == Format::int2) return dim / 4 + (dim % 4 != 0 ? 1 : 0) + kHalves;
  return dim;
}

/// "f32", "bf16", "int8" ...; "unknown" if the value is not one of the enum's.
[[nodiscard]] constexpr std::string_view format_name(Format format) {
  constexpr std::string_view kNames[] = {"f32", "bf16", "f16", "int8", "int4", "int2", "low16",
                                         "f64", "i64",  "i32", "i16",  "i8",   "u8"};
  const auto number = static_cast<std::size_t>(format);
  return number < std::size(kNames) ? kNames[number] : "unknown";
}

}  // namespace rowmill
