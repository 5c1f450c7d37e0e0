// SPDX-License-Identifier: Apache-2.0
// Rows of tables of any format as floats, for a step. Included by *.isa.cpp files only; functions of their own, because
// all optimizers share them.
#pragma once

#include <cstdint>

#include "kernels/optimizer/storage_args.hpp"

namespace rowmill::ROWMILL_ISA {

/// Row `row` as floats: where it is, if it holds floats, or in `scratch`.
float* open_row(const StoredTable& table, std::int64_t row, std::int64_t dim, float* scratch);

/// A row of f32, bf16 or f16 as floats: where it is, or in `scratch`.
const float* as_floats(const void* row, Format format, std::int64_t dim, float* scratch);

/// Rounds the floats of a row that open_row() read into `scratch` to the table's format, as `storage` says. Of weights,
/// float16 overflows as it says, too; of states never. `spare` has room for as many floats.
void close_row(const StoredTable& table, const StorageArgs& storage, std::int64_t row, std::int64_t dim,
               const float* scratch, float* spare);

/// The 16 random bits of each column of a row, `dim` of them: see include/rowmill/random.hpp.
void random_bits_of_row(const StoredTable& table, const StorageArgs& storage, std::int64_t row, std::int64_t dim,
                        std::uint16_t* bits);

}  // namespace rowmill::ROWMILL_ISA
