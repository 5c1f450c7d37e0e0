// SPDX-License-Identifier: Apache-2.0
#include "rowmill/format.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <concepts>
#include <limits>
#include <random>

#include "rowmill/table_view.hpp"

namespace rowmill::test {
namespace {

float value(std::uint32_t bf16_bits) { return std::bit_cast<float>(bf16_bits << 16); }

TEST(Bf16, KeepsEveryValueItHas) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float x = value(bits);
    EXPECT_EQ(std::bit_cast<std::uint32_t>(static_cast<float>(Bf16::from_bits(static_cast<std::uint16_t>(bits)))),
              bits << 16);
    EXPECT_EQ(Bf16(x).bits, std::isnan(x) ? bits | 0x40 : bits) << "NaNs become quiet";
  }
}

/// Nearest, by distance in double; of two as near, the one whose last bit is 0. For 0 <= x up to the largest value.
std::uint16_t nearest(float x) {
  const std::uint32_t below = std::bit_cast<std::uint32_t>(x) >> 16;
  const double to_below = static_cast<double>(x) - static_cast<double>(value(below));
  const double to_above = static_cast<double>(value(below + 1)) - static_cast<double>(x);
  const bool up = to_above < to_below || (to_above == to_below && below % 2 == 1);
  return static_cast<std::uint16_t>(below + (up ? 1 : 0));
}

TEST(Bf16, RoundsToNearestEven) {
  std::mt19937_64 random(1);
  for (std::uint32_t upper = 0; upper < 0x7F7F; ++upper) {  // denormals too
    for (const std::uint32_t lower :
         {0x0001U, 0x7FFFU, 0x8000U, 0x8001U, 0xFFFFU, static_cast<std::uint32_t>(random() & 0xFFFFU)}) {
      const auto x = std::bit_cast<float>(upper << 16 | lower);
      ASSERT_EQ(Bf16(x).bits, nearest(x)) << std::hexfloat << x;
      ASSERT_EQ(Bf16(-x).bits, nearest(x) | 0x8000) << std::hexfloat << -x;
    }
  }
}

TEST(Bf16, RoundsToInfinityAndKeepsNaNs) {
  EXPECT_EQ(Bf16(std::bit_cast<float>(0x7F7F7FFFU)).bits, 0x7F7F) << "the largest value";
  EXPECT_EQ(Bf16(std::bit_cast<float>(0x7F7F8000U)).bits, 0x7F80) << "half way to infinity: a tie, and even";
  EXPECT_EQ(Bf16(std::numeric_limits<float>::max()).bits, 0x7F80);
  EXPECT_EQ(Bf16(-std::numeric_limits<float>::infinity()).bits, 0xFF80);
  EXPECT_EQ(Bf16(std::bit_cast<float>(0x7F800001U)).bits, 0x7FC0) << "no NaN becomes infinity";
  EXPECT_EQ(Bf16(std::bit_cast<float>(0xFFFFFFFFU)).bits, 0xFFFF) << "nor a zero";
  EXPECT_EQ(Bf16(-0.0F).bits, 0x8000);
  static_assert(Bf16(1.0F).bits == 0x3F80);
}

/// By its definition, in double.
double half_value(std::uint32_t bits) {
  const int exponent = static_cast<int>(bits >> 10 & 31U);
  const double fraction = (bits & 1023U) / 1024.0;
  const double magnitude = exponent == 0 ? std::ldexp(fraction, -14) : std::ldexp(1 + fraction, exponent - 15);
  return (bits & 0x8000U) != 0 ? -magnitude : magnitude;
}

TEST(F16, KeepsEveryValueItHas) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const auto x = static_cast<float>(F16::from_bits(half));
    if ((bits & 0x7C00U) == 0x7C00U) {
      EXPECT_EQ(std::isnan(x), (bits & 0x3FFU) != 0);
      EXPECT_EQ(std::isinf(x), (bits & 0x3FFU) == 0);
      EXPECT_EQ(std::signbit(x), (bits & 0x8000U) != 0);
      if (std::isnan(x)) {
        EXPECT_EQ(F16(x).bits, bits | 0x200U) << "NaNs become quiet";
        continue;
      }
    } else {
      EXPECT_EQ(static_cast<double>(x), half_value(bits)) << bits;
    }
    EXPECT_EQ(F16(x).bits, half);
  }
}

TEST(F16, RoundsToNearestEven) {
  for (std::uint32_t bits = 0; bits < 0x7BFF; ++bits) {
    // Half way between two halves is a float; so are its neighbours.
    const auto tie = static_cast<float>((half_value(bits) + half_value(bits + 1)) / 2);
    ASSERT_EQ(F16(tie).bits, bits + bits % 2) << tie;
    ASSERT_EQ(F16(-tie).bits, (bits + bits % 2) | 0x8000U) << tie;
    ASSERT_EQ(F16(std::nextafter(tie, 0.0F)).bits, bits) << tie;
    ASSERT_EQ(F16(std::nextafter(tie, 1e6F)).bits, bits + 1) << tie;
  }
  EXPECT_EQ(F16(std::nextafter(65520.0F, 0.0F)).bits, 0x7BFF);
  EXPECT_EQ(F16(65520.0F).bits, 0x7C00);
  EXPECT_EQ(F16(-std::numeric_limits<float>::max()).bits, 0xFC00);
  EXPECT_EQ(F16(std::numeric_limits<float>::denorm_min()).bits, 0);
}

