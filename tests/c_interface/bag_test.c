/* SPDX-License-Identifier: Apache-2.0 */
/* Strided ids, bags by lengths, what goes with bags, and max_norm. */
#include "check.h"

void test_strided_ids(void) {
  /* The second column of an array of three. */
  const int32_t array[] = {-9, 7, -9, -9, 2, -9, -9, 7, -9};
  const int64_t backwards[] = {7, 2, 7};
  const rowmill_strided_ids strided[] = {{array + 1, kCount, 3, ROWMILL_INT32},
                                         {backwards + 2, kCount, -1, ROWMILL_INT64}};
  float table[kRows * kDim], out[kCount * kDim], expected[kRows * kDim];
  fill(table, kRows * kDim, 1);
  const rowmill_view table_view = rowmill_make_view(table, kRows, kDim);
  const rowmill_view out_view = rowmill_make_view(out, kCount, kDim);
  const int32_t rows[] = {7, 2, 7};
  for (int s = 0; s < 2; ++s) {
    const rowmill_ids ids = rowmill_make_strided(&strided[s]);
    memset(out, 0, sizeof out);
    CHECK_OK(rowmill_gather(&table_view, &ids, &out_view, NULL));
    for (int i = 0; i < kCount; ++i) CHECK(equal(out + i * kDim, table + rows[i] * kDim, kDim));

    int64_t position = 5;
    CHECK_OK(rowmill_find_bad_id(&ids, 7, ROWMILL_RANGE_ERROR, &position, NULL));
    CHECK(position == 0);

    fill(expected, kRows * kDim, 1);
    for (int i = 0; i < kCount; ++i) {
      for (int c = 0; c < kDim; ++c) expected[rows[i] * kDim + c] += out[i * kDim + c];
    }
    CHECK_OK(rowmill_scatter_add(&table_view, &ids, &out_view, NULL, NULL));
    CHECK(equal(table, expected, kRows * kDim));
    fill(table, kRows * kDim, 1);
    rowmill_plan* plan = make_plan(&ids, kRows);
    CHECK(rowmill_plan_unique_count(plan) == 2);
    CHECK_OK(rowmill_scatter_add_planned(&table_view, plan, &out_view));
    CHECK(equal(table, expected, kRows * kDim));
    rowmill_plan_destroy(plan);
    fill(table, kRows * kDim, 1);

    /* Offsets may be strided too. */
    const int64_t offsets[] = {0, -1, 2, -1, 3};
    const rowmill_strided_ids strided_offsets = {offsets, 3, 2, ROWMILL_INT64};
    const rowmill_bags bags = rowmill_make_bags(ids, rowmill_make_strided(&strided_offsets));
    const rowmill_view two = rowmill_make_view(out, 2, kDim);
    CHECK_OK(rowmill_pool(&table_view, &bags, &two, NULL, NULL));
    for (int c = 0; c < kDim; ++c) {
      CHECK(out[c] == table[7 * kDim + c] + table[2 * kDim + c] && out[kDim + c] == table[7 * kDim + c]);
    }
  }
}

