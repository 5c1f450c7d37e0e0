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
enum {
  ROWMILL_POOL_SUM = 0,
  ROWMILL_POOL_MEAN = 1,  /* the sum divided by the number of rows */
  ROWMILL_POOL_SQRTN = 2, /* the sum divided by the root of that number */
  ROWMILL_POOL_MAX = 3    /* column by column, the largest; of equal ones the first; NaN where there is one */
};

/* What a mean or sqrtn of bags with weights divides by. Without weights both are the same. */
typedef int32_t rowmill_divisor;
enum {
  ROWMILL_DIVISOR_COUNT = 0,  /* the number of rows, or its root */
  ROWMILL_DIVISOR_WEIGHTS = 1 /* the sum of the weights; for sqrtn the root of the sum of their squares */
};

/* How bags are pooled, and the weights and the padding id of their ids. */
typedef struct rowmill_pool_options {
  size_t struct_size;
  rowmill_pooling pooling;
  rowmill_out_of_range out_of_range;
  rowmill_divisor divisor; /* since 0.2, and all below; ROWMILL_DIVISOR_WEIGHTS is for mean and sqrtn alone */
  int32_t has_padding_id;  /* not 0: ids that are padding_id, or mean its row, are left out of their bags */
  int64_t padding_id;      /* need not be a row */
  const float* weights;    /* by which the row of each id is multiplied; NULL: none */
  int64_t weight_count;    /* the number of ids; 0 without weights */
} rowmill_pool_options;

/* Fills in the defaults: ROWMILL_POOL_SUM, ROWMILL_RANGE_ERROR, ROWMILL_DIVISOR_COUNT, no padding, no weights. */
rowmill_status rowmill_pool_options_init(rowmill_pool_options* options, size_t struct_size) ROWMILL_NOEXCEPT;

/* Pooled lookups: the forward pass of an embedding bag.
 *
 *     for b in 0 .. bags.size-1:
 *       terms = [weights[i] * table[ids[i], :] for position i of bag b]    # without padding
 *       out[b, :] = terms[0] + terms[1] + ...             # in this order; +0 for an empty bag
 *       out[b, :] = out[b, :] / divisor                   # mean and sqrtn; +0 if it is 0
 *
 * A maximum takes the largest term in place of the sum. table may have any format but ROWMILL_LOW16, and out is
 * ROWMILL_FLOAT32, ROWMILL_BFLOAT16 or ROWMILL_FLOAT16. A table of ROWMILL_FLOAT64 or integers needs an out of its own
 * format; integers have neither means nor sqrtn nor weights. Shapes: table rows x dim; out bags.size x dim, which is
 * written. `workspace` may be NULL: see rowmill_pool_memory_required. Reads of one table may run at the same time; a
 * write to it meanwhile is a race.
 * Errors: a view, the ids, the offsets or the weights are bad, a format is none of these, bags.size is not what
 * offsets.count says, or the divisor does not go with the pooling (ROWMILL_INVALID_ARGUMENT); size x length or
 * weight_count is not ids.count, or out has another shape (ROWMILL_SHAPE_MISMATCH); out shares an element with
 * table, ids, offsets or weights, or its rows with each other (ROWMILL_OVERLAP); an id is out of range
 * (ROWMILL_ID_OUT_OF_RANGE); ROWMILL_OUT_OF_MEMORY; ROWMILL_UNSUPPORTED_ISA. */
rowmill_status rowmill_pool(const rowmill_view* table, const rowmill_bags* bags, const rowmill_view* out,
                            const rowmill_pool_options* options, rowmill_workspace* workspace) ROWMILL_NOEXCEPT;

/* The bytes of workspace that a rowmill_pool or rowmill_find_winners of `id_count` ids uses at most; 0 if id_count is
 * not in 0 .. 2^56. */
size_t rowmill_pool_memory_required(int64_t id_count) ROWMILL_NOEXCEPT;

/* The bytes that any function of this header uses at most for these bags and a table of `dim` columns; 0 if an argument
 * is wrong. */
size_t rowmill_pool_memory_required_with(const rowmill_bags* bags, int64_t dim,
                                         const rowmill_pool_options* options) ROWMILL_NOEXCEPT;

/* Which position gave each element of a maximum: winners[b * dim + c] is that position, counted from the begin of bag
 * b; -1 for an empty bag, or if a row of zeros won under ROWMILL_RANGE_ZERO. winner_count is bags.size * dim. The
 * options' pooling must be ROWMILL_POOL_MAX. A plan needs the winners: rowmill_plan_options. Errors: as rowmill_pool,
 * with winners in place of out; a bag of more than 2^31 - 1 ids (ROWMILL_INVALID_ARGUMENT). */
rowmill_status rowmill_find_winners(const rowmill_view* table, const rowmill_bags* bags, int32_t* winners,
                                    int64_t winner_count, const rowmill_pool_options* options,
                                    rowmill_workspace* workspace) ROWMILL_NOEXCEPT;

/* The gradient of each id's weight, from that of the pooled rows: `gradient` is bags.size x dim, and `out` has
 * out_count values, one for each id. Positions that are padding get +0. docs/numerics.md has the formulas. Errors: as
 * rowmill_pool. */
rowmill_status rowmill_pool_weight_gradients(const rowmill_view* table, const rowmill_bags* bags,
                                             const rowmill_view* gradient, float* out, int64_t out_count,
                                             const rowmill_pool_options* options,
                                             rowmill_workspace* workspace) ROWMILL_NOEXCEPT;

ROWMILL_END_C

#endif /* ROWMILL_C_POOL_H */
