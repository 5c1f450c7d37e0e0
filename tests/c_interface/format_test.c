/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of float64, of integers and of float16. */
#include "check.h"

static rowmill_view view_of(void* data, int64_t rows, rowmill_format format) {
  rowmill_view view = rowmill_make_view(data, rows, kDim);
  view.format = format;
  return view;
}

static void fill_doubles(double* values, int64_t count, int64_t seed) {
  /* Not numbers that floats hold. */
  for (int64_t i = 0; i < count; ++i) values[i] = (double)((i * 7 + seed) % 31) / 64 + 0x1p-40;
}

static const int32_t rows[kCount] = {2, 7, 2};

/* Every operation on a table of float64. */
void test_float64_operations(void) {
  double table[kRows * kDim], expected[kRows * kDim], values[kCount * kDim], out[kCount * kDim];
  fill_doubles(table, kRows * kDim, 3);
  fill_doubles(values, kCount * kDim, 4);
  memcpy(expected, table, sizeof table);
  const rowmill_ids ids = rowmill_make_ids(rows, kCount, ROWMILL_INT32);
  const rowmill_bags bags = rowmill_make_batch(ids, 1, kCount);
  const rowmill_view view = view_of(table, kRows, ROWMILL_FLOAT64);
  const rowmill_view gradient = view_of(values, kCount, ROWMILL_FLOAT64);
  const rowmill_view rows_out = view_of(out, kCount, ROWMILL_FLOAT64);
  const rowmill_view bag_out = view_of(out, 1, ROWMILL_FLOAT64);

  CHECK_OK(rowmill_gather(&view, &ids, &rows_out, NULL));
  for (int i = 0; i < kCount * kDim; ++i) CHECK(out[i] == expected[rows[i / kDim] * kDim + i % kDim]);
  float floats[kCount * kDim];
  const rowmill_view in_floats = rowmill_make_view(floats, kCount, kDim);
  CHECK_FAILS(rowmill_gather(&view, &ids, &in_floats, NULL), ROWMILL_INVALID_ARGUMENT,
              "out (3 x 4) has format f32; supported: f64");
  CHECK_OK(rowmill_convert(&rows_out, &in_floats, NULL));
  for (int i = 0; i < kCount * kDim; ++i) CHECK(floats[i] == (float)out[i]);

  rowmill_pool_options mean;
  CHECK_OK(rowmill_pool_options_init(&mean, sizeof mean));
  mean.pooling = ROWMILL_POOL_MEAN;
  CHECK_OK(rowmill_pool(&view, &bags, &bag_out, &mean, NULL));
  for (int c = 0; c < kDim; ++c) {
    const double sum = expected[2 * kDim + c] + expected[7 * kDim + c] + expected[2 * kDim + c];
    CHECK(out[c] == sum / kCount);
  }

  for (int i = 0; i < kCount * kDim; ++i) expected[rows[i / kDim] * kDim + i % kDim] += values[i];
  CHECK_OK(rowmill_scatter_add(&view, &ids, &gradient, NULL, NULL));
  CHECK(memcmp(table, expected, sizeof table) == 0);

  /* A step over ids, then one over the mean of a bag, whose plan needs its coefficients in double. */
  rowmill_storage_options storage;
  CHECK_OK(rowmill_storage_options_init(&storage, sizeof storage));
  storage.state_format = ROWMILL_FLOAT64;
  rowmill_sgd_options options;
  CHECK_OK(rowmill_sgd_options_init(&options, sizeof options));
  options.learning_rate = 0.5;
  options.momentum = 0.5;
  options.storage = &storage;
  rowmill_optimizer* sgd = NULL;
  CHECK_OK(rowmill_sgd_create(kRows, kDim, NULL, &options, &sgd));
  rowmill_view momentum;
  CHECK_OK(rowmill_optimizer_state(sgd, 0, &momentum));
  CHECK(momentum.format == ROWMILL_FLOAT64);
  rowmill_plan* plan = make_plan(&ids, kRows);
  CHECK_OK(rowmill_optimizer_step(sgd, &view, plan, &gradient, 1, NULL));
  for (int c = 0; c < kDim; ++c) {
    expected[2 * kDim + c] -= 0.5 * (values[c] + values[2 * kDim + c]);
    expected[7 * kDim + c] -= 0.5 * values[kDim + c];
  }
  CHECK(memcmp(table, expected, sizeof table) == 0);
  rowmill_plan_options of_mean;
  CHECK_OK(rowmill_plan_options_init(&of_mean, sizeof of_mean));
  of_mean.pooling = ROWMILL_POOL_MEAN;
  const rowmill_view bag_gradient = view_of(values, 1, ROWMILL_FLOAT64);
  CHECK_OK(rowmill_plan_build_bags_with(plan, &bags, kRows, &of_mean));
  CHECK_FAILS(rowmill_optimizer_step(sgd, &view, plan, &bag_gradient, 1, NULL), ROWMILL_INVALID_ARGUMENT,
              "double_coefficients");
  of_mean.double_coefficients = 1;
  CHECK_OK(rowmill_plan_build_bags_with(plan, &bags, kRows, &of_mean));
  CHECK_OK(rowmill_optimizer_step(sgd, &view, plan, &bag_gradient, 1, NULL));
  const double* const m = momentum.data;
  const double third = 1.0 / 3;
  for (int c = 0; c < kDim; ++c) {
    const double b = 0.5 * (values[c] + values[2 * kDim + c]) + (third * values[c] + third * values[c]);
    CHECK(m[2 * kDim + c] == b && table[2 * kDim + c] == expected[2 * kDim + c] - 0.5 * b);
  }
  rowmill_optimizer_destroy(sgd);
  rowmill_plan_destroy(plan);
}

