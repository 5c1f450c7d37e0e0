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
/// Within one format rows are copied as they are. Otherwise:
/// - f32, bf16, f16 and quantised formats become f32, bf16 or f16: each value is rounded once;
/// - the same become int8, int4 or int2: each row is quantised as FBGEMM does it. Its scale and bias follow from its
///   smallest and its largest value, and each value becomes the nearest code (docs/numerics.md, "Quantised rows");
/// - f64 becomes f32, bf16 or f16, and these become f64: each value is rounded once.
///
/// Shapes: both rows x dim. Runs in the caller's oneTBB arena. What lies between the rows of `to` is not written. Reads
/// of `from` may run concurrently.
///
/// In place: `to` may begin at the byte where `from` begins if its rows are no further apart, in bytes. The new rows
/// replace the old ones. The call then allocates 1 MiB, or one row of `to` if that is longer.
///
/// To quantise rows that are not f32, each thread first widens a block of them. `workspace`, if given, holds these
/// blocks and serves this call alone; otherwise their memory is allocated.
///
/// Throws Error, and writes nothing, if
/// - a view is bad, or one format is not converted into the other (invalid_argument);
/// - the shapes differ (shape_mismatch);
/// - the views share elements but not in place, or the rows of `to` share some with each other (overlap);
/// - a row that is to be quantised has an infinite value or a NaN, or its range is too large for a scale and a bias of
///   float32 (int8) or float16, at most 65504 (int4, int2): the lowest such row, and its column (invalid_argument);
/// - the system refuses the scratch memory (out_of_memory);
/// - ROWMILL_ISA is wrong (unsupported_isa).
void convert(const ConstTableView& from, const TableView& to, Workspace* workspace = nullptr);

/// Splits floats into the two tables of an optimizer with StorageOptions::split: the upper 16 bits of each float, which
/// are a bf16 table, and the lower 16.
///
///     upper[r, c], low[r, c] = bits(from[r, c]) >> 16, bits(from[r, c]) & 0xFFFF       # a NaN becomes quiet
///
/// Shapes: all rows x dim; `from` is f32, `upper` bf16, `low` Format::low16. Runs in the caller's oneTBB arena.
/// Throws Error, and writes nothing, if a view is bad or has another format (invalid_argument), the shapes differ
/// (shape_mismatch), or the views share elements (overlap).
void split(const ConstTableView& from, const TableView& upper, const TableView& low);

/// Joins the two tables again: bits(out[r, c]) = upper[r, c] << 16 | low[r, c]. Throws as split().
void join_split(const ConstTableView& upper, const ConstTableView& low, const TableView& out);

/// Makes a quantised table of codes, scales and zero points that lie apart. PyTorch's quint8 and quint4x2 tensors
/// that are quantised by rows have them so: `int_repr()`, `q_per_channel_scales()`, `q_per_channel_zero_points()`.
///
///     for r in 0 .. to.rows()-1:
///       codes of to[r, :] = codes[r, :]
///       scale of to[r, :] = scales[r]
///       bias of to[r, :]  = -zero_points[r] * scales[r]        # rounded to float32
///
/// int4 and int2 then round the scale and the bias to float16. Shapes: `to` rows x dim of int8, int4 or int2; `codes`
/// u8, rows x the bytes of a row's codes, as row_elements() lays them out: dim for int8, dim / 2 for int4 and dim / 4
/// for int2, rounded up; `scales` and `zero_points` have a value for each row.
///
/// Throws Error, and writes nothing, if a view is bad or has another format, or a scale or a bias is not finite in the
/// format that holds it (invalid_argument, with the row), the shapes differ (shape_mismatch), or `to` shares memory
/// with another argument (overlap).
void join_codes(const ConstTableView& codes, std::span<const float> scales, std::span<const float> zero_points,
                const TableView& to);

}  // namespace rowmill
