/* SPDX-License-Identifier: Apache-2.0 */
/* find_bad_id, gather, convert, pool and scatter_add. */
#include "check.h"

void test_gather(void) {
  float table[kRows * kDim], out[kCount * 5], before[kCount * 5];
  fill(table, kRows * kDim, 1);
  fill(out, kCount * 5, 2);
  memcpy(before, out, sizeof out);
  const rowmill_view table_view = rowmill_make_view(table, kRows, kDim);
  rowmill_view out_view = rowmill_make_view(out, kCount, kDim);
  out_view.row_stride = 5;
  const int32_t narrow[kCount] = {9, 0, 9};
  const int64_t wide[kCount] = {-1, 12, 3};
  const rowmill_ids narrow_ids = rowmill_make_ids(narrow, kCount, ROWMILL_INT32);
  const rowmill_ids wide_ids = rowmill_make_ids(wide, kCount, ROWMILL_INT64);

  CHECK_OK(rowmill_gather(&table_view, &narrow_ids, &out_view, NULL));
  for (int i = 0; i < kCount; ++i) {
    CHECK(equal(out + 5 * i, table + kDim * narrow[i], kDim));
    CHECK(out[5 * i + kDim] == before[5 * i + kDim]); /* between the rows nothing is written */
  }

  rowmill_gather_options options;
  CHECK_OK(rowmill_gather_options_init(&options, sizeof options));
  options.stores = ROWMILL_STORES_STREAMING;
  options.out_of_range = ROWMILL_RANGE_CLIP;
  CHECK_OK(rowmill_gather(&table_view, &wide_ids, &out_view, &options));
  CHECK(equal(out, table, kDim) && equal(out + 5, table + 9 * kDim, kDim) && equal(out + 10, table + 3 * kDim, kDim));
  options.out_of_range = ROWMILL_RANGE_ZERO;
  CHECK_OK(rowmill_gather(&table_view, &wide_ids, &out_view, &options));
  CHECK(out[0] == 0 && out[5] == 0 && equal(out + 10, table + 3 * kDim, kDim));
  options.out_of_range = ROWMILL_RANGE_WRAP_NEGATIVE;
  const rowmill_ids first_id = rowmill_make_ids(wide, 1, ROWMILL_INT64);
  out_view.rows = 1;
  CHECK_OK(rowmill_gather(&table_view, &first_id, &out_view, &options));
  CHECK(equal(out, table + 9 * kDim, kDim));

  const rowmill_ids none = rowmill_make_ids(NULL, 0, ROWMILL_INT32);
  out_view.rows = 0;
  CHECK_OK(rowmill_gather(&table_view, &none, &out_view, NULL));
}