void test_float64_layer(void) {
  double values[kCount * kDim], out[kCount * kDim], before[kRows * kDim];
  fill_doubles(values, kCount * kDim, 4);
  const rowmill_ids ids = rowmill_make_ids(rows, kCount, ROWMILL_INT32);
  const rowmill_view gradient = view_of(values, kCount, ROWMILL_FLOAT64);
  const rowmill_view rows_out = view_of(out, kCount, ROWMILL_FLOAT64);
  rowmill_embedding_options options;
  CHECK_OK(rowmill_embedding_options_init(&options, sizeof options));
  options.format = ROWMILL_FLOAT64;
  rowmill_embedding* layer = NULL;
  CHECK_OK(rowmill_embedding_create(kRows, kDim, &options, &layer));
  rowmill_view table;
  CHECK_OK(rowmill_embedding_table_view(layer, &table));
  CHECK(table.format == ROWMILL_FLOAT64);
  memcpy(before, table.data, sizeof before);
  CHECK_OK(rowmill_embedding_forward(layer, &ids, &rows_out));
  for (int i = 0; i < kCount * kDim; ++i) CHECK(out[i] == before[rows[i / kDim] * kDim + i % kDim]);
  CHECK_OK(rowmill_embedding_backward(layer, &ids, &gradient));
  CHECK_OK(rowmill_embedding_step(layer));
  const double* const after = table.data;
  for (int c = 0; c < kDim; ++c) CHECK(after[7 * kDim + c] == before[7 * kDim + c] - 0.01 * values[kDim + c]);
  rowmill_embedding_destroy(layer);
}

