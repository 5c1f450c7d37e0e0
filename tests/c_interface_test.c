/* SPDX-License-Identifier: Apache-2.0 */
/* The C interface from C, linked to the static and to the shared library.
 *
 *     c_interface_test                    everything below
 *     c_interface_test unsupported_isa    with ROWMILL_ISA set to a name that does not exist */
#include <rowmill/c.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

static int failures = 0;

static void check(bool good, int line, const char* text) {
  if (good) return;
  ++failures;
  fprintf(stderr, "c_interface_test.c:%d: %s\n  last error: %s\n", line, text, rowmill_last_error_message());
}
#define CHECK(condition) check(condition, __LINE__, #condition)
#define CHECK_OK(call) check((call) == ROWMILL_OK, __LINE__, #call)

/* The call fails with this status, and a message with this text in it. */
static void check_failure(rowmill_status found, rowmill_status expected, const char* message, int line,
                          const char* text) {
  check(found == expected && rowmill_last_error_status() == expected, line, text);
  check(strstr(rowmill_last_error_message(), message) != NULL, line, message);
}
#define CHECK_FAILS(call, status, message) check_failure(call, status, message, __LINE__, #call)

enum { kRows = 10, kDim = 4, kCount = 3 };

/* Numbers that floats hold exactly. */
static void fill(float* values, int64_t count, int64_t seed) {
  for (int64_t i = 0; i < count; ++i) values[i] = (float)((i * 7 + seed) % 31) - 15;
}

static bool equal(const float* a, const float* b, int64_t count) {
  return memcmp(a, b, (size_t)count * sizeof(float)) == 0;
}

static void test_versions(void) {
  CHECK(rowmill_c_abi_version() == ROWMILL_C_ABI_VERSION);
  CHECK(rowmill_version() == ROWMILL_VERSION);
  const char* isa = rowmill_isa_name();
  CHECK(isa != NULL && (strcmp(isa, "avx512") == 0 || strcmp(isa, "avx2") == 0 || strcmp(isa, "sse2") == 0 ||
                        strcmp(isa, "scalar") == 0));
}

static rowmill_table* make_table(const char* name, uint64_t seed, uint64_t stream, rowmill_initializer initializer,
                                 float a, float b) {
  rowmill_table_options options;
  CHECK_OK(rowmill_table_options_init(&options, sizeof options));
  options.name = name;
  options.seed = seed;
  options.stream = stream;
  options.initializer = initializer;
  options.a = a;
  options.b = b;
  rowmill_table* table = NULL;
  CHECK_OK(rowmill_table_create(kRows, kDim, &options, &table));
  return table;
}

static void test_tables(void) {
  rowmill_table* table = make_table("words", 5, 0, ROWMILL_INIT_NORMAL, 0, 1);
  rowmill_view view;
  CHECK_OK(rowmill_table_view(table, &view));
  CHECK(view.rows == kRows && view.dim == kDim && view.row_stride == kDim && view.format == ROWMILL_FLOAT32);
  CHECK(strcmp(view.name, "words") == 0 && (uintptr_t)view.data % 64 == 0);

  const struct {
    const char* name;
    uint64_t seed, stream;
    bool same;
  } others[] = {{"words", 5, 0, true}, {"words", 6, 0, false}, {"words", 5, 1, false}, {"other", 5, 0, false}};
  for (int i = 0; i < 4; ++i) {
    rowmill_table* other = make_table(others[i].name, others[i].seed, others[i].stream, ROWMILL_INIT_NORMAL, 0, 1);
    rowmill_view other_view;
    CHECK_OK(rowmill_table_view(other, &other_view));
    CHECK(equal(view.data, other_view.data, kRows * kDim) == others[i].same);
    rowmill_table_destroy(other);
  }
  rowmill_table_destroy(table);

  const struct {
    rowmill_initializer initializer;
    float a, b, low, high; /* what the values may be */
  } kinds[] = {{ROWMILL_INIT_ZEROS, 0, 0, 0, 0},
               {ROWMILL_INIT_CONSTANT, 3, 0, 3, 3},
               {ROWMILL_INIT_UNIFORM, 2, 4, 2, 4},
               {ROWMILL_INIT_NORMAL, 5, 0, 5, 5},
               {ROWMILL_INIT_SCALED_UNIFORM_FAN_OUT, 12, 0, -3, 3}}; /* sqrt(3 * 12 / 4) = 3 */
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; ++i) {
    table = make_table(NULL, 1, 0, kinds[i].initializer, kinds[i].a, kinds[i].b);
    CHECK_OK(rowmill_table_view(table, &view));
    const float* values = view.data;
    for (int j = 0; j < kRows * kDim; ++j) CHECK(values[j] >= kinds[i].low && values[j] <= kinds[i].high);
    rowmill_table_destroy(table);
  }

  CHECK_OK(rowmill_table_create(0, kDim, NULL, &table));
  CHECK_OK(rowmill_table_view(table, &view));
  CHECK(view.rows == 0 && view.dim == kDim && strcmp(view.name, "") == 0);
  rowmill_table_destroy(table);
  rowmill_table_destroy(NULL);
}