void test_convert(void) {
  const float table[2 * kDim] = {-1, 0, 1, 2, 5, 5, 5, 5};
  float back[2 * kDim];
  const rowmill_view from = rowmill_make_view((void*)table, 2, kDim);
  const rowmill_view to = rowmill_make_view(back, 2, kDim);
  const rowmill_format formats[] = {ROWMILL_BFLOAT16, ROWMILL_INT8, ROWMILL_INT4, ROWMILL_INT2};
  const int64_t elements[] = {kDim, kDim + 8, kDim / 2 + 4, kDim / 4 + 4};
  for (int f = 0; f < 4; ++f) {
    CHECK(rowmill_row_elements(formats[f], kDim) == elements[f]);
    rowmill_table_options options;
    CHECK_OK(rowmill_table_options_init(&options, sizeof options));
    options.format = formats[f];
    rowmill_table* quantized = NULL;
    CHECK_OK(rowmill_table_create(2, kDim, &options, &quantized));
    rowmill_view view;
    CHECK_OK(rowmill_table_view(quantized, &view));
    CHECK(view.format == formats[f] && view.row_stride == elements[f]);
    rowmill_workspace* workspace = NULL;
    CHECK_OK(rowmill_workspace_create(&workspace));
    CHECK_OK(rowmill_convert(&from, &view, workspace));
    fill(back, 2 * kDim, 1);
    CHECK_OK(rowmill_convert(&view, &to, NULL));
    for (int i = 0; i < 2 * kDim; ++i) CHECK(back[i] > table[i] - 0.01F && back[i] < table[i] + 0.01F);
    const int64_t one = 1;
    const rowmill_ids ids = rowmill_make_ids(&one, 1, ROWMILL_INT64);
    const rowmill_view row = rowmill_make_view(back, 1, kDim);
    fill(back, 2 * kDim, 1);
    CHECK_OK(rowmill_gather(&view, &ids, &row, NULL));
    CHECK(back[0] == 5 && back[kDim - 1] == 5);
    rowmill_workspace_destroy(workspace);
    rowmill_table_destroy(quantized);
  }
  /* In place, into bf16 halves, and back from split tables and from codes. */
  float memory[2 * kDim];
  uint16_t upper[2 * kDim], low[2 * kDim];
  memcpy(memory, table, sizeof memory);
  const rowmill_view floats = rowmill_make_view(memory, 2, kDim);
  rowmill_view in_place = floats, uppers = rowmill_make_view(upper, 2, kDim), lows = rowmill_make_view(low, 2, kDim);
  in_place.format = uppers.format = ROWMILL_BFLOAT16;
  lows.format = ROWMILL_LOW16;
  CHECK_OK(rowmill_split(&floats, &uppers, &lows));
  CHECK_OK(rowmill_convert(&floats, &in_place, NULL));
  CHECK(memcmp(memory, upper, sizeof upper) == 0);
  CHECK_OK(rowmill_join_split(&uppers, &lows, &to));
  CHECK(memcmp(back, table, sizeof table) == 0);
  uint8_t codes[2 * kDim] = {0, 1, 2, 3, 4, 5, 6, 7}, rows[2 * (kDim + 8)];
  const float scales[2] = {0.5F, 2}, zero_points[2] = {1, 3};
  rowmill_view code_view = rowmill_make_view(codes, 2, kDim), row_view = rowmill_make_view(rows, 2, kDim);
  code_view.format = ROWMILL_U8;
  row_view.format = ROWMILL_INT8;
  row_view.row_stride = kDim + 8;
  CHECK_OK(rowmill_join_codes(&code_view, scales, zero_points, &row_view));
  CHECK_OK(rowmill_convert(&row_view, &to, NULL));
  CHECK(back[0] == -0.5F && back[3] == 1 && back[kDim] == 2 && back[2 * kDim - 1] == 8);
  CHECK_FAILS(rowmill_join_codes(&code_view, NULL, zero_points, &row_view), ROWMILL_INVALID_ARGUMENT, "scales");
  CHECK(rowmill_row_elements(13, kDim) == -1 && rowmill_row_elements(ROWMILL_INT8, -1) == -1);
}

void test_pool(void) {
  float table[kRows * kDim], out[kCount * 5], before[kCount * 5];
  fill(table, kRows * kDim, 1);
  fill(out, kCount * 5, 2);
  memcpy(before, out, sizeof out);
  const rowmill_view table_view = rowmill_make_view(table, kRows, kDim);
  rowmill_view out_view = rowmill_make_view(out, kCount, kDim);
  out_view.row_stride = 5;
  const int32_t narrow[kCount] = {9, 2, 5};
  const int64_t wide[kCount] = {-1, 12, 3};
  const int32_t narrow_offsets[] = {0, 2, 2, 3}; /* the second bag is empty */
  const int64_t wide_offsets[] = {0, 2, 2, 3};
  const rowmill_ids narrow_ids = rowmill_make_ids(narrow, kCount, ROWMILL_INT32);
  const rowmill_ids wide_ids = rowmill_make_ids(wide, kCount, ROWMILL_INT64);
  const rowmill_bags by_offsets[] = {
      rowmill_make_bags(narrow_ids, rowmill_make_ids(narrow_offsets, 4, ROWMILL_INT32)),
      rowmill_make_bags(narrow_ids, rowmill_make_ids(wide_offsets, 4, ROWMILL_INT64)),
      rowmill_make_bags_without_last(narrow_ids, rowmill_make_ids(wide_offsets, 3, ROWMILL_INT64))};

  rowmill_pool_options options;
  CHECK_OK(rowmill_pool_options_init(&options, sizeof options));
  CHECK(options.pooling == ROWMILL_POOL_SUM && options.out_of_range == ROWMILL_RANGE_ERROR);
  options.pooling = ROWMILL_POOL_MEAN;
  for (int mean = 0; mean < 2; ++mean) {
    for (int how = 0; how < 3; ++how) {
      memcpy(out, before, sizeof out);
      CHECK(by_offsets[how].size == kCount);
      CHECK_OK(rowmill_pool(&table_view, &by_offsets[how], &out_view, mean ? &options : NULL, NULL));
      for (int c = 0; c < kDim; ++c) {
        CHECK(out[c] == (table[9 * kDim + c] + table[2 * kDim + c]) / (mean ? 2 : 1));
        CHECK(out[5 + c] == 0 && out[10 + c] == table[5 * kDim + c]);
      }
      for (int b = 0; b < kCount; ++b) CHECK(out[5 * b + kDim] == before[5 * b + kDim]);
    }
  }

  /* One bag of three; its policies, with memory reserved. */
  const rowmill_bags row = rowmill_make_batch(wide_ids, 1, kCount);
  out_view.rows = 1;
  rowmill_workspace* workspace = NULL;
  CHECK_OK(rowmill_workspace_create(&workspace));
  CHECK_OK(rowmill_workspace_reserve(workspace, rowmill_pool_memory_required(kCount)));
  const size_t capacity = rowmill_workspace_capacity(workspace);
  options.out_of_range = ROWMILL_RANGE_ZERO;
  CHECK_OK(rowmill_pool(&table_view, &row, &out_view, &options, workspace));
  for (int c = 0; c < kDim; ++c) CHECK(out[c] == table[3 * kDim + c] / 3); /* the other two count as rows of zeros */
  options.pooling = ROWMILL_POOL_SUM;
  options.out_of_range = ROWMILL_RANGE_CLIP;
  CHECK_OK(rowmill_pool(&table_view, &row, &out_view, &options, workspace));
  for (int c = 0; c < kDim; ++c) CHECK(out[c] == table[c] + table[9 * kDim + c] + table[3 * kDim + c]);
  CHECK(capacity > 0 && rowmill_workspace_capacity(workspace) == capacity);
  rowmill_workspace_destroy(workspace);

  const rowmill_bags none = rowmill_make_batch(rowmill_make_ids(NULL, 0, ROWMILL_INT32), 0, kCount);
  out_view.rows = 0;
  CHECK_OK(rowmill_pool(&table_view, &none, &out_view, NULL, NULL));
}