/* Integers are looked up, pooled and added; they wrap around, and are not trained. */
void test_integer_operations(void) {
  uint8_t table[kRows * kDim], values[kCount * kDim], out[kCount * kDim], expected[kRows * kDim];
  for (int i = 0; i < kRows * kDim; ++i) expected[i] = table[i] = (uint8_t)(i * 37);
  for (int i = 0; i < kCount * kDim; ++i) values[i] = (uint8_t)(i * 91);
  const rowmill_ids ids = rowmill_make_ids(rows, kCount, ROWMILL_INT32);
  const rowmill_bags bags = rowmill_make_batch(ids, 1, kCount);
  const rowmill_view view = view_of(table, kRows, ROWMILL_U8);
  const rowmill_view added = view_of(values, kCount, ROWMILL_U8);
  const rowmill_view rows_out = view_of(out, kCount, ROWMILL_U8);
  const rowmill_view bag_out = view_of(out, 1, ROWMILL_U8);
  CHECK_OK(rowmill_gather(&view, &ids, &rows_out, NULL));
  for (int i = 0; i < kCount * kDim; ++i) CHECK(out[i] == expected[rows[i / kDim] * kDim + i % kDim]);
  CHECK_OK(rowmill_pool(&view, &bags, &bag_out, NULL, NULL));
  for (int c = 0; c < kDim; ++c) CHECK(out[c] == (uint8_t)(2 * expected[2 * kDim + c] + expected[7 * kDim + c]));
  for (int i = 0; i < kCount * kDim; ++i) {
    uint8_t* const to = &expected[rows[i / kDim] * kDim + i % kDim];
    *to = (uint8_t)(*to + values[i]);
  }
  CHECK_OK(rowmill_scatter_add(&view, &ids, &added, NULL, NULL));
  CHECK(memcmp(table, expected, sizeof table) == 0);

  rowmill_plan* plan = make_plan(&ids, kRows);
  rowmill_optimizer* sgd = NULL;
  CHECK_OK(rowmill_sgd_create(kRows, kDim, NULL, NULL, &sgd));
  CHECK_FAILS(rowmill_optimizer_step(sgd, &view, plan, &added, 1, NULL), ROWMILL_INVALID_ARGUMENT, "has format u8");
  CHECK(memcmp(table, expected, sizeof table) == 0);
  rowmill_optimizer_destroy(sgd);
  rowmill_plan_destroy(plan);
}

/* A step that would leave float16's range is an error where it is told to be, and changes nothing. */
void test_float16_overflow(void) {
  uint16_t table[kRows * kDim], before[kRows * kDim];
  for (int i = 0; i < kRows * kDim; ++i) before[i] = table[i] = 0x7BFF; /* 65504 */
  float values[kCount * kDim];
  for (int i = 0; i < kCount * kDim; ++i) values[i] = -1000;
  const rowmill_ids ids = rowmill_make_ids(rows, kCount, ROWMILL_INT32);
  const rowmill_view view = view_of(table, kRows, ROWMILL_FLOAT16);
  const rowmill_view gradient = rowmill_make_view(values, kCount, kDim);
  rowmill_storage_options storage;
  CHECK_OK(rowmill_storage_options_init(&storage, sizeof storage));
  rowmill_sgd_options options;
  CHECK_OK(rowmill_sgd_options_init(&options, sizeof options));
  options.learning_rate = 1;
  options.storage = &storage;
  rowmill_plan* plan = make_plan(&ids, kRows);
  const rowmill_overflow kinds[] = {ROWMILL_OVERFLOW_ERROR, ROWMILL_OVERFLOW_SATURATE, ROWMILL_OVERFLOW_INFINITY};
  const uint16_t expected[] = {0x7BFF, 0x7BFF, 0x7C00};
  for (int k = 0; k < 3; ++k) {
    storage.overflow = kinds[k];
    rowmill_optimizer* sgd = NULL;
    CHECK_OK(rowmill_sgd_create(kRows, kDim, NULL, &options, &sgd));
    memcpy(table, before, sizeof table);
    const rowmill_status status = rowmill_optimizer_step(sgd, &view, plan, &gradient, 1, NULL);
    CHECK((status == ROWMILL_OK) == (kinds[k] != ROWMILL_OVERFLOW_ERROR));
    if (status != ROWMILL_OK) CHECK(rowmill_optimizer_step_count(sgd) == 0);
    CHECK(table[2 * kDim] == expected[k] && table[7 * kDim + kDim - 1] == expected[k] && table[0] == 0x7BFF);
    rowmill_optimizer_destroy(sgd);
  }
  rowmill_plan_destroy(plan);
}
