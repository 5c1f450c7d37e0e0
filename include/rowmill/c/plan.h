/* SPDX-License-Identifier: Apache-2.0 */
/* Plans. A part of rowmill/c.h. */
#ifndef ROWMILL_C_PLAN_H
#define ROWMILL_C_PLAN_H

#include "rowmill/c/ids.h"

ROWMILL_BEGIN_C

/* What a batch of ids means for updates: which positions touch which row, in order. It depends on the ids and the
 * number of rows alone, and serves every table with those ids. Building it again reuses its memory. */
typedef struct rowmill_plan rowmill_plan;

/* An empty plan. */
rowmill_status rowmill_plan_create(rowmill_plan** plan) ROWMILL_NOEXCEPT;
void rowmill_plan_destroy(rowmill_plan* plan) ROWMILL_NOEXCEPT;

/* Plans updates of tables of `rows` rows by `ids`, which are not needed afterwards. `table_name` appears in errors, and
 * may be NULL. Under ROWMILL_RANGE_ZERO, ids out of range are left out.
 * Errors, which leave the plan as it was: rows < 0 or bad ids (ROWMILL_INVALID_ARGUMENT), ROWMILL_ID_OUT_OF_RANGE,
 * ROWMILL_OUT_OF_MEMORY, ROWMILL_UNSUPPORTED_ISA. */
rowmill_status rowmill_plan_build(rowmill_plan* plan, const rowmill_ids* ids, int64_t rows,
                                  rowmill_out_of_range out_of_range, const char* table_name) ROWMILL_NOEXCEPT;

/* The same for pooled lookups: every id of bag b is updated by row b of a gradient, which is never expanded.
 * Errors: also bags whose offsets or shape do not fit their ids, as rowmill_pool. */
rowmill_status rowmill_plan_build_bags(rowmill_plan* plan, const rowmill_bags* bags, int64_t rows,
                                       rowmill_out_of_range out_of_range, const char* table_name) ROWMILL_NOEXCEPT;

/* Makes room for plans of up to `id_count` ids, so that building them allocates nothing. What was planned is lost.
 * Errors: id_count < 0 or > 2^56 (ROWMILL_INVALID_ARGUMENT), ROWMILL_OUT_OF_MEMORY. */
rowmill_status rowmill_plan_reserve(rowmill_plan* plan, int64_t id_count) ROWMILL_NOEXCEPT;

/* The number of ids planned, those left out included; the rows that a gradient must have, one for each id or for each
 * bag; the rows of the tables it fits; the number of distinct rows touched. -1 for a null handle. */
int64_t rowmill_plan_id_count(const rowmill_plan* plan) ROWMILL_NOEXCEPT;
int64_t rowmill_plan_gradient_rows(const rowmill_plan* plan) ROWMILL_NOEXCEPT;
int64_t rowmill_plan_rows(const rowmill_plan* plan) ROWMILL_NOEXCEPT;
int64_t rowmill_plan_unique_count(const rowmill_plan* plan) ROWMILL_NOEXCEPT;

ROWMILL_END_C

#endif /* ROWMILL_C_PLAN_H */
