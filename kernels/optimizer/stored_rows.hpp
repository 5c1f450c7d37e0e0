// SPDX-License-Identifier: Apache-2.0
// Rows of tables of any format as floats, for a step. Included by *.isa.cpp files only; functions of their own, because
// all optimizers share them.
#pragma once

#include <cstdint>

#include "kernels/optimizer/storage_args.hpp"
#include "kernels/random/philox_blocks.hpp"
#include "kernels/simd/stochastic.hpp"

namespace rowmill::ROWMILL_ISA {

/// Row `row` as floats: where it is, if it holds floats, or in `scratch`.
float* open_row(const StoredTable& table, std::int64_t row, std::int64_t dim, float* scratch);

/// A row of f32, bf16 or f16 as floats: where it is, or in `scratch`.
const float* as_floats(const void* row, Format format, std::int64_t dim, float* scratch);

/// Rounds the floats of a row that open_row() read into `scratch` to the table's format, as `storage` says. Of weights,
/// float16 overflows as it says, too; of states never.
void close_row(const StoredTable& table, const StorageArgs& storage, std::int64_t row, std::int64_t dim,
               const float* scratch);

inline constexpr std::int64_t kRandomColumns = 8 * kPhiloxBlocks;  // that have their random bits of the same counters
inline constexpr int kRandomRows = 2;                              // whose bits are made side by side

/// The random words of kRandomColumns columns of some rows: see include/rowmill/random.hpp. They lie as those of the
/// first columns of a table, wherever the columns are.
struct RandomBlock {
  PhiloxWords words[kRandomRows][4];
};

/// The random words of `dim` columns of `rows`: a block for each kRandomColumns of them.
void fill_random_blocks(const PhiloxKeys& keys, const StorageArgs& storage, const std::int64_t (&rows)[kRandomRows],
                        std::int64_t dim, RandomBlock* blocks);

namespace {

/// The 16 random bits of each column of a vector, columns c and on of a row whose words begin at `words`.
[[gnu::always_inline]] inline Words random_bits(const std::uint32_t* words, std::int64_t c) {
  constexpr std::int64_t kStride = sizeof(RandomBlock) / sizeof(*words);
  Words both;
  __builtin_memcpy(&both, words + c / kRandomColumns * kStride + c % (kRandomColumns / 2), sizeof both);
  return c % kRandomColumns < kRandomColumns / 2 ? both & 0xFFFFU : both >> 16;
}

}  // namespace
}  // namespace rowmill::ROWMILL_ISA