void test_find_bad_id(void) {
  const int64_t values[] = {3, -1, (int64_t)1 << 32};
  const rowmill_ids ids = rowmill_make_ids(values, 3, ROWMILL_INT64);
  int64_t position = 7, value = 7;
  CHECK_OK(rowmill_find_bad_id(&ids, kRows, ROWMILL_RANGE_ERROR, &position, &value));
  CHECK(position == 1 && value == -1);
  CHECK_OK(rowmill_find_bad_id(&ids, kRows, ROWMILL_RANGE_WRAP_NEGATIVE, &position, &value));
  CHECK(position == 2 && value == (int64_t)1 << 32);
  CHECK_OK(rowmill_find_bad_id(&ids, kRows, ROWMILL_RANGE_ZERO, &position, NULL));
  CHECK(position == -1);
}

void test_scatter_add(void) {
  float table[kRows * kDim], expected[kRows * kDim], values[kCount * kDim];
  fill(table, kRows * kDim, 3);
  fill(values, kCount * kDim, 4);
  memcpy(expected, table, sizeof table);
  const int32_t rows[kCount] = {2, 7, 2};
  const rowmill_view table_view = rowmill_make_view(table, kRows, kDim);
  const rowmill_view value_view = rowmill_make_view(values, kCount, kDim);
  const rowmill_ids ids = rowmill_make_ids(rows, kCount, ROWMILL_INT32);

  rowmill_workspace* workspace = NULL;
  CHECK_OK(rowmill_workspace_create(&workspace));
  CHECK(rowmill_workspace_capacity(workspace) == 0);
  CHECK_OK(rowmill_workspace_reserve(workspace, rowmill_scatter_add_memory_required(kCount)));
  const size_t capacity = rowmill_workspace_capacity(workspace);
  rowmill_plan* plan = NULL;
  CHECK_OK(rowmill_plan_create(&plan));
  CHECK_OK(rowmill_plan_reserve(plan, kCount));
  CHECK(rowmill_plan_id_count(plan) == 0);
  CHECK_OK(rowmill_plan_build(plan, &ids, kRows, ROWMILL_RANGE_ERROR, "words"));
  CHECK(rowmill_plan_id_count(plan) == 3 && rowmill_plan_rows(plan) == kRows && rowmill_plan_unique_count(plan) == 2);
  CHECK(rowmill_plan_gradient_rows(plan) == 3);
  rowmill_scatter_add_options options;
  CHECK_OK(rowmill_scatter_add_options_init(&options, sizeof options));

  for (int how = 0; how < 3; ++how) {
    for (int i = 0; i < kCount; ++i) {
      for (int c = 0; c < kDim; ++c) expected[rows[i] * kDim + c] += values[i * kDim + c];
    }
    if (how == 0) CHECK_OK(rowmill_scatter_add(&table_view, &ids, &value_view, NULL, NULL));
    if (how == 1) CHECK_OK(rowmill_scatter_add(&table_view, &ids, &value_view, &options, workspace));
    if (how == 2) CHECK_OK(rowmill_scatter_add_planned(&table_view, plan, &value_view));
    CHECK(equal(table, expected, kRows * kDim));
  }
  CHECK(rowmill_workspace_capacity(workspace) == capacity);
  rowmill_plan_destroy(plan);
  rowmill_plan_destroy(NULL);
  rowmill_workspace_destroy(workspace);
  rowmill_workspace_destroy(NULL);
}

