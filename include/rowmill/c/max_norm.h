/* SPDX-License-Identifier: Apache-2.0 */
/* Scaling rows down to a norm before a lookup. A part of rowmill/c.h. */
#ifndef ROWMILL_C_MAX_NORM_H
#define ROWMILL_C_MAX_NORM_H

#include "rowmill/c/ids.h"
#include "rowmill/c/views.h"
#include "rowmill/c/workspace.h"

ROWMILL_BEGIN_C

/* The norm of a row. */
typedef int32_t rowmill_norm;
enum {
  ROWMILL_NORM_ONE = 0,     /* the sum of |x| */
  ROWMILL_NORM_TWO = 1,     /* the root of the sum of x * x */
  ROWMILL_NORM_INFINITY = 2 /* the largest |x| */
};

typedef struct rowmill_max_norm_options {
  size_t struct_size;
  double max_norm; /* 1; allowed: 0 to 3.4e38 */
  rowmill_norm norm;
  rowmill_out_of_range out_of_range;
  int32_t has_padding_id; /* not 0: the row of padding_id, if there is one, stays as it is */
  int32_t reserved;       /* 0 */
  int64_t padding_id;
} rowmill_max_norm_options;

/* Fills in the defaults: max_norm 1, ROWMILL_NORM_TWO, ROWMILL_RANGE_ERROR, no padding. */
rowmill_status rowmill_max_norm_options_init(rowmill_max_norm_options* options, size_t struct_size) ROWMILL_NOEXCEPT;

/* Scales the rows that are about to be looked up down to a norm, as torch.nn.functional.embedding with a max_norm.
 *
 *     for each distinct row r of the ids:                    # once each, however often it occurs
 *       if norm(table[r, :]) > max_norm: table[r, :] *= max_norm / (norm(table[r, :]) + 1e-7)
 *
 * It writes the table: no other call may read or write those rows meanwhile.
 * Errors: the table, the ids or the offsets are bad, the table has another format than ROWMILL_FLOAT32,
 * ROWMILL_BFLOAT16, ROWMILL_FLOAT16 or ROWMILL_FLOAT64, or an option is out of its range (ROWMILL_INVALID_ARGUMENT);
 * size x length is not ids.count (ROWMILL_SHAPE_MISMATCH); the table shares an element with
 * ids or offsets, or its rows with each other (ROWMILL_OVERLAP); ROWMILL_ID_OUT_OF_RANGE; ROWMILL_OUT_OF_MEMORY;
 * ROWMILL_UNSUPPORTED_ISA. */
rowmill_status rowmill_renormalize(const rowmill_view* table, const rowmill_ids* ids,
                                   const rowmill_max_norm_options* options,
                                   rowmill_workspace* workspace) ROWMILL_NOEXCEPT;
rowmill_status rowmill_renormalize_bags(const rowmill_view* table, const rowmill_bags* bags,
                                        const rowmill_max_norm_options* options,
                                        rowmill_workspace* workspace) ROWMILL_NOEXCEPT;

/* The bytes of workspace that either uses at most for `id_count` ids; 0 if id_count is not in 0 .. 2^56. */
size_t rowmill_renormalize_memory_required(int64_t id_count) ROWMILL_NOEXCEPT;

ROWMILL_END_C

#endif /* ROWMILL_C_MAX_NORM_H */