void test_lengths(void) {
  const int32_t rows[] = {3, 4, 5, 6};
  const int32_t lengths[] = {1, 0, 3};
  const rowmill_ids ids = rowmill_make_ids(rows, 4, ROWMILL_INT32);
  const rowmill_ids length_ids = rowmill_make_ids(lengths, 3, ROWMILL_INT32);
  int64_t offsets[5] = {7, 7, 7, 7, 7};
  rowmill_bags bags;
  CHECK_OK(rowmill_bags_from_lengths(&ids, &length_ids, offsets, 5, &bags));
  CHECK(offsets[0] == 0 && offsets[1] == 1 && offsets[2] == 1 && offsets[3] == 4 && offsets[4] == 7);
  CHECK(bags.size == 3 && bags.has_offsets == 1 && bags.offsets.count == 4 && bags.offsets.type == ROWMILL_INT64);
  float table[kRows * kDim], out[3 * kDim];
  fill(table, kRows * kDim, 1);
  const rowmill_view table_view = rowmill_make_view(table, kRows, kDim);
  const rowmill_view out_view = rowmill_make_view(out, 3, kDim);
  CHECK_OK(rowmill_pool(&table_view, &bags, &out_view, NULL, NULL));
  for (int c = 0; c < kDim; ++c) {
    CHECK(out[c] == table[3 * kDim + c] && out[kDim + c] == 0);
    CHECK(out[2 * kDim + c] == table[4 * kDim + c] + table[5 * kDim + c] + table[6 * kDim + c]);
  }

  int64_t unchanged[4] = {7, 7, 7, 7};
  bags.size = 99;
  CHECK_FAILS(rowmill_bags_from_lengths(&ids, &length_ids, unchanged, 3, &bags), ROWMILL_SHAPE_MISMATCH,
              "must have at least 4 elements");
  const int32_t wrong[] = {1, -1, 4};
  const rowmill_ids wrong_ids = rowmill_make_ids(wrong, 3, ROWMILL_INT32);
  CHECK_FAILS(rowmill_bags_from_lengths(&ids, &wrong_ids, unchanged, 4, &bags), ROWMILL_INVALID_ARGUMENT,
              "lengths[1] = -1");
  CHECK(rowmill_last_error_position() == 1 && rowmill_last_error_value() == -1);
  CHECK(unchanged[0] == 7 && unchanged[3] == 7 && bags.size == 99);
}

/* Two bags of two rows, an empty one, and one of padding alone. */
enum { kBags = 4, kBagIds = 6 };
static const int32_t bag_rows[kBagIds] = {2, 0, 5, 2, 0, 0};
static const int64_t bag_offsets[kBags] = {0, 3, 4, 4};
static const float bag_weights[kBagIds] = {2, 9, -0.5F, 4, 9, 9};
static rowmill_bags four_bags(void) {
  return rowmill_make_bags_without_last(rowmill_make_ids(bag_rows, kBagIds, ROWMILL_INT32),
                                        rowmill_make_ids(bag_offsets, kBags, ROWMILL_INT64));
}

static rowmill_pool_options padded(rowmill_pooling pooling, bool weighted) {
  rowmill_pool_options options;
  CHECK_OK(rowmill_pool_options_init(&options, sizeof options));
  CHECK(options.divisor == ROWMILL_DIVISOR_COUNT && options.has_padding_id == 0 && options.weights == NULL);
  options.pooling = pooling;
  options.has_padding_id = 1;
  options.padding_id = 0;
  if (weighted) {
    options.weights = bag_weights;
    options.weight_count = kBagIds;
  }
  return options;
}

