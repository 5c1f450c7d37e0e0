/* SPDX-License-Identifier: Apache-2.0 */
/* Plans. */
#include "check.h"

rowmill_plan* make_plan(const rowmill_ids* ids, int64_t rows) {
  rowmill_plan* plan = NULL;
  CHECK_OK(rowmill_plan_create(&plan));
  CHECK_OK(rowmill_plan_build(plan, ids, rows, ROWMILL_RANGE_ERROR, NULL));
  return plan;
}

/* A row of values or of a gradient for each bag. */
void test_plan_of_bags(void) {
  const int64_t rows[] = {2, 7, 2, 4};
  const int32_t offsets[] = {0, 3, 3, 4};
  const rowmill_bags bags =
      rowmill_make_bags(rowmill_make_ids(rows, 4, ROWMILL_INT64), rowmill_make_ids(offsets, 4, ROWMILL_INT32));
  const rowmill_bags batch = rowmill_make_batch(bags.ids, 2, 2);
  rowmill_plan* plan = NULL;
  CHECK_OK(rowmill_plan_create(&plan));
  CHECK_OK(rowmill_plan_build_bags(plan, &batch, kRows, ROWMILL_RANGE_ERROR, NULL));
  CHECK(rowmill_plan_id_count(plan) == 4 && rowmill_plan_gradient_rows(plan) == 2);
  CHECK_OK(rowmill_plan_build_bags(plan, &bags, kRows, ROWMILL_RANGE_ERROR, "words"));
  CHECK(rowmill_plan_id_count(plan) == 4 && rowmill_plan_gradient_rows(plan) == 3);
  CHECK(rowmill_plan_rows(plan) == kRows && rowmill_plan_unique_count(plan) == 3);

  float values[3 * kDim], table[kRows * kDim], expected[kRows * kDim];
  fill(values, 3 * kDim, 10);
  const rowmill_view value_view = rowmill_make_view(values, 3, kDim);
  const rowmill_view table_view = rowmill_make_view(table, kRows, kDim);
  rowmill_sgd_options options;
  CHECK_OK(rowmill_sgd_options_init(&options, sizeof options));
  options.learning_rate = 1;
  rowmill_optimizer* sgd = NULL;
  CHECK_OK(rowmill_sgd_create(kRows, kDim, NULL, &options, &sgd));
  for (int sign = -1; sign <= 1; sign += 2) { /* a step subtracts, scatter_add adds */
    fill(table, kRows * kDim, 11);
    memcpy(expected, table, sizeof table);
    for (int c = 0; c < kDim; ++c) {
      expected[2 * kDim + c] += (float)(sign * 2) * values[c];
      expected[7 * kDim + c] += (float)sign * values[c];
      expected[4 * kDim + c] += (float)sign * values[2 * kDim + c];
    }
    CHECK_OK(sign < 0 ? rowmill_optimizer_step(sgd, &table_view, plan, &value_view, 1, NULL)
                      : rowmill_scatter_add_planned(&table_view, plan, &value_view));
    CHECK(equal(table, expected, kRows * kDim));
  }
  rowmill_optimizer_destroy(sgd);
  rowmill_plan_destroy(plan);
}
