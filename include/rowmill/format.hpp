// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>

#include "rowmill/config.hpp"

namespace rowmill {

/// How a table stores its elements. The values are those of rowmill_format in rowmill/c.h, and stay as they are.
enum class Format : std::uint8_t {
  f32 = 0,   ///< float
  bf16 = 1,  ///< Bf16
  int8 = 3,  ///< row-wise quantised: lookups and convert() alone know these three; see row_elements()
  int4 = 4,
  int2 = 5,
};

/// bfloat16: the upper half of a float, with its range and 8 bits of precision. It is only stored; arithmetic is float.
/// Both conversions work on integers, because the processors' own instructions flush denormals.
struct Bf16 {
  std::uint16_t bits;

  Bf16() = default;

  /// Rounds to the nearest value, a tie to the one whose last bit is 0. What rounds beyond the largest value is
  /// infinity; a NaN keeps its sign and upper bits, and becomes quiet.
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

/// The types that elements have in memory.
template <class T>
concept StorageType = std::is_same_v<T, float> || std::is_same_v<T, Bf16>;

template <StorageType T>
inline constexpr Format format_of = std::is_same_v<T, float> ? Format::f32 : Format::bf16;

/// The bytes of one element, which is what strides count in; 0 if the value is not one of the enum's. Rows of quantised
/// formats are counted in bytes.
[[nodiscard]] constexpr std::int64_t element_size(Format format) {
  switch (format) {
    case Format::f32:
      return sizeof(float);
    case Format::bf16:
      return sizeof(Bf16);
    case Format::int8:
    case Format::int4:
    case Format::int2:
      return 1;
  }
  return 0;
}

/// Whether rows hold codes with a scale and a bias of their own.
[[nodiscard]] constexpr bool is_quantized(Format format) {
  return format == Format::int8 || format == Format::int4 || format == Format::int2;
}

/// How many elements a row of `dim` columns takes: dim for f32 and bf16. The bytes of a quantised row are
///
///     int8: dim codes, then scale and bias as float32
///     int4: two codes a byte, the even column in the low bits, then scale and bias as float16
///     int2: four codes a byte, the first column in the lowest bits, then scale and bias as float16
///
/// without padding, little-endian, and a value is round(code * scale) + bias in float32: docs/numerics.md. A row
/// without columns takes none. The largest number stands for sizes beyond 64 bits.
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

/// "f32", "bf16", "int8", "int4", "int2"; "unknown" if the value is not one of the enum's.
[[nodiscard]] constexpr std::string_view format_name(Format format) {
  switch (format) {
    case Format::f32:
      return "f32";
    case Format::bf16:
      return "bf16";
    case Format::int8:
      return "int8";
    case Format::int4:
      return "int4";
    case Format::int2:
      return "int2";
  }
  return "unknown";
}

}  // namespace rowmill