void test_bag_options(void) {
  float table[kRows * kDim], out[kBags * kDim];
  fill(table, kRows * kDim, 3);
  const float* a = table + 2 * kDim;
  const float* b = table + 5 * kDim;
  const rowmill_view table_view = rowmill_make_view(table, kRows, kDim);
  const rowmill_view out_view = rowmill_make_view(out, kBags, kDim);
  const rowmill_bags bags = four_bags();
  for (int weighted = 0; weighted < 2; ++weighted) {
    const float w0 = weighted ? 2 : 1;
    const float w1 = weighted ? -0.5F : 1;
    const float w2 = weighted ? 4 : 1;
    for (rowmill_pooling pooling = ROWMILL_POOL_SUM; pooling <= ROWMILL_POOL_MAX; ++pooling) {
      const rowmill_pool_options options = padded(pooling, weighted != 0);
      CHECK_OK(rowmill_pool(&table_view, &bags, &out_view, &options, NULL));
      for (int c = 0; c < kDim; ++c) {
        const float x = w0 * a[c];
        const float y = w1 * b[c];
        const float sum = x + y;
        const float root = 1.41421354F; /* of 2 */
        const float pooled[] = {sum, sum / 2, sum / root, x > y ? x : y};
        CHECK(out[c] == pooled[pooling]);
        CHECK(out[kDim + c] == w2 * a[c] && out[2 * kDim + c] == 0 && out[3 * kDim + c] == 0);
      }
    }
  }

  rowmill_pool_options options = padded(ROWMILL_POOL_MEAN, true);
  options.divisor = ROWMILL_DIVISOR_WEIGHTS;
  CHECK_OK(rowmill_pool(&table_view, &bags, &out_view, &options, NULL));
  for (int c = 0; c < kDim; ++c) CHECK(out[c] == (2 * a[c] + -0.5F * b[c]) / 1.5F && out[kDim + c] == a[c]);

  /* Ids out of range, left out or rows of zeros. */
  options = padded(ROWMILL_POOL_MEAN, false);
  const int32_t beyond[] = {2, kRows};
  const rowmill_bags one = rowmill_make_batch(rowmill_make_ids(beyond, 2, ROWMILL_INT32), 1, 2);
  const rowmill_view row = rowmill_make_view(out, 1, kDim);
  options.out_of_range = ROWMILL_RANGE_SKIP;
  CHECK_OK(rowmill_pool(&table_view, &one, &row, &options, NULL));
  CHECK(equal(out, a, kDim));
  options.out_of_range = ROWMILL_RANGE_ZERO;
  CHECK_OK(rowmill_pool(&table_view, &one, &row, &options, NULL));
  for (int c = 0; c < kDim; ++c) CHECK(out[c] == a[c] / 2);
  options.out_of_range = ROWMILL_RANGE_ERROR;
  options.padding_id = kRows; /* need not be a row */
  CHECK_OK(rowmill_pool(&table_view, &one, &row, &options, NULL));
  CHECK(equal(out, a, kDim));
  const rowmill_ids ids = one.ids;
  int64_t position = 5;
  CHECK_OK(rowmill_find_bad_id_padded(&ids, kRows, ROWMILL_RANGE_ERROR, kRows, &position, NULL));
  CHECK(position == -1);
  CHECK_OK(rowmill_find_bad_id_padded(&ids, kRows, ROWMILL_RANGE_ERROR, kRows + 1, &position, NULL));
  CHECK(position == 1);

  /* A struct of version 0.1 ends after the policy. */
  const size_t older = offsetof(rowmill_pool_options, divisor);
  memset(&options, 0x7F, sizeof options);
  CHECK_OK(rowmill_pool_options_init(&options, older));
  CHECK(options.struct_size == older && options.divisor == 0x7F7F7F7F);
  const rowmill_bags good = rowmill_make_batch(rowmill_make_ids(beyond, 1, ROWMILL_INT32), 1, 1);
  CHECK_OK(rowmill_pool(&table_view, &good, &row, &options, NULL));
  CHECK(equal(out, a, kDim));
}

void test_winners(void) {
  float table[kRows * kDim];
  fill(table, kRows * kDim, 3);
  const rowmill_view table_view = rowmill_make_view(table, kRows, kDim);
  const rowmill_bags bags = four_bags();
  const rowmill_pool_options options = padded(ROWMILL_POOL_MAX, false);
  int32_t winners[kBags * kDim];
  CHECK_OK(rowmill_find_winners(&table_view, &bags, winners, kBags * kDim, &options, NULL));
  for (int c = 0; c < kDim; ++c) {
    CHECK(winners[c] == (table[5 * kDim + c] > table[2 * kDim + c] ? 2 : 0)); /* padding has a position too */
    CHECK(winners[kDim + c] == 0 && winners[2 * kDim + c] == -1 && winners[3 * kDim + c] == -1);
  }
  CHECK_FAILS(rowmill_find_winners(&table_view, &bags, winners, 3, &options, NULL), ROWMILL_SHAPE_MISMATCH, "winners");
}

