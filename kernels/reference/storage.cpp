// SPDX-License-Identifier: Apache-2.0
// Values of 16 bits: how floats are rounded to them, and how tables of a step store them.
#include <bit>
#include <cmath>

#include "kernels/reference/reference.hpp"

namespace rowmill::reference {
namespace {

template <class Value>
Value& element(const StoredTable& table, std::int64_t row, std::int64_t c) {
  return static_cast<Value*>(table.data)[row * table.stride + c];
}

std::uint16_t& low_half(const StoredTable& table, std::int64_t row, std::int64_t c, std::int64_t dim) {
  return static_cast<std::uint16_t*>(table.low)[row * dim + c];
}

}  // namespace

Bf16 round_to_bf16(float x, std::optional<std::uint32_t> random) {
  if (!random || !std::isfinite(x)) return Bf16(x);
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t sum = (bits & 0x7FFFFFFFU) + *random;
  const std::uint32_t finite = sum > 0x7F7FFFFFU ? 0x7F7FFFFFU : sum;
  return Bf16::from_bits(static_cast<std::uint16_t>(((bits & 0x80000000U) | finite) >> 16));
}

F16 round_to_f16(float x, std::optional<std::uint32_t> random) {
  if (!random || !std::isfinite(x)) return F16(x);
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  const std::uint32_t added = *random >> 3;
  std::uint32_t half = 0;
  if (std::abs(x) >= 0x1p-14F) {
    half = (magnitude + added - ((127U - 15U) << 23)) >> 13;
  } else {
    half = static_cast<std::uint32_t>(std::abs(x) * 0x1p24F + static_cast<float>(added) * 0x1p-13F);
  }
  if (half > 0x7C00U) half = 0x7C00U;
  return F16::from_bits(static_cast<std::uint16_t>((bits >> 16 & 0x8000U) | half));
}

float load_stored(const StoredTable& table, std::int64_t row, std::int64_t c, std::int64_t dim) {
  if (table.format == Format::f32) return element<float>(table, row, c);
  if (table.format == Format::f16) return static_cast<float>(element<F16>(table, row, c));
  const Bf16 upper = element<Bf16>(table, row, c);
  if (table.low == nullptr) return static_cast<float>(upper);
  return std::bit_cast<float>(std::uint32_t{upper.bits} << 16 | low_half(table, row, c, dim));
}

void store_stored(const StoredTable& table, const StorageArgs& storage, std::int64_t row, std::int64_t c,
                  std::int64_t dim, float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  std::optional<std::uint32_t> random;
  if (storage.rounding == Rounding::stochastic) {
    random = random_bits({table.key[0], table.key[1]}, storage.first_row + static_cast<std::uint64_t>(row),
                         storage.first_column + static_cast<std::uint64_t>(c), storage.step);
  }
  if (table.format == Format::f32) {
    element<float>(table, row, c) = x;
  } else if (table.low != nullptr) {
    element<Bf16>(table, row, c) = Bf16::from_bits(static_cast<std::uint16_t>(bits >> 16));
    low_half(table, row, c, dim) = static_cast<std::uint16_t>(bits);
  } else if (table.format == Format::bf16) {
    element<Bf16>(table, row, c) = round_to_bf16(x, random);
  } else {
    F16 half = round_to_f16(x, random);
    const bool is_infinite = (half.bits & 0x7FFFU) == 0x7C00U;
    if (is_infinite && storage.overflow == Overflow::saturate) --half.bits;
    if (is_infinite && storage.overflow == Overflow::error) *storage.overflowed = true;
    element<F16>(table, row, c) = half;
  }
}

}  // namespace rowmill::reference
