// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "rowmill/table_view.hpp"
#include "rowmill/workspace.hpp"

namespace rowmill {

/// Copies a table into one of another format, or of the same.
///
///     for r in 0 .. from.rows()-1:
///       to[r, :] = from[r, :], in the format of `to`
///
/// Into f32, bf16 and f16 each value is rounded once; from quantised formats that is dequantising. Into int8, int4 and
/// int2 each row is quantised as FBGEMM does it: the scale and bias follow from its smallest and its largest value, and
/// each value becomes the nearest code (docs/numerics.md, "Quantised rows"). One quantised format into another goes by
/// way of float32. Between f64 and f32, bf16 or f16 each value is rounded once; f64 is not quantised. Integers are
/// copied alone. Within one format rows are copied as they are.
///
/// Shapes: both rows x dim. Runs in the caller's oneTBB arena. What lies between the rows of `to` is not written.
///
/// In place: `to` may begin at the byte where `from` begins if its rows are no further apart, in bytes. It then has the
/// new rows, and the old ones are lost; 1 MiB, or a row of `to` that is longer, is allocated meanwhile.
///
/// Where rows that are not f32 are quantised, some for each thread are widened first: `workspace`, if given, holds
/// them, and serves this call alone; else memory is allocated. Reads of `from` may run concurrently.
///
/// Throws Error, and writes nothing, if
/// - a view is null (and not empty), has a negative dim or number of rows, or a size that overflows, or one
///   format is not converted into the other (invalid_argument);
/// - the shapes differ (shape_mismatch);
/// - the views share elements in another way, or the rows of `to` do with each other (overlap);
/// - a row that is to be quantised has an infinite value or a NaN, or its range is too large for a scale and a bias of
///   float32 (int8) or float16, at most 65504 (int4, int2): the lowest such row, and its column (invalid_argument);
/// - the system refuses the scratch memory (out_of_memory);
/// - ROWMILL_ISA is wrong (unsupported_isa).
void convert(const ConstTableView& from, const TableView& to, Workspace* workspace = nullptr);

/// Floats as the two tables of an optimizer with StorageOptions::split: the upper 16 bits of each, which are a bf16
/// table, and the lower.
///
///     upper[r, c], low[r, c] = bits(from[r, c]) >> 16, bits(from[r, c]) & 0xFFFF       # a NaN becomes quiet
///
/// Shapes: all rows x dim; `from` is f32, `upper` bf16, `low` Format::low16. Runs in the caller's oneTBB arena.
/// Throws Error, and writes nothing, if a view is bad or has another format (invalid_argument), the shapes differ
/// (shape_mismatch), or the views share elements (overlap).
void split(const ConstTableView& from, const TableView& upper, const TableView& low);

/// The floats of such tables: bits(out[r, c]) = upper[r, c] << 16 | low[r, c]. Throws as split().
void join_split(const ConstTableView& upper, const ConstTableView& low, const TableView& out);

/// Codes with a scale and a zero point for each row, as PyTorch's quint8 and quint4x2 tensors have them that are
/// quantised by rows (`int_repr()`, `q_per_channel_scales()`, `q_per_channel_zero_points()`), as a quantised table.
///
///     for r in 0 .. to.rows()-1:
///       the codes of to[r, :] = codes[r, :], and its scale = scales[r], its bias = -zero_points[r] * scales[r]
///
/// int4 and int2 round the scale and the bias to float16, once, the bias after the product was rounded to float32.
/// Shapes: `to` rows x dim of int8, int4 or int2; `codes` u8, rows x the bytes of a row's codes: dim for int8, dim / 2
/// for int4, whose even columns are in the low bits, and dim / 4 for int2, rounded up; `scales` and `zero_points` have
/// a value for each row. Throws Error, and writes nothing, if a view is bad or has another format, or a scale or a bias
/// is not finite in the format that holds it (invalid_argument, with the row), the shapes differ (shape_mismatch), or
/// `to` shares memory with another argument (overlap).
void join_codes(const ConstTableView& codes, std::span<const float> scales, std::span<const float> zero_points,
                const TableView& to);

}  // namespace rowmill
