// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "rowmill/config.hpp"

namespace rowmill {

/// How a table stores its elements. The values are those of rowmill_format in rowmill/c.h, and stay as they are.
enum class Format : std::uint8_t {
  f32 = 0,   ///< float
  bf16 = 1,  ///< Bf16
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

/// The bytes of one element; 0 if the value is not one of the enum's.
[[nodiscard]] constexpr std::int64_t element_size(Format format) {
  switch (format) {
    case Format::f32:
      return sizeof(float);
    case Format::bf16:
      return sizeof(Bf16);
  }
  return 0;
}

/// "f32", "bf16"; "unknown" if the value is not one of the enum's.
[[nodiscard]] constexpr std::string_view format_name(Format format) {
  switch (format) {
    case Format::f32:
      return "f32";
    case Format::bf16:
      return "bf16";
  }
  return "unknown";
}

}  // namespace rowmill
