/* SPDX-License-Identifier: Apache-2.0 */
/* Conversions between formats. A part of rowmill/c.h. */
#ifndef ROWMILL_C_CONVERT_H
#define ROWMILL_C_CONVERT_H

#include "rowmill/c/views.h"
#include "rowmill/c/workspace.h"

ROWMILL_BEGIN_C

/* How many elements a row of dim columns takes: dim, or for quantised formats the bytes of its codes, scale and bias in
 * FBGEMM's layouts: dim + 8 for ROWMILL_INT8, dim / 2 + 4 for ROWMILL_INT4 and dim / 4 + 4 for ROWMILL_INT2, rounded
 * up. -1 for an unknown format or dim < 0. */
int64_t rowmill_row_elements(rowmill_format format, int64_t dim) ROWMILL_NOEXCEPT;

/* Copies a table into one of another format, or of the same. Rows are quantised as FBGEMM does it.
 *
 *     for r in 0 .. from.rows-1:
 *       to[r, :] = from[r, :], in the format of to
 *
 * Shapes: both rows x dim; to is written. In place: to may begin where from does if its rows are no further apart, in
 * bytes; the new rows replace the old ones. The workspace, or NULL, holds scratch memory where rows that are not
 * ROWMILL_FLOAT32 are quantised.
 * Errors: a view is bad, one format is not converted into the other, or a row that is to be quantised has an infinite
 * value, a NaN, or a range too large for its scale and bias (ROWMILL_INVALID_ARGUMENT); the shapes differ
 * (ROWMILL_SHAPE_MISMATCH); the views share elements but not in place, or the rows of to share some with each other
 * (ROWMILL_OVERLAP); ROWMILL_OUT_OF_MEMORY; ROWMILL_UNSUPPORTED_ISA. */
rowmill_status rowmill_convert(const rowmill_view* from, const rowmill_view* to,
                               rowmill_workspace* workspace) ROWMILL_NOEXCEPT;

/* Splits floats into the two tables of an optimizer with a split storage: the upper halves are ROWMILL_BFLOAT16, the
 * lower ones ROWMILL_LOW16; a NaN becomes quiet. And joins such tables again. Shapes: all rows x dim.
 * Errors: a view is bad or has another format (ROWMILL_INVALID_ARGUMENT), ROWMILL_SHAPE_MISMATCH, ROWMILL_OVERLAP. */
rowmill_status rowmill_split(const rowmill_view* from, const rowmill_view* upper,
                             const rowmill_view* low) ROWMILL_NOEXCEPT;
rowmill_status rowmill_join_split(const rowmill_view* upper, const rowmill_view* low,
                                  const rowmill_view* out) ROWMILL_NOEXCEPT;

/* Makes a table of ROWMILL_INT8, ROWMILL_INT4 or ROWMILL_INT2 of codes, scales and zero points that lie apart, as in
 * PyTorch's quint8 and quint4x2 tensors: a row's bias is -zero_point * scale. Shapes: codes ROWMILL_U8, rows x the
 * bytes of a row's codes: dim, dim / 2 or dim / 4, rounded up; scales and zero_points have to->rows values. Errors: a
 * view is bad or has another format, or a scale or a bias is not finite (ROWMILL_INVALID_ARGUMENT);
 * ROWMILL_SHAPE_MISMATCH; ROWMILL_OVERLAP. */
rowmill_status rowmill_join_codes(const rowmill_view* codes, const float* scales, const float* zero_points,
                                  const rowmill_view* to) ROWMILL_NOEXCEPT;

ROWMILL_END_C

#endif /* ROWMILL_C_CONVERT_H */