TEST(Format, HasRowsOfElements) {
  EXPECT_EQ(row_elements(Format::f32, 7), 7);
  EXPECT_EQ(row_elements(Format::bf16, 7), 7);
  EXPECT_EQ(row_elements(Format::int8, 7), 15);
  EXPECT_EQ(row_elements(Format::int4, 7), 8);
  EXPECT_EQ(row_elements(Format::int4, 8), 8);
  EXPECT_EQ(row_elements(Format::int2, 7), 6);
  EXPECT_EQ(row_elements(Format::int2, 9), 7);
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  for (const Format format : {Format::int8, Format::int4, Format::int2}) {
    EXPECT_EQ(row_elements(format, 0), 0);
    EXPECT_GT(row_elements(format, kMost), 0);
    EXPECT_EQ(element_size(format), 1);
  }
  EXPECT_EQ(row_elements(Format::int8, kMost - 3), kMost);
}

TEST(Format, HasSizesAndNames) {
  const struct {
    Format format;
    std::int64_t size;
    std::string_view name;
  } all[] = {{Format::f32, 4, "f32"},   {Format::bf16, 2, "bf16"},   {Format::f16, 2, "f16"}, {Format::int8, 1, "int8"},
             {Format::int4, 1, "int4"}, {Format::int2, 1, "int2"},   {Format::f64, 8, "f64"}, {Format::i64, 8, "i64"},
             {Format::i32, 4, "i32"},   {Format::low16, 2, "low16"}, {Format::i16, 2, "i16"}, {Format::i8, 1, "i8"},
             {Format::u8, 1, "u8"}};
  for (const auto& [format, size, name] : all) {
    EXPECT_EQ(element_size(format), size) << name;
    EXPECT_EQ(format_name(format), name);
  }
  EXPECT_EQ(element_size(static_cast<Format>(99)), 0);
  EXPECT_EQ(format_name(static_cast<Format>(99)), "unknown");
}

TEST(Format, BelongsToATypeOfElements) {
  static_assert(format_of<float> == Format::f32 && format_of<Bf16> == Format::bf16 && format_of<F16> == Format::f16);
  static_assert(format_of<double> == Format::f64 && format_of<std::int64_t> == Format::i64);
  static_assert(format_of<std::int32_t> == Format::i32 && format_of<std::int16_t> == Format::i16);
  static_assert(format_of<std::int8_t> == Format::i8 && format_of<std::uint8_t> == Format::u8);
  static_assert(!StorageType<char> && !StorageType<std::uint16_t>);
  static_assert(is_float(Format::f16) && !is_float(Format::f64) && is_exact(Format::f64) && is_exact(Format::u8));
  static_assert(!is_exact(Format::low16) && !is_float(Format::low16) && !is_exact(Format::int8));
}

static_assert(!std::constructible_from<TableView, const float*, std::int64_t, std::int64_t>);
static_assert(!std::constructible_from<TableView, const Bf16*, std::int64_t, std::int64_t>);
static_assert(!std::constructible_from<TableView, char*, std::int64_t, std::int64_t>);
static_assert(!std::convertible_to<ConstTableView, TableView> && std::convertible_to<TableView, ConstTableView>);

TEST(TableView, CarriesItsFormat) {
  std::array<Bf16, 12> elements;
  elements.fill(Bf16(2.0F));
  const TableView view(elements.data(), 3, 3, 4, "words");
  EXPECT_EQ(view.format(), Format::bf16);
  EXPECT_EQ(view.bytes(), elements.data());
  EXPECT_EQ(view.data<Bf16>(), elements.data());
  EXPECT_EQ(view.row<Bf16>(2).data(), elements.data() + 8);
  EXPECT_EQ(view.row<Bf16>(2).size(), 3U);

  const ConstTableView read = view;
  EXPECT_EQ(read.format(), Format::bf16);
  EXPECT_EQ(read.data<Bf16>(), elements.data());
  EXPECT_EQ(read.name(), "words");
  EXPECT_EQ(read.row_stride(), 4);
  EXPECT_EQ(ConstTableView(static_cast<const Bf16*>(elements.data()), 3, 4).data<Bf16>(), elements.data());
  EXPECT_EQ(ConstTableView(elements.data(), Format::bf16, 3, 3, 4).row<Bf16>(1).data(), elements.data() + 4);

  EXPECT_EQ(TableView(nullptr, 0, 4).format(), Format::f32);
}

TEST(TableView, IsNotUsedAsAnotherFormat) {
  std::array<float, 4> floats = {1, 2, 3, 4};
  std::array<Bf16, 4> halves = {};
  EXPECT_EQ(TableView(floats.data(), 2, 2).row(1)[0], 3);
  const auto message = [](auto use) -> std::string {
    try {
      use();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::invalid_argument);
      return e.what();
    }
    return "nothing";
  };
  EXPECT_EQ(message([&] { (void)TableView(halves.data(), 2, 2, 2, "words").data(); }),
            "rowmill: a view 'words' of bf16 was used as f32");
  EXPECT_EQ(message([&] { (void)ConstTableView(floats.data(), 2, 2).row<Bf16>(0); }),
            "rowmill: a view of f32 was used as bf16");
}

}  // namespace
}  // namespace rowmill::test
