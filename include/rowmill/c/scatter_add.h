/* SPDX-License-Identifier: Apache-2.0 */
/* Adding rows into a table. A part of rowmill/c.h. */
#ifndef ROWMILL_C_SCATTER_ADD_H
#define ROWMILL_C_SCATTER_ADD_H

#include "rowmill/c/ids.h"
#include "rowmill/c/plan.h"
#include "rowmill/c/views.h"
#include "rowmill/c/workspace.h"

ROWMILL_BEGIN_C

typedef struct rowmill_scatter_add_options {
  size_t struct_size;
  rowmill_out_of_range out_of_range;
  int32_t reserved; /* 0 */
} rowmill_scatter_add_options;

/* Fills in the default: ROWMILL_RANGE_ERROR. */
rowmill_status rowmill_scatter_add_options_init(rowmill_scatter_add_options* options,
                                                size_t struct_size) ROWMILL_NOEXCEPT;

/* Adds rows into a table.
 *
 *     for i in 0 .. ids.count-1:                  # in this order, whatever the thread count
 *       table[ids[i], :] += values[i, :]
 *
 * table and values are ROWMILL_FLOAT32, ROWMILL_BFLOAT16 or ROWMILL_FLOAT16, and may differ; values of a table of
 * ROWMILL_FLOAT64 or integers have its format.
 * Shapes: table rows x dim, which is written; values ids.count x dim. No other call may use those rows meanwhile.
 * If the system refuses scratch memory, the calling thread does the work without it.
 * Errors: a view or the ids are bad, or a format is none of these (ROWMILL_INVALID_ARGUMENT); values have another shape
 * (ROWMILL_SHAPE_MISMATCH); table shares an element with values or ids, or its rows with each other (ROWMILL_OVERLAP);
 * an id is out of range (ROWMILL_ID_OUT_OF_RANGE); ROWMILL_UNSUPPORTED_ISA. */
rowmill_status rowmill_scatter_add(const rowmill_view* table, const rowmill_ids* ids, const rowmill_view* values,
                                   const rowmill_scatter_add_options* options,
                                   rowmill_workspace* workspace) ROWMILL_NOEXCEPT;

/* The same with a plan, whose policy applies: nothing is planned or allocated.
 * Errors: also a plan for another number of rows, or of gradient rows (ROWMILL_SHAPE_MISMATCH), or one whose
 * coefficients do not serve the table's format (ROWMILL_INVALID_ARGUMENT). */
rowmill_status rowmill_scatter_add_planned(const rowmill_view* table, const rowmill_plan* plan,
                                           const rowmill_view* values) ROWMILL_NOEXCEPT;

/* The bytes of workspace that a rowmill_scatter_add of `id_count` ids uses at most; 0 if id_count is not in 0 .. 2^56.
 */
size_t rowmill_scatter_add_memory_required(int64_t id_count) ROWMILL_NOEXCEPT;

ROWMILL_END_C

#endif /* ROWMILL_C_SCATTER_ADD_H */
