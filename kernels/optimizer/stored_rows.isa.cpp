// SPDX-License-Identifier: Apache-2.0
#include "kernels/optimizer/stored_rows.hpp"

#include <algorithm>

#include "kernels/simd/formats.hpp"

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

/// The random words of kRandomColumns columns from column c on, of kRows rows.
template <int kRows>
void fill_words(const PhiloxKeys& keys, const StorageArgs& storage, const std::uint64_t (&rows)[kRows], std::int64_t c,
                PhiloxWords (&out)[kRows][4]) {
  const std::uint64_t column = storage.first_column + static_cast<std::uint64_t>(c);
  const auto block = static_cast<std::uint32_t>(column / kRandomColumns * kPhiloxBlocks);
  philox_rows(block, rows, storage.step, keys, out);
  const auto before = static_cast<std::int64_t>(column % kRandomColumns);
  if (before == 0) return;
  // The columns lie in two blocks.
  PhiloxWords next[kRows][4];
  philox_rows(block + kPhiloxBlocks, rows, storage.step, keys, next);
  for (int r = 0; r < kRows; ++r) {
    Half bits[2 * kRandomColumns];
    for (std::int64_t i = 0; i < 2 * kRandomColumns; ++i) {
      const std::int64_t at = i % kRandomColumns;
      const auto& words = i < kRandomColumns ? out[r] : next[r];
      const std::uint32_t word = words[at / kPhiloxBlocks % 4][at % kPhiloxBlocks];
      bits[i] = static_cast<Half>(at < kRandomColumns / 2 ? word : word >> 16);
    }
    for (std::int64_t i = 0; i < 4 * kPhiloxBlocks; ++i) {
      out[r][i / kPhiloxBlocks][i % kPhiloxBlocks] =
          bits[before + i] | std::uint32_t{bits[before + i + kRandomColumns / 2]} << 16;
    }
  }
}

/// to = round(v, random) for each vector of a row.
template <class Round>
void round_row(const StoredTable& table, const StorageArgs& storage, std::int64_t row, std::int64_t dim,
               const float* from, Half* to, Round round) {
  const PhiloxKeys keys = philox_keys(table.key);
  const std::uint64_t number[1] = {storage.first_row + static_cast<std::uint64_t>(row)};
  for (std::int64_t first = 0; first < dim; first += kRandomColumns) {
    alignas(64) PhiloxWords words[1][4];
    fill_words(keys, storage, number, first, words);
    for_each_vector(std::min(dim - first, kRandomColumns), [&](std::int64_t c, auto lanes) {
      store_16_bits(to + first + c, round(load(from + first + c, lanes), random_bits(words[0][0], c)), lanes);
    });
  }
}

void round_row_to_bf16(const StoredTable& table, const StorageArgs& storage, std::int64_t row, std::int64_t dim,
                       const float* from, Half* to) {
  if (storage.rounding == Rounding::nearest) {
    return for_each_vector(
        dim, [=](std::int64_t c, auto lanes) { Bf16Format::store(to + c, load(from + c, lanes), lanes); });
  }
  round_row(table, storage, row, dim, from, to, [](Floats v, Words random) { return round_to_bf16(v, random) >> 16; });
}

void round_row_to_f16(const StoredTable& table, const StorageArgs& storage, std::int64_t row, std::int64_t dim,
                      const float* from, Half* to) {
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
    round_row(table, storage, row, dim, from, to,
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

void fill_random_blocks(const PhiloxKeys& keys, const StorageArgs& storage, const std::int64_t (&rows)[kRandomRows],
                        std::int64_t dim, RandomBlock* blocks) {
  std::uint64_t numbers[kRandomRows];
  for (int r = 0; r < kRandomRows; ++r) numbers[r] = storage.first_row + static_cast<std::uint64_t>(rows[r]);
  for (std::int64_t c = 0; c < dim; c += kRandomColumns) {
    fill_words(keys, storage, numbers, c, blocks[c / kRandomColumns].words);
  }
}

void close_row(const StoredTable& table, const StorageArgs& storage, std::int64_t row, std::int64_t dim,
               const float* scratch) {
  if (table.format == Format::f32) return;
  Half* const to = row_of<Half>(table.data, row, table.stride);
  if (table.low != nullptr) return split_row(scratch, dim, to, row_of<Half>(table.low, row, dim));
  if (table.format == Format::bf16) return round_row_to_bf16(table, storage, row, dim, scratch, to);
  round_row_to_f16(table, storage, row, dim, scratch, to);
}

}  // namespace rowmill::ROWMILL_ISA
