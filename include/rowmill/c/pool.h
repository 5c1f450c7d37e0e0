/* SPDX-License-Identifier: Apache-2.0 */
/* Pooled lookups. A part of rowmill/c.h. */
#ifndef ROWMILL_C_POOL_H
#define ROWMILL_C_POOL_H

#include "rowmill/c/ids.h"
#include "rowmill/c/views.h"
#include "rowmill/c/workspace.h"

ROWMILL_BEGIN_C

/* How a bag's rows become one. */
typedef int32_t rowmill_pooling;
enum { ROWMILL_POOL_SUM = 0, ROWMILL_POOL_MEAN = 1 };

typedef struct rowmill_pool_options {
  size_t struct_size;
  rowmill_pooling pooling;
  rowmill_out_of_range out_of_range; /* under ROWMILL_RANGE_ZERO an id out of range is left out, and not counted */
} rowmill_pool_options;

/* Fills in the defaults: ROWMILL_POOL_SUM, ROWMILL_RANGE_ERROR. */
rowmill_status rowmill_pool_options_init(rowmill_pool_options* options, size_t struct_size) ROWMILL_NOEXCEPT;

/* Pooled lookups: the forward pass of an embedding bag.
 *
 *     for b in 0 .. bags.size-1:
 *       rows = [table[id, :] for id in bag b]
 *       out[b, :] = rows[0] + rows[1] + ...             # in this order; zero for an empty bag
 *       out[b, :] = out[b, :] / len(rows)               # ROWMILL_POOL_MEAN only
 *
 * Shapes: table rows x dim; out bags.size x dim, which is written. Only policies other than ROWMILL_RANGE_ERROR need a
 * workspace. Reads of one table may run at the same time; a write to it meanwhile is a race.
 * Errors: a view, the ids or the offsets are null (and not empty) or bad, or bags.size is not what offsets.count says
 * (ROWMILL_INVALID_ARGUMENT); size x length is not ids.count, or out has another shape (ROWMILL_SHAPE_MISMATCH); out
 * shares an element with table, ids or offsets, or its rows with each other (ROWMILL_OVERLAP); an id is out of range
 * (ROWMILL_ID_OUT_OF_RANGE); ROWMILL_OUT_OF_MEMORY; ROWMILL_UNSUPPORTED_ISA. */
rowmill_status rowmill_pool(const rowmill_view* table, const rowmill_bags* bags, const rowmill_view* out,
                            const rowmill_pool_options* options, rowmill_workspace* workspace) ROWMILL_NOEXCEPT;

/* The bytes of workspace that a rowmill_pool of `id_count` ids uses at most; 0 if id_count is not in 0 .. 2^56. */
size_t rowmill_pool_memory_required(int64_t id_count) ROWMILL_NOEXCEPT;

ROWMILL_END_C

#endif /* ROWMILL_C_POOL_H */