uint16_t upper_half(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return (uint16_t)(bits >> 16);
}

/* Lookups and updates of a table of bfloat16, with values that it holds exactly. */
void test_bf16_operations(void) {
  float values[kRows * kDim], expected[kRows * kDim], added[kCount * kDim], floats[kCount * kDim];
  uint16_t table[kRows * kDim], halves[kCount * kDim];
  fill(values, kRows * kDim, 3);
  fill(added, kCount * kDim, 4);
  for (int i = 0; i < kRows * kDim; ++i) table[i] = upper_half(values[i]);
  const int32_t rows[kCount] = {2, 7, 2};
  const rowmill_ids ids = rowmill_make_ids(rows, kCount, ROWMILL_INT32);
  rowmill_view view = rowmill_make_view(table, kRows, kDim);
  view.format = ROWMILL_BFLOAT16;
  const rowmill_view in_floats = rowmill_make_view(floats, kCount, kDim);
  rowmill_view in_halves = rowmill_make_view(halves, kCount, kDim);
  in_halves.format = ROWMILL_BFLOAT16;

  CHECK_OK(rowmill_gather(&view, &ids, &in_floats, NULL));
  CHECK_OK(rowmill_gather(&view, &ids, &in_halves, NULL));
  for (int i = 0; i < kCount * kDim; ++i) {
    CHECK(floats[i] == values[rows[i / kDim] * kDim + i % kDim] && halves[i] == upper_half(floats[i]));
  }

  /* Small integers are the same in float16. */
  uint16_t small[kCount * kDim];
  rowmill_view in_float16 = rowmill_make_view(small, kCount, kDim);
  in_float16.format = ROWMILL_FLOAT16;
  CHECK_OK(rowmill_gather(&view, &ids, &in_float16, NULL));
  CHECK_OK(rowmill_convert(&in_float16, &in_floats, NULL));
  CHECK_OK(rowmill_gather(&view, &ids, &in_halves, NULL));
  for (int i = 0; i < kCount * kDim; ++i) CHECK(halves[i] == upper_half(floats[i]));

  const rowmill_bags bags = rowmill_make_batch(ids, 1, kCount);
  const rowmill_view pooled = rowmill_make_view(floats, 1, kDim);
  rowmill_view pooled_halves = rowmill_make_view(halves, 1, kDim);
  pooled_halves.format = ROWMILL_BFLOAT16;
  CHECK_OK(rowmill_pool(&view, &bags, &pooled, NULL, NULL));
  CHECK_OK(rowmill_pool(&view, &bags, &pooled_halves, NULL, NULL));
  for (int c = 0; c < kDim; ++c) {
    CHECK(floats[c] == 2 * values[2 * kDim + c] + values[7 * kDim + c] && halves[c] == upper_half(floats[c]));
  }

  /* Added, and half of it taken off again by a step of SGD. */
  const rowmill_view gradient = rowmill_make_view(added, kCount, kDim);
  memcpy(expected, values, sizeof expected);
  for (int i = 0; i < kCount * kDim; ++i) expected[rows[i / kDim] * kDim + i % kDim] += 0.5F * added[i];
  CHECK_OK(rowmill_scatter_add(&view, &ids, &gradient, NULL, NULL));
  rowmill_plan* plan = make_plan(&ids, kRows);
  rowmill_sgd_options sgd;
  CHECK_OK(rowmill_sgd_options_init(&sgd, sizeof sgd));
  sgd.learning_rate = 0.5;
  rowmill_optimizer* optimizer = NULL;
  CHECK_OK(rowmill_sgd_create(kRows, kDim, NULL, &sgd, &optimizer));
  CHECK_OK(rowmill_optimizer_step(optimizer, &view, plan, &gradient, 1, NULL));
  for (int i = 0; i < kRows * kDim; ++i) CHECK(table[i] == upper_half(expected[i]));
  rowmill_optimizer_destroy(optimizer);
  rowmill_plan_destroy(plan);
}
