/* SPDX-License-Identifier: Apache-2.0 */
/* Plans. A part of rowmill/c.h. */
#ifndef ROWMILL_C_PLAN_H
#define ROWMILL_C_PLAN_H

#include "rowmill/c/ids.h"
#include "rowmill/c/pool.h"

ROWMILL_BEGIN_C

/* What a batch of ids means for updates: which positions touch which row, in order. It depends on the ids and the
 * number of rows alone, and serves every table with those ids. Building it again reuses its memory. */
typedef struct rowmill_plan rowmill_plan;

/* An empty plan. */
rowmill_status rowmill_plan_create(rowmill_plan** plan) ROWMILL_NOEXCEPT;
void rowmill_plan_destroy(rowmill_plan* plan) ROWMILL_NOEXCEPT;

/* Plans updates of tables of `rows` rows by `ids`, which are not needed afterwards. `table_name` appears in errors, and
 * may be NULL. Under ROWMILL_RANGE_ZERO and ROWMILL_RANGE_SKIP, ids out of range train nothing.
 * Errors, which leave the plan as it was: rows < 0 or bad ids (ROWMILL_INVALID_ARGUMENT), ROWMILL_ID_OUT_OF_RANGE,
 * ROWMILL_OUT_OF_MEMORY, ROWMILL_UNSUPPORTED_ISA. */
rowmill_status rowmill_plan_build(rowmill_plan* plan, const rowmill_ids* ids, int64_t rows,
                                  rowmill_out_of_range out_of_range, const char* table_name) ROWMILL_NOEXCEPT;

/* The same for pooled lookups: every id of bag b is updated by row b of a gradient, which is never expanded.
 * Errors: also bags whose offsets or shape do not fit their ids, as rowmill_pool. */
rowmill_status rowmill_plan_build_bags(rowmill_plan* plan, const rowmill_bags* bags, int64_t rows,
                                       rowmill_out_of_range out_of_range, const char* table_name) ROWMILL_NOEXCEPT;

typedef struct rowmill_plan_options {
  size_t struct_size;
  const char* table_name; /* appears in errors; may be NULL */
  rowmill_out_of_range out_of_range;
  int32_t has_padding_id; /* not 0: ids that are padding_id, or stand for its row, train nothing */
  int64_t padding_id;
  /* For plans of bags alone: how rowmill_pool pooled them, from which the coefficients of gradient rows follow. */
  rowmill_pooling pooling;
  rowmill_divisor divisor;
  const float* weights; /* as in rowmill_pool_options */
  int64_t weight_count;
  /* For ROWMILL_POOL_MAX alone: what rowmill_find_winners gave. They must live while the plan is used. */
  const int32_t* winners;
  int64_t winner_count;
  /* Not 0: keep the coefficients of a mean or sqrtn in double too, which updates of ROWMILL_FLOAT64 need. */
  int32_t double_coefficients;
  int32_t reserved; /* 0 */
} rowmill_plan_options;

/* Fills in the defaults: no name, ROWMILL_RANGE_ERROR, no padding, ROWMILL_POOL_SUM, ROWMILL_DIVISOR_COUNT, no weights
 * and no winners. */
rowmill_status rowmill_plan_options_init(rowmill_plan_options* options, size_t struct_size) ROWMILL_NOEXCEPT;

/* rowmill_plan_build and rowmill_plan_build_bags with options, of which the weights are not needed afterwards.
 * Errors: also options of bags for a plan of ids, or a divisor or winners that do not go with the pooling
 * (ROWMILL_INVALID_ARGUMENT); weights or winners of another number (ROWMILL_SHAPE_MISMATCH). */
rowmill_status rowmill_plan_build_with(rowmill_plan* plan, const rowmill_ids* ids, int64_t rows,
                                       const rowmill_plan_options* options) ROWMILL_NOEXCEPT;
rowmill_status rowmill_plan_build_bags_with(rowmill_plan* plan, const rowmill_bags* bags, int64_t rows,
                                            const rowmill_plan_options* options) ROWMILL_NOEXCEPT;

/* Makes room for plans of up to `id_count` ids, so that building them allocates nothing. What was planned is lost.
 * rowmill_plan_reserve_with does the same for plans of bags with these options. It reads no weights and no winners:
 * what matters is whether there are weights. Errors: id_count < 0 or > 2^56 (ROWMILL_INVALID_ARGUMENT),
 * ROWMILL_OUT_OF_MEMORY. */
rowmill_status rowmill_plan_reserve(rowmill_plan* plan, int64_t id_count) ROWMILL_NOEXCEPT;
rowmill_status rowmill_plan_reserve_with(rowmill_plan* plan, int64_t id_count,
                                         const rowmill_plan_options* options) ROWMILL_NOEXCEPT;

/* The number of ids planned, those left out included; the rows that a gradient must have, one for each id or for each
 * bag; the rows of the tables it fits; the number of distinct rows touched. -1 for a null handle. */
int64_t rowmill_plan_id_count(const rowmill_plan* plan) ROWMILL_NOEXCEPT;
int64_t rowmill_plan_gradient_rows(const rowmill_plan* plan) ROWMILL_NOEXCEPT;
int64_t rowmill_plan_rows(const rowmill_plan* plan) ROWMILL_NOEXCEPT;
int64_t rowmill_plan_unique_count(const rowmill_plan* plan) ROWMILL_NOEXCEPT;

ROWMILL_END_C

#endif /* ROWMILL_C_PLAN_H */
