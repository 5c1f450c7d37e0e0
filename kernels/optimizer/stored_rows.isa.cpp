// SPDX-License-Identifier: Apache-2.0
#include "kernels/optimizer/stored_rows.hpp"

#include "kernels/random/philox_blocks.hpp"
#include "kernels/simd/formats.hpp"
#include "kernels/simd/stochastic.hpp"

namespace rowmill::ROWMILL_ISA {
namespace {

using Half = std::uint16_t;

template <class Row>
Row* row_of(void* data, std::int64_t row, std::int64_t stride) {
  return static_cast<Row*>(data) + row * stride;
}

template <class Of>
void widen_row(const Half* from, std::int64_t dim, float* to) {
  for_each_vector(dim, [=](std::int64_t c, auto lanes) { store(to + c, Of::load(from + c, lanes), lanes); });
}

void join_row(const Half* upper, const Half* low, std::int64_t dim, float* to) {
  for_each_vector(dim, [=](std::int64_t c, auto lanes) {
    Floats joined[1];
    load_split(upper + c, low + c, joined, lanes);
    store(to + c, joined[0], lanes);
  });
}

void split_row(const float* from, std::int64_t dim, Half* upper, Half* low) {
  for_each_vector(dim, [=](std::int64_t c, auto lanes) {
    const Floats split[1] = {load(from + c, lanes)};
    store_split(upper + c, low + c, split, lanes);
  });
}

constexpr std::int64_t kBlockColumns = 8 * kPhiloxBlocks;  // of a row, that have random bits together

/// The 16 random bits of the first `count` columns of block b, which are full vectors: see include/rowmill/random.hpp.
/// Not inlined: it would then keep the keys where they are slow.
[[gnu::noinline]] void fill_bits(const PhiloxKeys& keys, const StorageArgs& storage, std::uint64_t row, std::uint64_t b,
                                 std::int64_t count, Half* bits) {
  alignas(64) PhiloxWords words[4];
  philox_blocks({static_cast<std::uint32_t>(b * kPhiloxBlocks), static_cast<std::uint32_t>(row),
                 static_cast<std::uint32_t>(row >> 32), storage.step},
                keys, words);
  for (std::int64_t c = 0; c < count; c += kLanes) {
    Words both;
    __builtin_memcpy(&both, words[c / kPhiloxBlocks % 4] + c % kPhiloxBlocks, sizeof both);
    store_16_bits(bits + c, c < kBlockColumns / 2 ? both : both >> 16, FullVector{});
  }
}

/// to = round(v, random) for each vector of a row.
template <class Round>
void round_row(const StoredTable& table, const StorageArgs& storage, std::int64_t row, std::int64_t dim,
               const float* from, Half* bits, Half* to, Round round) {
  random_bits_of_row(table, storage, row, dim, bits);
  for_each_vector(dim, [&](std::int64_t c, auto lanes) {
    store_16_bits(to + c, round(load(from + c, lanes), load_16_bits(bits + c, lanes)), lanes);
  });
}

void round_row_to_bf16(const StoredTable& table, const StorageArgs& storage, std::int64_t row, std::int64_t dim,
                       const float* from, Half* bits, Half* to) {
  if (storage.rounding == Rounding::nearest) {
    return for_each_vector(
        dim, [=](std::int64_t c, auto lanes) { Bf16Format::store(to + c, load(from + c, lanes), lanes); });
  }
  round_row(table, storage, row, dim, from, bits, to,
            [](Floats v, Words random) { return round_to_bf16(v, random) >> 16; });
}

void round_row_to_f16(const StoredTable& table, const StorageArgs& storage, std::int64_t row, std::int64_t dim,
                      const float* from, Half* bits, Half* to) {
  const Words saturates = Words{} + (storage.overflow == Overflow::saturate ? 1U : 0U);
  Words infinite = {};
  const auto limit = [&](Words half) {
    const Words beyond = __builtin_bit_cast(Words, as_signed(half & 0x7FFFU) == 0x7C00);
    infinite |= beyond;
    return half - (beyond & saturates);  // the number before infinity is 65504
  };
  if (storage.rounding == Rounding::nearest) {
    for_each_vector(dim, [&](std::int64_t c, auto lanes) {
      store_16_bits(to + c, limit(round_to_f16(load(from + c, lanes))), lanes);
    });
  } else {
    round_row(table, storage, row, dim, from, bits, to,
              [&](Floats v, Words random) { return limit(round_to_f16(v, random)); });
  }
  if (storage.overflow != Overflow::error) return;
  bool any = false;
  for (std::int64_t i = 0; i < kLanes; ++i) any = any || infinite[i] != 0;
  if (any) *storage.overflowed = true;
}

}  // namespace

float* open_row(const StoredTable& table, std::int64_t row, std::int64_t dim, float* scratch) {
  if (table.format == Format::f32) return row_of<float>(table.data, row, table.stride);
  const Half* const from = row_of<Half>(table.data, row, table.stride);
  if (table.low != nullptr) {
    join_row(from, row_of<Half>(table.low, row, dim), dim, scratch);
  } else if (table.format == Format::bf16) {
    widen_row<Bf16Format>(from, dim, scratch);
  } else {
    widen_row<F16Format>(from, dim, scratch);
  }
  return scratch;
}

const float* as_floats(const void* row, Format format, std::int64_t dim, float* scratch) {
  if (format == Format::f32) return static_cast<const float*>(row);
  const auto* const halves = static_cast<const Half*>(row);
  format == Format::bf16 ? widen_row<Bf16Format>(halves, dim, scratch) : widen_row<F16Format>(halves, dim, scratch);
  return scratch;
}

void random_bits_of_row(const StoredTable& table, const StorageArgs& storage, std::int64_t row, std::int64_t dim,
                        Half* bits) {
  const PhiloxKeys keys(table.key);
  const std::uint64_t number = storage.first_row + static_cast<std::uint64_t>(row);
  for (std::int64_t c = 0; c < dim;) {
    const std::uint64_t column = storage.first_column + static_cast<std::uint64_t>(c);
    const auto first = static_cast<std::int64_t>(column % kBlockColumns);
    const std::int64_t count = dim - c < kBlockColumns - first ? dim - c : kBlockColumns - first;
    if (first == 0 && count % kLanes == 0) {
      fill_bits(keys, storage, number, column / kBlockColumns, count, bits + c);
    } else {
      alignas(64) Half block[kBlockColumns];
      fill_bits(keys, storage, number, column / kBlockColumns, kBlockColumns, block);
      __builtin_memcpy(bits + c, block + first, static_cast<std::size_t>(count) * sizeof *bits);
    }
    c += count;
  }
}

void close_row(const StoredTable& table, const StorageArgs& storage, std::int64_t row, std::int64_t dim,
               const float* scratch, float* spare) {
  if (table.format == Format::f32) return;
  Half* const to = row_of<Half>(table.data, row, table.stride);
  if (table.low != nullptr) return split_row(scratch, dim, to, row_of<Half>(table.low, row, dim));
  Half* const bits = reinterpret_cast<Half*>(spare);
  if (table.format == Format::bf16) return round_row_to_bf16(table, storage, row, dim, scratch, bits, to);
  round_row_to_f16(table, storage, row, dim, scratch, bits, to);
}

}  // namespace rowmill::ROWMILL_ISA
