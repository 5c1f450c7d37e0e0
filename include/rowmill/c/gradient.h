/* SPDX-License-Identifier: Apache-2.0 */
/* The gradient of a table: sparse, dense, and what a step does to it first. A part of rowmill/c.h. */
#ifndef ROWMILL_C_GRADIENT_H
#define ROWMILL_C_GRADIENT_H

#include "rowmill/c/plan.h"
#include "rowmill/c/views.h"
#include "rowmill/c/workspace.h"

ROWMILL_BEGIN_C

/* What is done to the gradients g of rows after they are summed and before they are used, in this order. */
typedef struct rowmill_gradient_options {
  size_t struct_size;
  int32_t scale_grad_by_freq; /* not 0: g = g / the number of the row's contributions */
  int32_t skip_nonfinite;     /* not 0: a step with an infinite or NaN g does nothing and does not count; for steps */
  double clip_value;          /* g = min(max(g, -value), value), element by element. Here and below: 1.2e-38 to 3.4e38,
                                 or -1 for no clipping */
  double clip_row_norm;       /* g = g * (norm / sqrt(sum(g * g))) for each row whose norm is greater */
  double clip_global_norm;    /* the same for the norm of all rows together */
} rowmill_gradient_options;

/* Fills in the defaults: none of these. */
rowmill_status rowmill_gradient_options_init(rowmill_gradient_options* options, size_t struct_size) ROWMILL_NOEXCEPT;

/* A table's gradient by the rows that a plan touches: what a coalesced sparse tensor holds, but in order of first
 * occurrence.
 *
 *     for k, r in enumerate(the rows that the plan touches, in the order in which they first occur in the ids):
 *       rows[k] = r
 *       values[k, :] = the sum of r's gradient rows, as in rowmill_optimizer_step; then the options
 *
 * Shapes: gradients as for a step; row_count is rowmill_plan_unique_count; values is row_count x dim.
 * Errors: a bad view, a null pointer, an option out of its range, or skip_nonfinite (ROWMILL_INVALID_ARGUMENT); another
 * number of gradient rows, of rows or of values (ROWMILL_SHAPE_MISMATCH); rows or values share an element with a
 * gradient, the plan's winners or each other (ROWMILL_OVERLAP); ROWMILL_OUT_OF_MEMORY; ROWMILL_UNSUPPORTED_ISA. */
rowmill_status rowmill_sum_gradients(const rowmill_plan* plan, const rowmill_view* gradients, int64_t gradient_count,
                                     int64_t* rows, int64_t row_count, const rowmill_view* values,
                                     const rowmill_gradient_options* options,
                                     rowmill_workspace* workspace) ROWMILL_NOEXCEPT;

/* The same sums as a dense gradient: out is rows x dim, as many as the plan is for, and +0 where the plan touches none.
 * Errors: as rowmill_sum_gradients. */
rowmill_status rowmill_dense_gradient(const rowmill_plan* plan, const rowmill_view* gradients, int64_t gradient_count,
                                      const rowmill_view* out, const rowmill_gradient_options* options,
                                      rowmill_workspace* workspace) ROWMILL_NOEXCEPT;

/* The bytes of workspace that either uses at most, for `id_count` ids and gradients of `dim` columns in gradient_count
 * views; 0 if one of them is out of range. */
size_t rowmill_sum_gradients_memory_required(int64_t id_count, int64_t dim, int64_t gradient_count) ROWMILL_NOEXCEPT;

ROWMILL_END_C

#endif /* ROWMILL_C_GRADIENT_H */
