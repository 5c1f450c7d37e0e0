/* SPDX-License-Identifier: Apache-2.0 */
/* Lookups. A part of rowmill/c.h. */
#ifndef ROWMILL_C_GATHER_H
#define ROWMILL_C_GATHER_H

#include "rowmill/c/ids.h"
#include "rowmill/c/views.h"

ROWMILL_BEGIN_C

/* How a large output is written: streaming stores bypass the caches. */
typedef int32_t rowmill_stores;
enum {
  ROWMILL_STORES_AUTOMATIC = 0, /* streaming if the output is larger than the threads' share of the caches */
  ROWMILL_STORES_ORDINARY = 1,
  ROWMILL_STORES_STREAMING = 2 /* where rows are aligned to the vector width; ordinary elsewhere */
};

typedef struct rowmill_gather_options {
  size_t struct_size;
  rowmill_out_of_range out_of_range;
  rowmill_stores stores;
} rowmill_gather_options;

/* Fills in the defaults: ROWMILL_RANGE_ERROR, ROWMILL_STORES_AUTOMATIC. */
rowmill_status rowmill_gather_options_init(rowmill_gather_options* options, size_t struct_size) ROWMILL_NOEXCEPT;

/* Copies table rows: the lookup of an embedding layer.
 *
 *     for i in 0 .. ids.count-1:
 *       out[i, :] = table[ids[i], :]
 *
 * table may have any format but ROWMILL_LOW16, and out is ROWMILL_FLOAT32, ROWMILL_BFLOAT16 or ROWMILL_FLOAT16. A table
 * of ROWMILL_FLOAT64 or integers needs an out of its own format.
 * Shapes: table rows x dim; out ids.count x dim, which is written. Reads of one table may run at the same time; a write
 * to it meanwhile is a race.
 * Errors: a view or the ids are bad, or a format is none of these (ROWMILL_INVALID_ARGUMENT); out has another shape
 * (ROWMILL_SHAPE_MISMATCH); out shares an element with table or ids, or its rows with each other (ROWMILL_OVERLAP); an
 * id is out of range (ROWMILL_ID_OUT_OF_RANGE); ROWMILL_UNSUPPORTED_ISA. */
rowmill_status rowmill_gather(const rowmill_view* table, const rowmill_ids* ids, const rowmill_view* out,
                              const rowmill_gather_options* options) ROWMILL_NOEXCEPT;

ROWMILL_END_C

#endif /* ROWMILL_C_GATHER_H */