static void test_gather(void) {
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

static void test_find_bad_id(void) {
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

static void test_scatter_add(void) {
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

static rowmill_plan* make_plan(const rowmill_ids* ids, int64_t rows) {
  rowmill_plan* plan = NULL;
  CHECK_OK(rowmill_plan_create(&plan));
  CHECK_OK(rowmill_plan_build(plan, ids, rows, ROWMILL_RANGE_ERROR, NULL));
  return plan;
}

static void test_optimizers(void) {
  const int64_t rows[kCount] = {2, 7, 2};
  const rowmill_ids ids = rowmill_make_ids(rows, kCount, ROWMILL_INT64);
  rowmill_plan* plan = make_plan(&ids, kRows);
  float gradients[kCount * kDim];
  fill(gradients, kCount * kDim, 5);
  const rowmill_view gradient = rowmill_make_view(gradients, kCount, kDim);
  const rowmill_view passes[2] = {rowmill_make_view(gradients, 1, kDim),
                                  rowmill_make_view(gradients + kDim, kCount - 1, kDim)};

  rowmill_sgd_options sgd;
  rowmill_adagrad_options adagrad;
  rowmill_adam_options adam;
  CHECK_OK(rowmill_sgd_options_init(&sgd, sizeof sgd));
  CHECK_OK(rowmill_adagrad_options_init(&adagrad, sizeof adagrad));
  CHECK_OK(rowmill_adam_options_init(&adam, sizeof adam));
  CHECK(sgd.learning_rate == 0.01 && adagrad.learning_rate == 0.01 && adagrad.initial_accumulator == 0 &&
        adagrad.epsilon == 1e-10);
  CHECK(adam.learning_rate == 0.001 && adam.beta1 == 0.9 && adam.beta2 == 0.999 && adam.epsilon == 1e-8);
  sgd.learning_rate = 0.5;

  const char* const names[] = {"sgd", "adagrad", "adam"};
  for (int kind = 0; kind < 3; ++kind) {
    /* One gradient, and the same in two passes with memory reserved. */
    float weights[2][kRows * kDim];
    for (int run = 0; run < 2; ++run) {
      rowmill_optimizer* optimizer = NULL;
      if (kind == 0) CHECK_OK(rowmill_sgd_create(kRows, kDim, NULL, &sgd, &optimizer));
      if (kind == 1) CHECK_OK(rowmill_adagrad_create(kRows, kDim, "words", NULL, &optimizer));
      if (kind == 2) CHECK_OK(rowmill_adam_create(kRows, kDim, "words", &adam, &optimizer));
      fill(weights[run], kRows * kDim, 6);
      const rowmill_view view = rowmill_make_view(weights[run], kRows, kDim);
      rowmill_workspace* workspace = NULL;
      CHECK_OK(rowmill_workspace_create(&workspace));
      const size_t bytes = rowmill_optimizer_memory_required(optimizer, kCount, 2);
      CHECK_OK(rowmill_workspace_reserve(workspace, bytes));
      for (int step = 0; step < 2; ++step) {
        CHECK_OK(run == 0 ? rowmill_optimizer_step(optimizer, &view, plan, &gradient, 1, NULL)
                          : rowmill_optimizer_step(optimizer, &view, plan, passes, 2, workspace));
      }
      CHECK(rowmill_workspace_capacity(workspace) == bytes);
      rowmill_workspace_destroy(workspace);

      CHECK(strcmp(rowmill_optimizer_name(optimizer), names[kind]) == 0);
      CHECK(rowmill_optimizer_step_count(optimizer) == 2);
      CHECK(rowmill_optimizer_state_count(optimizer) == kind);
      if (kind > 0) {
        rowmill_view state;
        CHECK_OK(rowmill_optimizer_state(optimizer, kind - 1, &state));
        CHECK(state.rows == kRows && state.dim == kDim);
        CHECK(strcmp(state.name, kind == 1 ? "words.accumulator" : "words.v") == 0);
        const float* values = state.data;
        CHECK(values[0] == 0); /* row 0 was not touched */
        const float g = gradients[0] + gradients[2 * kDim];
        if (kind == 1) CHECK(values[2 * kDim] == 2 * g * g);
      }
      CHECK_OK(rowmill_optimizer_set_learning_rate(optimizer, 0.25));
      CHECK(rowmill_optimizer_learning_rate(optimizer) == 0.25);
      rowmill_optimizer_destroy(optimizer);
    }
    CHECK(equal(weights[0], weights[1], kRows * kDim));
    float start[kRows * kDim];
    fill(start, kRows * kDim, 6);
    CHECK(equal(weights[0], start, 2 * kDim) && !equal(weights[0], start, kRows * kDim));
    if (kind == 0) {
      for (int c = 0; c < kDim; ++c) { /* two steps of half the gradient */
        CHECK(weights[0][2 * kDim + c] == start[2 * kDim + c] - (gradients[c] + gradients[2 * kDim + c]));
        CHECK(weights[0][7 * kDim + c] == start[7 * kDim + c] - gradients[kDim + c]);
      }
    }
  }
  rowmill_plan_destroy(plan);
  rowmill_optimizer_destroy(NULL);
}

/* Each option reaches its optimizer: chosen so that one step shows it in floats that are exact. */
static void test_optimizer_options(void) {
  const int32_t row = 0;
  const rowmill_ids ids = rowmill_make_ids(&row, 1, ROWMILL_INT32);
  rowmill_plan* plan = make_plan(&ids, 2);
  float g = 3;
  const rowmill_view gradient = rowmill_make_view(&g, 1, 1);
  float weights[2] = {0, 0};
  const rowmill_view view = rowmill_make_view(weights, 2, 1);
  rowmill_view state;
  rowmill_optimizer* optimizer = NULL;

  rowmill_adagrad_options adagrad;
  CHECK_OK(rowmill_adagrad_options_init(&adagrad, sizeof adagrad));
  adagrad.learning_rate = 8;
  adagrad.initial_accumulator = 16;
  adagrad.epsilon = 1;
  CHECK_OK(rowmill_adagrad_create(2, 1, NULL, &adagrad, &optimizer));
  CHECK_OK(rowmill_optimizer_step(optimizer, &view, plan, &gradient, 1, NULL));
  CHECK_OK(rowmill_optimizer_state(optimizer, 0, &state));
  CHECK(((float*)state.data)[0] == 25 && ((float*)state.data)[1] == 16 && weights[0] == -4); /* 8 * 3 / (5 + 1) */
  rowmill_optimizer_destroy(optimizer);

  rowmill_adam_options adam;
  CHECK_OK(rowmill_adam_options_init(&adam, sizeof adam));
  adam.learning_rate = 2;
  adam.beta1 = 0.5;
  adam.beta2 = 0.75;
  adam.epsilon = 3;
  weights[0] = 0;
  CHECK_OK(rowmill_adam_create(2, 1, NULL, &adam, &optimizer));
  CHECK_OK(rowmill_optimizer_step(optimizer, &view, plan, &gradient, 1, NULL));
  CHECK_OK(rowmill_optimizer_state(optimizer, 0, &state));
  CHECK(((float*)state.data)[0] == 1.5F); /* 0.5 * 3 */
  CHECK_OK(rowmill_optimizer_state(optimizer, 1, &state));
  CHECK(((float*)state.data)[0] == 2.25F); /* 0.25 * 9 */
  CHECK(weights[0] == -1);                 /* 2 / 0.5 * 1.5 / (1.5 / 0.5 + 3) */
  rowmill_optimizer_destroy(optimizer);
  rowmill_plan_destroy(plan);
}

static void test_embedding(void) {
  rowmill_sgd_options sgd;
  CHECK_OK(rowmill_sgd_options_init(&sgd, sizeof sgd));
  sgd.learning_rate = 1;
  rowmill_embedding_options options;
  CHECK_OK(rowmill_embedding_options_init(&options, sizeof options));
  options.name = "words";
  options.initializer = ROWMILL_INIT_CONSTANT;
  options.a = 2;
  options.padding_id = 0;
  options.sgd = &sgd;
  rowmill_embedding* layer = NULL;
  CHECK_OK(rowmill_embedding_create(kRows, kDim, &options, &layer));

  const int32_t rows[kCount] = {3, 0, 3};
  const rowmill_ids ids = rowmill_make_ids(rows, kCount, ROWMILL_INT32);
  float out[kCount * kDim];
  const rowmill_view out_view = rowmill_make_view(out, kCount, kDim);
  CHECK_OK(rowmill_embedding_forward(layer, &ids, &out_view));
  CHECK(out[0] == 2 && out[kDim] == 0 && out[2 * kDim] == 2);

  float gradients[kCount * kDim];
  for (int i = 0; i < kCount * kDim; ++i) gradients[i] = 0.25F;
  const rowmill_view gradient = rowmill_make_view(gradients, kCount, kDim);
  CHECK_OK(rowmill_embedding_backward(layer, &ids, &gradient));
  CHECK_OK(rowmill_embedding_zero_grad(layer));
  CHECK_OK(rowmill_embedding_backward(layer, &ids, &gradient));
  CHECK_OK(rowmill_embedding_backward(layer, &ids, &gradient));
  CHECK_OK(rowmill_embedding_step(layer));
  rowmill_view table;
  CHECK_OK(rowmill_embedding_table_view(layer, &table));
  const float* values = table.data;
  CHECK(values[0] == 0 && values[kDim] == 2 && values[3 * kDim] == 1 && strcmp(table.name, "words") == 0);
  rowmill_optimizer* optimizer = rowmill_embedding_optimizer(layer);
  CHECK(rowmill_optimizer_step_count(optimizer) == 1 && rowmill_optimizer_learning_rate(optimizer) == 1);
  CHECK_OK(rowmill_optimizer_set_learning_rate(optimizer, 0));
  rowmill_embedding_destroy(layer);
  rowmill_embedding_destroy(NULL);

  CHECK_OK(rowmill_embedding_options_init(&options, sizeof options));
  rowmill_adam_options adam;
  CHECK_OK(rowmill_adam_options_init(&adam, sizeof adam));
  options.adam = &adam;
  CHECK_OK(rowmill_embedding_create(kRows, kDim, &options, &layer));
  CHECK(strcmp(rowmill_optimizer_name(rowmill_embedding_optimizer(layer)), "adam") == 0);
  rowmill_embedding_destroy(layer);
  rowmill_adagrad_options adagrad;
  CHECK_OK(rowmill_adagrad_options_init(&adagrad, sizeof adagrad));
  options.adagrad = &adagrad;
  layer = NULL;
  CHECK_FAILS(rowmill_embedding_create(kRows, kDim, &options, &layer), ROWMILL_INVALID_ARGUMENT,
              "rowmill: embedding_create: more than one of sgd, adagrad, row_wise_adagrad, adam and "
              "partial_row_wise_adam is given");
  options.adam = NULL;
  options.padding_id = kRows;
  CHECK_FAILS(rowmill_embedding_create(kRows, kDim, &options, &layer), ROWMILL_INVALID_ARGUMENT, "padding_id is 10");
  CHECK(layer == NULL);
}

/* Each status that the operations give, with its message; and nothing is changed. */
static void test_errors(void) {
  float table[kRows * kDim], table_before[kRows * kDim], other[kCount * kDim], other_before[kCount * kDim];
  fill(table, kRows * kDim, 7);
  fill(other, kCount * kDim, 8);
  memcpy(table_before, table, sizeof table);
  memcpy(other_before, other, sizeof other);
  int32_t values[kCount] = {1, 2, 3};
  rowmill_view view = rowmill_make_view(table, kRows, kDim);
  view.name = "words";
  rowmill_view rows = rowmill_make_view(other, kCount, kDim);
  rowmill_ids ids = rowmill_make_ids(values, kCount, ROWMILL_INT32);
  rowmill_plan* plan = make_plan(&ids, kRows);
  rowmill_optimizer* sgd = NULL;
  CHECK_OK(rowmill_sgd_create(kRows, kDim, NULL, NULL, &sgd));
  rowmill_embedding* layer = NULL;
  CHECK_OK(rowmill_embedding_create(kRows, kDim, NULL, &layer));

  /* An id out of range. */
  values[1] = kRows;
  const char* bad_id = "ids[1] = 10 is out of range for table 'words' of 10 rows (allowed: 0 to 9)";
  CHECK_FAILS(rowmill_gather(&view, &ids, &rows, NULL), ROWMILL_ID_OUT_OF_RANGE, bad_id);
  CHECK(rowmill_last_error_position() == 1 && rowmill_last_error_value() == kRows);
  CHECK_FAILS(rowmill_scatter_add(&view, &ids, &rows, NULL, NULL), ROWMILL_ID_OUT_OF_RANGE, bad_id);
  CHECK_FAILS(rowmill_plan_build(plan, &ids, kRows, ROWMILL_RANGE_ERROR, "words"), ROWMILL_ID_OUT_OF_RANGE, bad_id);
  CHECK(rowmill_plan_id_count(plan) == kCount);
  CHECK_FAILS(rowmill_embedding_forward(layer, &ids, &rows), ROWMILL_ID_OUT_OF_RANGE, "ids[1] = 10");
  CHECK_FAILS(rowmill_embedding_backward(layer, &ids, &rows), ROWMILL_ID_OUT_OF_RANGE, "ids[1] = 10");
  values[1] = 2;

  /* Shapes. */
  rows.rows = 2;
  CHECK_FAILS(rowmill_gather(&view, &ids, &rows, NULL), ROWMILL_SHAPE_MISMATCH, "out (2 x 4) must be 3 x 4");
  CHECK(rowmill_last_error_position() == -1 && rowmill_last_error_value() == -1);
  CHECK_FAILS(rowmill_scatter_add(&view, &ids, &rows, NULL, NULL), ROWMILL_SHAPE_MISMATCH, "values (2 x 4)");
  CHECK_FAILS(rowmill_scatter_add_planned(&view, plan, &rows), ROWMILL_SHAPE_MISMATCH, "values (2 x 4)");
  CHECK_FAILS(rowmill_optimizer_step(sgd, &view, plan, &rows, 1, NULL), ROWMILL_SHAPE_MISMATCH, "have 2 rows");
  CHECK_FAILS(rowmill_optimizer_step(sgd, &view, plan, NULL, 0, NULL), ROWMILL_SHAPE_MISMATCH, "have 0 rows");
  rows.rows = kCount;

  /* Overlap. */
  const rowmill_view part = rowmill_make_view(table + 8, kCount, kDim);
  CHECK_FAILS(rowmill_gather(&view, &ids, &part, NULL), ROWMILL_OVERLAP, "shares elements with table");
  CHECK_FAILS(rowmill_optimizer_step(sgd, &view, plan, &part, 1, NULL), ROWMILL_OVERLAP, "shares elements");

  /* Views and ids that no call accepts. */
  rows.format = 5;
  CHECK_FAILS(rowmill_gather(&view, &ids, &rows, NULL), ROWMILL_INVALID_ARGUMENT, "out.format is 5; allowed: 0 to 0");
  rows.format = ROWMILL_FLOAT32;
  rows.data = NULL;
  CHECK_FAILS(rowmill_gather(&view, &ids, &rows, NULL), ROWMILL_INVALID_ARGUMENT, "out (3 x 4) has a null pointer");
  rows.data = other;
  ids.type = 0;
  CHECK_FAILS(rowmill_gather(&view, &ids, &rows, NULL), ROWMILL_INVALID_ARGUMENT, "ids.type is 0; allowed: 32, 64");
  ids.type = ROWMILL_INT32;
  ids.count = -1;
  int64_t position = 5;
  CHECK_FAILS(rowmill_find_bad_id(&ids, kRows, ROWMILL_RANGE_ZERO, &position, NULL), ROWMILL_INVALID_ARGUMENT,
              "ids (-1) has a negative size");
  ids.count = kCount;

  /* Enums. */
  CHECK_FAILS(rowmill_find_bad_id(&ids, kRows, 4, &position, NULL), ROWMILL_INVALID_ARGUMENT,
              "rowmill: find_bad_id: out_of_range is 4; allowed: 0 to 3");
  CHECK(position == 5);
  CHECK_FAILS(rowmill_plan_build(plan, &ids, kRows, -1, NULL), ROWMILL_INVALID_ARGUMENT, "out_of_range is -1");
  rowmill_gather_options gather;
  CHECK_OK(rowmill_gather_options_init(&gather, sizeof gather));
  gather.stores = 3;
  CHECK_FAILS(rowmill_gather(&view, &ids, &rows, &gather), ROWMILL_INVALID_ARGUMENT, "stores is 3; allowed: 0 to 2");
  rowmill_table_options table_options;
  CHECK_OK(rowmill_table_options_init(&table_options, sizeof table_options));
  table_options.initializer = 5;
  rowmill_table* made = NULL;
  CHECK_FAILS(rowmill_table_create(1, 1, &table_options, &made), ROWMILL_INVALID_ARGUMENT, "initializer is 5");

  /* Struct sizes. */
  gather.struct_size = 4;
  CHECK_FAILS(rowmill_gather(&view, &ids, &rows, &gather), ROWMILL_INVALID_ARGUMENT,
              "struct_size of the options is 4; it must be 16");
  CHECK_FAILS(rowmill_gather_options_init(&gather, 17), ROWMILL_INVALID_ARGUMENT, "options is 17; it must be 16");
  CHECK(gather.struct_size == 4);
  rowmill_scatter_add_options scatter;
  CHECK_OK(rowmill_scatter_add_options_init(&scatter, sizeof scatter));
  scatter.reserved = 1;
  CHECK_FAILS(rowmill_scatter_add(&view, &ids, &rows, &scatter, NULL), ROWMILL_INVALID_ARGUMENT, "reserved is 1");
  rowmill_adam_options adam;
  CHECK_OK(rowmill_adam_options_init(&adam, sizeof adam));
  adam.struct_size = 0;
  rowmill_optimizer* optimizer = NULL;
  CHECK_FAILS(rowmill_adam_create(kRows, kDim, NULL, &adam, &optimizer), ROWMILL_INVALID_ARGUMENT,
              "rowmill: adam: struct_size");

  /* Options out of range, and sizes. */
  adam.struct_size = sizeof adam;
  adam.beta1 = 1;
  CHECK_FAILS(rowmill_adam_create(kRows, kDim, NULL, &adam, &optimizer), ROWMILL_INVALID_ARGUMENT, "beta1 is 1");
  CHECK_FAILS(rowmill_sgd_create(kRows, 0, NULL, NULL, &optimizer), ROWMILL_INVALID_ARGUMENT, "dim 0");
  CHECK_FAILS(rowmill_optimizer_set_learning_rate(sgd, -1), ROWMILL_INVALID_ARGUMENT, "learning_rate is -1");
  rowmill_view state;
  CHECK_FAILS(rowmill_optimizer_state(sgd, 0, &state), ROWMILL_INVALID_ARGUMENT, "sgd has no state");
  CHECK_OK(rowmill_adagrad_create(kRows, kDim, NULL, NULL, &optimizer));
  CHECK_FAILS(rowmill_optimizer_state(optimizer, 1, &state), ROWMILL_INVALID_ARGUMENT, "index is 1; allowed: 0 to 0");
  rowmill_optimizer_destroy(optimizer);
  CHECK_FAILS(rowmill_plan_reserve(plan, -1), ROWMILL_INVALID_ARGUMENT, "id_count is -1");
  CHECK(rowmill_plan_id_count(plan) == kCount);
  CHECK_FAILS(rowmill_optimizer_step(sgd, &view, plan, &rows, -1, NULL), ROWMILL_INVALID_ARGUMENT,
              "gradient_count is -1");
  CHECK(rowmill_scatter_add_memory_required(-1) == 0);
  CHECK(rowmill_optimizer_memory_required(sgd, 1, -1) == 0);
  CHECK_FAILS(rowmill_table_create(-1, 1, NULL, &made), ROWMILL_INVALID_ARGUMENT, "negative number of rows");

  /* Memory that the system refuses; a message that is too long is cut. */
  table_options.initializer = ROWMILL_INIT_ZEROS;
  table_options.name = "words";
  CHECK_FAILS(rowmill_table_create((int64_t)1 << 40, 1 << 10, &table_options, &made), ROWMILL_OUT_OF_MEMORY,
              "table 'words' (1099511627776 x 1024): the system refused 4503599627370496 bytes of memory");
  char long_name[3000];
  memset(long_name, 'x', sizeof long_name - 1);
  long_name[sizeof long_name - 1] = '\0';
  table_options.name = long_name;
  CHECK_FAILS(rowmill_table_create(-1, 1, &table_options, &made), ROWMILL_INVALID_ARGUMENT, "rowmill: table 'xxx");
  CHECK(strlen(rowmill_last_error_message()) == 1023);
  CHECK(made == NULL);

  CHECK(equal(table, table_before, kRows * kDim) && equal(other, other_before, kCount * kDim));
  CHECK(rowmill_optimizer_step_count(sgd) == 0 && rowmill_optimizer_learning_rate(sgd) == 0.01);
  rowmill_plan_destroy(plan);
  rowmill_optimizer_destroy(sgd);
  rowmill_embedding_destroy(layer);
}

static void test_null_pointers(void) {
  float numbers[kDim] = {0};
  const int32_t row = 0;
  const rowmill_view view = rowmill_make_view(numbers, 1, kDim);
  const rowmill_ids ids = rowmill_make_ids(&row, 1, ROWMILL_INT32);
  rowmill_plan* plan = make_plan(&ids, 1);
  rowmill_optimizer* sgd = NULL;
  CHECK_OK(rowmill_sgd_create(1, kDim, NULL, NULL, &sgd));
  rowmill_view result;
#define CHECK_NULL(call, argument) CHECK_FAILS(call, ROWMILL_INVALID_ARGUMENT, argument " is a null pointer")
  CHECK_NULL(rowmill_find_bad_id(NULL, 1, 0, (int64_t[1]){0}, NULL), "find_bad_id: ids");
  CHECK_NULL(rowmill_find_bad_id(&ids, 1, 0, NULL, NULL), "find_bad_id: position");
  CHECK_NULL(rowmill_table_options_init(NULL, sizeof(rowmill_table_options)), "table_options_init: options");
  CHECK_NULL(rowmill_gather_options_init(NULL, sizeof(rowmill_gather_options)), "gather_options_init: options");
  CHECK_NULL(rowmill_scatter_add_options_init(NULL, sizeof(rowmill_scatter_add_options)), "_init: options");
  CHECK_NULL(rowmill_sgd_options_init(NULL, sizeof(rowmill_sgd_options)), "sgd_options_init: options");
  CHECK_NULL(rowmill_adagrad_options_init(NULL, sizeof(rowmill_adagrad_options)), "adagrad_options_init: options");
  CHECK_NULL(rowmill_adam_options_init(NULL, sizeof(rowmill_adam_options)), "adam_options_init: options");
  CHECK_NULL(rowmill_embedding_options_init(NULL, sizeof(rowmill_embedding_options)), "_init: options");
  CHECK_NULL(rowmill_table_create(1, 1, NULL, NULL), "table_create: table");
  CHECK_NULL(rowmill_table_view(NULL, &result), "table_view: table");
  CHECK_NULL(rowmill_gather(NULL, &ids, &view, NULL), "gather: table");
  CHECK_NULL(rowmill_gather(&view, NULL, &view, NULL), "gather: ids");
  CHECK_NULL(rowmill_gather(&view, &ids, NULL, NULL), "gather: out");
  CHECK_NULL(rowmill_workspace_create(NULL), "workspace_create: workspace");
  CHECK_NULL(rowmill_workspace_reserve(NULL, 1), "workspace_reserve: workspace");
  CHECK_NULL(rowmill_plan_create(NULL), "plan_create: plan");
  CHECK_NULL(rowmill_plan_build(NULL, &ids, 1, 0, NULL), "plan: plan");
  CHECK_NULL(rowmill_plan_build(plan, NULL, 1, 0, NULL), "plan: ids");
  CHECK_NULL(rowmill_plan_reserve(NULL, 1), "plan_reserve: plan");
  CHECK_NULL(rowmill_scatter_add(NULL, &ids, &view, NULL, NULL), "scatter_add: table");
  CHECK_NULL(rowmill_scatter_add(&view, NULL, &view, NULL, NULL), "scatter_add: ids");
  CHECK_NULL(rowmill_scatter_add(&view, &ids, NULL, NULL, NULL), "scatter_add: values");
  CHECK_NULL(rowmill_scatter_add_planned(NULL, plan, &view), "scatter_add: table");
  CHECK_NULL(rowmill_scatter_add_planned(&view, NULL, &view), "scatter_add: plan");
  CHECK_NULL(rowmill_scatter_add_planned(&view, plan, NULL), "scatter_add: values");
  CHECK_NULL(rowmill_sgd_create(1, 1, NULL, NULL, NULL), "sgd: optimizer");
  CHECK_NULL(rowmill_adagrad_create(1, 1, NULL, NULL, NULL), "adagrad: optimizer");
  CHECK_NULL(rowmill_adam_create(1, 1, NULL, NULL, NULL), "adam: optimizer");
  CHECK_NULL(rowmill_optimizer_step(NULL, &view, plan, &view, 1, NULL), "step: optimizer");
  CHECK_NULL(rowmill_optimizer_step(sgd, NULL, plan, &view, 1, NULL), "sgd: weights");
  CHECK_NULL(rowmill_optimizer_step(sgd, &view, NULL, &view, 1, NULL), "sgd: plan");
  CHECK_NULL(rowmill_optimizer_step(sgd, &view, plan, NULL, 1, NULL), "sgd: gradients");
  CHECK_NULL(rowmill_optimizer_set_learning_rate(NULL, 1), "optimizer_set_learning_rate: optimizer");
  CHECK_NULL(rowmill_optimizer_state(NULL, 0, &result), "optimizer_state: optimizer");
  CHECK_NULL(rowmill_embedding_create(1, 1, NULL, NULL), "embedding_create: embedding");
  CHECK_NULL(rowmill_embedding_forward(NULL, &ids, &view), "embedding: embedding");
  CHECK_NULL(rowmill_embedding_backward(NULL, &ids, &view), "embedding: embedding");
  CHECK_NULL(rowmill_embedding_step(NULL), "embedding: embedding");
  CHECK_NULL(rowmill_embedding_zero_grad(NULL), "embedding: embedding");
  CHECK_NULL(rowmill_embedding_table_view(NULL, &result), "embedding_table_view: embedding");
  CHECK(rowmill_workspace_capacity(NULL) == 0);
  CHECK(rowmill_plan_id_count(NULL) == -1);
  CHECK(rowmill_plan_rows(NULL) == -1);
  CHECK(rowmill_plan_unique_count(NULL) == -1);
  CHECK(rowmill_optimizer_memory_required(NULL, 1, 1) == 0);
  CHECK(rowmill_optimizer_name(NULL) == NULL);
  CHECK(rowmill_optimizer_step_count(NULL) == -1);
  CHECK(rowmill_optimizer_learning_rate(NULL) == -1);
  CHECK(rowmill_optimizer_state_count(NULL) == -1);
  CHECK(rowmill_embedding_optimizer(NULL) == NULL);
  rowmill_plan_destroy(plan);
  rowmill_optimizer_destroy(sgd);
}

/* Work large enough for several threads: its bits go to `weights`. */
enum { kManyRows = 500, kManyIds = 20000, kWide = 64 };
static void train(float* weights) {
  int32_t* rows = malloc(kManyIds * sizeof *rows);
  float* gradients = malloc(kManyIds * kWide * sizeof *gradients);
  for (int i = 0; i < kManyIds; ++i) rows[i] = (int32_t)((i * 7919LL) % kManyRows) * (i % 3 == 0 ? 0 : 1);
  for (int i = 0; i < kManyIds * kWide; ++i) gradients[i] = (float)((i * 31LL) % 1009) / 997;
  fill(weights, kManyRows * kWide, 9);
  const rowmill_view view = rowmill_make_view(weights, kManyRows, kWide);
  const rowmill_view gradient = rowmill_make_view(gradients, kManyIds, kWide);
  const rowmill_ids ids = rowmill_make_ids(rows, kManyIds, ROWMILL_INT32);
  rowmill_optimizer* adam = NULL;
  CHECK_OK(rowmill_adam_create(kManyRows, kWide, NULL, NULL, &adam));
  rowmill_plan* plan = make_plan(&ids, kManyRows);
  for (int step = 0; step < 3; ++step) {
    CHECK_OK(rowmill_optimizer_step(adam, &view, plan, &gradient, 1, NULL));
    CHECK_OK(rowmill_scatter_add(&view, &ids, &gradient, NULL, NULL));
    CHECK_OK(rowmill_gather(&view, &ids, &gradient, NULL));
  }
  rowmill_plan_destroy(plan);
  rowmill_optimizer_destroy(adam);
  free(gradients);
  free(rows);
}

static int32_t all_threads;
static int32_t limited(int32_t threads) { return threads < all_threads ? threads : all_threads; }

/* A thread of its own has limits and errors of its own. */
static int other_thread(void* main_weights) {
  CHECK(rowmill_threads() == all_threads);
  CHECK(rowmill_last_error_status() == ROWMILL_OK && strcmp(rowmill_last_error_message(), "") == 0);
  CHECK_OK(rowmill_set_threads(2));
  CHECK(rowmill_threads() == limited(2));
  float* weights = malloc(kManyRows * kWide * sizeof *weights);
  train(weights);
  CHECK(equal(weights, main_weights, kManyRows * kWide));
  free(weights);
  CHECK_FAILS(rowmill_table_view(NULL, NULL), ROWMILL_INVALID_ARGUMENT, "table_view: table is a null pointer");
  return 0;
}

static void test_threads(void) {
  all_threads = rowmill_threads();
  CHECK(all_threads >= 1);
  float* weights = malloc(kManyRows * kWide * sizeof *weights);
  float* expected = malloc(kManyRows * kWide * sizeof *expected);
  train(expected);
  const int32_t counts[] = {2, 7, INT32_MAX, 1};
  for (int i = 0; i < 4; ++i) {
    CHECK_OK(rowmill_set_threads(counts[i]));
    CHECK(rowmill_threads() == limited(counts[i]));
    train(weights);
    CHECK(equal(weights, expected, kManyRows * kWide));
  }
  CHECK_FAILS(rowmill_set_threads(-1), ROWMILL_INVALID_ARGUMENT, "set_threads: threads is -1; allowed: 0 to ");
  CHECK(rowmill_threads() == 1);

  thrd_t thread;
  CHECK(thrd_create(&thread, other_thread, expected) == thrd_success);
  thrd_join(thread, NULL);
  CHECK(rowmill_threads() == 1);
  CHECK(strstr(rowmill_last_error_message(), "threads is -1") != NULL);
  CHECK_OK(rowmill_set_threads(0));
  CHECK(rowmill_threads() == all_threads);
  free(expected);
  free(weights);
}

static void test_unsupported_isa(void) {
  CHECK(rowmill_isa_name() == NULL);
  float numbers[kDim] = {1}, out[kDim] = {2};
  const int32_t row = 0;
  const rowmill_view view = rowmill_make_view(numbers, 1, kDim);
  const rowmill_view out_view = rowmill_make_view(out, 1, kDim);
  const rowmill_ids ids = rowmill_make_ids(&row, 1, ROWMILL_INT32);
  CHECK_FAILS(rowmill_gather(&view, &ids, &out_view, NULL), ROWMILL_UNSUPPORTED_ISA, "unknown instruction set");
  CHECK(out[0] == 2);
}

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "unsupported_isa") == 0) {
    test_unsupported_isa();
  } else {
    test_versions();
    test_tables();
    test_gather();
    test_find_bad_id();
    test_scatter_add();
    test_optimizers();
    test_optimizer_options();
    test_embedding();
    test_errors();
    test_null_pointers();
    test_threads();
  }
  if (failures > 0) fprintf(stderr, "%d checks failed\n", failures);
  return failures > 0 ? 1 : 0;
}