void test_weight_gradients(void) {
  float table[kRows * kDim], gradients[kBags * kDim], out[kBagIds];
  fill(table, kRows * kDim, 3);
  fill(gradients, kBags * kDim, 8);
  const rowmill_view table_view = rowmill_make_view(table, kRows, kDim);
  const rowmill_view gradient = rowmill_make_view(gradients, kBags, kDim);
  const rowmill_bags bags = four_bags();
  const rowmill_pool_options options = padded(ROWMILL_POOL_SUM, true);
  rowmill_workspace* workspace = NULL;
  CHECK_OK(rowmill_workspace_create(&workspace));
  CHECK_OK(rowmill_workspace_reserve(workspace, rowmill_pool_memory_required_with(&bags, kDim, &options)));
  const size_t capacity = rowmill_workspace_capacity(workspace);
  CHECK_OK(rowmill_pool_weight_gradients(&table_view, &bags, &gradient, out, kBagIds, &options, workspace));
  CHECK(rowmill_workspace_capacity(workspace) == capacity);
  rowmill_workspace_destroy(workspace);
  float first = 0, third = 0, fourth = 0;
  for (int c = 0; c < kDim; ++c) {
    first += gradients[c] * table[2 * kDim + c];
    third += gradients[c] * table[5 * kDim + c];
    fourth += gradients[kDim + c] * table[2 * kDim + c];
  }
  CHECK(out[0] == first && out[1] == 0 && out[2] == third && out[3] == fourth && out[4] == 0 && out[5] == 0);
  CHECK_FAILS(rowmill_pool_weight_gradients(&table_view, &bags, &gradient, out, 2, &options, NULL),
              ROWMILL_SHAPE_MISMATCH, "out");
}

void test_max_norm(void) {
  rowmill_max_norm_options options;
  CHECK_OK(rowmill_max_norm_options_init(&options, sizeof options));
  CHECK(options.max_norm == 1 && options.norm == ROWMILL_NORM_TWO && options.out_of_range == ROWMILL_RANGE_ERROR &&
        options.has_padding_id == 0);
  rowmill_workspace* workspace = NULL;
  CHECK_OK(rowmill_workspace_create(&workspace));
  CHECK_OK(rowmill_workspace_reserve(workspace, rowmill_renormalize_memory_required(kCount)));
  const size_t capacity = rowmill_workspace_capacity(workspace);
  const int64_t rows[kCount] = {1, 2, 1};
  const rowmill_ids ids = rowmill_make_ids(rows, kCount, ROWMILL_INT64);
  const rowmill_bags bags = rowmill_make_batch(ids, 1, kCount);
  options.max_norm = 5;
  for (options.norm = ROWMILL_NORM_ONE; options.norm <= ROWMILL_NORM_INFINITY; ++options.norm) {
    for (int of_bags = 0; of_bags < 2; ++of_bags) {
      for (options.has_padding_id = 0; options.has_padding_id < 2; ++options.has_padding_id) {
        options.padding_id = 2;
        float table[3 * 2] = {30, 40, 30, 40, 30, 40};
        const rowmill_view view = rowmill_make_view(table, 3, 2);
        CHECK_OK(of_bags ? rowmill_renormalize_bags(&view, &bags, &options, workspace)
                         : rowmill_renormalize(&view, &ids, &options, workspace));
        const float norms[] = {70, 50, 40};
        const float factor = 5 / (norms[options.norm] + 1e-7F);
        CHECK(table[0] == 30 && table[1] == 40);
        CHECK(table[2] == 30 * factor && table[3] == 40 * factor);
        CHECK(table[4] == (options.has_padding_id ? 30 : 30 * factor));
      }
    }
  }
  CHECK(capacity > 0 && rowmill_workspace_capacity(workspace) == capacity);
  rowmill_workspace_destroy(workspace);

  float table[6] = {30, 40, 30, 40, 30, 40};
  const rowmill_view view = rowmill_make_view(table, 3, 2);
  CHECK_OK(rowmill_max_norm_options_init(&options, sizeof options));
  options.max_norm = -2;
  CHECK_FAILS(rowmill_renormalize(&view, &ids, &options, NULL), ROWMILL_INVALID_ARGUMENT, "max_norm is -2");
  options.max_norm = 1;
  options.norm = 3;
  CHECK_FAILS(rowmill_renormalize_bags(&view, &bags, &options, NULL), ROWMILL_INVALID_ARGUMENT, "norm is 3");
  options.norm = ROWMILL_NORM_TWO;
  options.reserved = 1;
  CHECK_FAILS(rowmill_renormalize(&view, &ids, &options, NULL), ROWMILL_INVALID_ARGUMENT, "reserved is 1");
  const rowmill_view two = rowmill_make_view(table, 2, 2);
  CHECK_FAILS(rowmill_renormalize(&two, &ids, NULL, NULL), ROWMILL_ID_OUT_OF_RANGE, "ids[1] = 2");
  CHECK(table[2] == 30 && table[4] == 30);
}
