/* SPDX-License-Identifier: Apache-2.0 */
/* The C interface from C, linked to the static and to the shared library.
 *
 *     c_interface_test                    everything below
 *     c_interface_test unsupported_isa    with ROWMILL_ISA set to a name that does not exist */
#include <pthread.h> /* not threads.h, which the thread sanitizer does not know */
#include <rowmill/c.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static void test_formats(void) {
  rowmill_table_options options;
  CHECK_OK(rowmill_table_options_init(&options, sizeof options));
  CHECK(options.format == ROWMILL_FLOAT32 && options.reserved == 0);
  options.name = "words";
  options.initializer = ROWMILL_INIT_CONSTANT;
  options.a = 1.5F + 1.0F / 4096; /* rounds to 1.5 */
  options.format = ROWMILL_BFLOAT16;
  rowmill_table* table = NULL;
  CHECK_OK(rowmill_table_create(kRows, kDim, &options, &table));
  rowmill_view view;
  CHECK_OK(rowmill_table_view(table, &view));
  CHECK(view.format == ROWMILL_BFLOAT16 && view.row_stride == kDim);
  const uint16_t* elements = view.data;
  for (int i = 0; i < kRows * kDim; ++i) CHECK(elements[i] == 0x3FC0);
  rowmill_table_destroy(table);

  options.format = 2;
  CHECK_FAILS(rowmill_table_create(1, 1, &options, &table), ROWMILL_INVALID_ARGUMENT, "format is 2; allowed: 0 to 1");
  options.format = ROWMILL_FLOAT32;
  options.reserved = 1;
  CHECK_FAILS(rowmill_table_create(1, 1, &options, &table), ROWMILL_INVALID_ARGUMENT, "reserved is 1");

  /* A program that was compiled against version 0.1 knows no format: its struct ends before, perhaps in garbage. */
  const size_t older = offsetof(rowmill_table_options, format);
  CHECK(older == 56 || sizeof(void*) != 8);
  memset(&options, 0x7F, sizeof options);
  CHECK_OK(rowmill_table_options_init(&options, older));
  CHECK(options.struct_size == older && options.format == 0x7F7F7F7F);
  options.initializer = ROWMILL_INIT_CONSTANT;
  options.a = 3;
  CHECK_OK(rowmill_table_create(2, 3, &options, &table));
  CHECK_OK(rowmill_table_view(table, &view));
  CHECK(view.format == ROWMILL_FLOAT32 && ((const float*)view.data)[5] == 3);
  rowmill_table_destroy(table);
  CHECK_FAILS(rowmill_table_options_init(&options, older - 8), ROWMILL_INVALID_ARGUMENT, "it must be 64");

  rowmill_embedding_options layer_options;
  CHECK_OK(rowmill_embedding_options_init(&layer_options, sizeof layer_options));
  layer_options.format = ROWMILL_BFLOAT16;
  layer_options.padding_id = 1;
  rowmill_embedding* layer = NULL;
  CHECK_OK(rowmill_embedding_create(3, 5, &layer_options, &layer));
  CHECK_OK(rowmill_embedding_table_view(layer, &view));
  CHECK(view.format == ROWMILL_BFLOAT16);
  elements = view.data;
  for (int c = 0; c < 5; ++c) CHECK(elements[5 + c] == 0 && elements[c] != 0 && elements[10 + c] != 0);
  rowmill_embedding_destroy(layer);
  layer_options.struct_size = offsetof(rowmill_embedding_options, format);
  CHECK_OK(rowmill_embedding_create(3, 5, &layer_options, &layer));
  CHECK_OK(rowmill_embedding_table_view(layer, &view));
  CHECK(view.format == ROWMILL_FLOAT32);
  rowmill_embedding_destroy(layer);

  rowmill_embedding_bag_options bag_options;
  CHECK_OK(rowmill_embedding_bag_options_init(&bag_options, sizeof bag_options));
  bag_options.format = ROWMILL_BFLOAT16;
  rowmill_embedding_bag* bag_layer = NULL;
  CHECK_OK(rowmill_embedding_bag_create(3, 5, &bag_options, &bag_layer));
  CHECK_OK(rowmill_embedding_bag_table_view(bag_layer, &view));
  CHECK(view.format == ROWMILL_BFLOAT16);
  rowmill_embedding_bag_destroy(bag_layer);
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

static void test_pool(void) {
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

static rowmill_plan* make_plan(const rowmill_ids* ids, int64_t rows) {
  rowmill_plan* plan = NULL;
  CHECK_OK(rowmill_plan_create(&plan));
  CHECK_OK(rowmill_plan_build(plan, ids, rows, ROWMILL_RANGE_ERROR, NULL));
  return plan;
}

/* A row of values or of a gradient for each bag. */
static void test_plan_of_bags(void) {
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

enum { kSgd, kAdagrad, kRowWiseAdagrad, kAdam, kPartialRowWiseAdam, kKinds };
static const char* const kNames[kKinds] = {"sgd", "adagrad", "row_wise_adagrad", "adam", "partial_row_wise_adam"};

struct optimizer_options {
  rowmill_sgd_options sgd;
  rowmill_adagrad_options adagrad;
  rowmill_row_wise_adagrad_options row_wise_adagrad;
  rowmill_adam_options adam;
  rowmill_partial_row_wise_adam_options partial_row_wise_adam;
};

static struct optimizer_options default_options(void) {
  struct optimizer_options all;
  CHECK_OK(rowmill_sgd_options_init(&all.sgd, sizeof all.sgd));
  CHECK_OK(rowmill_adagrad_options_init(&all.adagrad, sizeof all.adagrad));
  CHECK_OK(rowmill_row_wise_adagrad_options_init(&all.row_wise_adagrad, sizeof all.row_wise_adagrad));
  CHECK_OK(rowmill_adam_options_init(&all.adam, sizeof all.adam));
  CHECK_OK(rowmill_partial_row_wise_adam_options_init(&all.partial_row_wise_adam, sizeof all.partial_row_wise_adam));
  return all;
}

static void test_optimizer_defaults(void) {
  const struct optimizer_options all = default_options();
  const rowmill_sgd_options sgd = all.sgd;
  const rowmill_adagrad_options adagrad = all.adagrad;
  const rowmill_row_wise_adagrad_options row_wise = all.row_wise_adagrad;
  const rowmill_adam_options adam = all.adam;
  const rowmill_partial_row_wise_adam_options partial = all.partial_row_wise_adam;
  CHECK(sgd.learning_rate == 0.01 && sgd.momentum == 0 && sgd.nesterov == 0);
  CHECK(adagrad.learning_rate == 0.01 && adagrad.initial_accumulator == 0 && adagrad.epsilon == 1e-10);
  CHECK(row_wise.learning_rate == 0.01 && row_wise.initial_accumulator == 0 && row_wise.epsilon == 1e-8);
  CHECK(adam.learning_rate == 0.001 && adam.beta1 == 0.9 && adam.beta2 == 0.999 && adam.epsilon == 1e-8);
  CHECK(partial.learning_rate == 0.001 && partial.beta1 == 0.9 && partial.beta2 == 0.999 && partial.epsilon == 1e-8);
  CHECK(sgd.decay == ROWMILL_DECAY_NONE && sgd.weight_decay == 0);
  CHECK(adagrad.decay == ROWMILL_DECAY_NONE && adagrad.weight_decay == 0);
  CHECK(row_wise.decay == ROWMILL_DECAY_NONE && row_wise.weight_decay == 0);
  CHECK(adam.decay == ROWMILL_DECAY_NONE && adam.weight_decay == 0);
  CHECK(partial.decay == ROWMILL_DECAY_NONE && partial.weight_decay == 0);
}

static uint16_t upper_half(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return (uint16_t)(bits >> 16);
}

/* Lookups and updates of a table of bfloat16, with values that it holds exactly. */
static void test_bf16_operations(void) {
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
  CHECK_OK(rowmill_sgd_options_init(&sgd, sizeof sgd));
  sgd.learning_rate = 0.5;
  const struct {
    int64_t count, last_dim;
    const char* last_name;
  } states[kKinds] = {
      {0, 0, ""}, {1, kDim, "words.accumulator"}, {1, 1, "words.accumulator"}, {2, kDim, "words.v"}, {2, 1, "words.v"}};

  for (int kind = 0; kind < kKinds; ++kind) {
    /* One gradient, and the same in two passes with memory reserved. */
    float weights[2][kRows * kDim];
    for (int run = 0; run < 2; ++run) {
      rowmill_optimizer* optimizer = NULL;
      if (kind == kSgd) CHECK_OK(rowmill_sgd_create(kRows, kDim, NULL, &sgd, &optimizer));
      if (kind == kAdagrad) CHECK_OK(rowmill_adagrad_create(kRows, kDim, "words", NULL, &optimizer));
      if (kind == kRowWiseAdagrad) CHECK_OK(rowmill_row_wise_adagrad_create(kRows, kDim, "words", NULL, &optimizer));
      if (kind == kAdam) CHECK_OK(rowmill_adam_create(kRows, kDim, "words", NULL, &optimizer));
      if (kind == kPartialRowWiseAdam) {
        CHECK_OK(rowmill_partial_row_wise_adam_create(kRows, kDim, "words", NULL, &optimizer));
      }
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

      CHECK(strcmp(rowmill_optimizer_name(optimizer), kNames[kind]) == 0);
      CHECK(rowmill_optimizer_step_count(optimizer) == 2);
      CHECK(rowmill_optimizer_state_count(optimizer) == states[kind].count);
      if (states[kind].count > 0) {
        rowmill_view state;
        CHECK_OK(rowmill_optimizer_state(optimizer, states[kind].count - 1, &state));
        CHECK(state.rows == kRows && state.dim == states[kind].last_dim);
        CHECK(strcmp(state.name, states[kind].last_name) == 0);
        const float* values = state.data;
        CHECK(values[0] == 0 && values[2 * state.dim] > 0); /* row 0 was not touched */
      }
      CHECK_OK(rowmill_optimizer_set_learning_rate(optimizer, 0.25));
      CHECK(rowmill_optimizer_learning_rate(optimizer) == 0.25);
      rowmill_optimizer_destroy(optimizer);
    }
    CHECK(equal(weights[0], weights[1], kRows * kDim));
    float start[kRows * kDim];
    fill(start, kRows * kDim, 6);
    CHECK(equal(weights[0], start, 2 * kDim) && !equal(weights[0], start, kRows * kDim));
    if (kind == kSgd) {
      for (int c = 0; c < kDim; ++c) { /* two steps of half the gradient */
        CHECK(weights[0][2 * kDim + c] == start[2 * kDim + c] - (gradients[c] + gradients[2 * kDim + c]));
        CHECK(weights[0][7 * kDim + c] == start[7 * kDim + c] - gradients[kDim + c]);
      }
    }
  }
  rowmill_plan_destroy(plan);
  rowmill_optimizer_destroy(NULL);
}

/* Training that goes on from what a checkpoint would hold has the bits of training that went on. */
static void test_restore(void) {
  float gradients[2 * kDim], weights[2][kRows * kDim];
  fill(gradients, 2 * kDim, 8);
  fill(weights[0], kRows * kDim, 9);
  const int32_t rows[] = {2, 7};
  const rowmill_ids ids = rowmill_make_ids(rows, 2, ROWMILL_INT32);
  const rowmill_view gradient = rowmill_make_view(gradients, 2, kDim);
  const rowmill_view view[2] = {rowmill_make_view(weights[0], kRows, kDim), rowmill_make_view(weights[1], kRows, kDim)};
  rowmill_plan* plan = NULL;
  CHECK_OK(rowmill_plan_create(&plan));
  CHECK_OK(rowmill_plan_build(plan, &ids, kRows, ROWMILL_RANGE_ERROR, NULL));

  rowmill_optimizer* adam = NULL;
  CHECK_OK(rowmill_adam_create(kRows, kDim, "words", NULL, &adam));
  for (int t = 0; t < 3; ++t) CHECK_OK(rowmill_optimizer_step(adam, &view[0], plan, &gradient, 1, NULL));
  rowmill_optimizer_progress progress;
  CHECK_OK(rowmill_optimizer_progress_init(&progress, sizeof progress));
  CHECK(progress.step_count == 0 && progress.beta1_power == -1 && progress.beta2_power == -1);
  CHECK_OK(rowmill_optimizer_get_progress(adam, &progress));
  CHECK(progress.step_count == 3 && progress.beta1_power == 0.9 * 0.9 * 0.9 &&
        progress.beta2_power == 0.999 * 0.999 * 0.999);
  rowmill_view state[2];
  for (int s = 0; s < 2; ++s) CHECK_OK(rowmill_optimizer_state(adam, s, &state[s]));

  rowmill_optimizer* resumed[2] = {NULL, NULL};
  for (int r = 0; r < 2; ++r) {
    CHECK_OK(rowmill_adam_create(kRows, kDim, NULL, NULL, &resumed[r]));
    CHECK_OK(rowmill_optimizer_restore(resumed[r], &progress, state, 2));
    CHECK(rowmill_optimizer_step_count(resumed[r]) == 3);
    progress.beta1_power = progress.beta2_power = -1; /* the second multiplies again */
  }
  float start[kRows * kDim];
  memcpy(start, weights[0], sizeof start);
  CHECK_OK(rowmill_optimizer_step(adam, &view[0], plan, &gradient, 1, NULL));
  CHECK(!equal(weights[0], start, kRows * kDim));
  for (int r = 0; r < 2; ++r) {
    memcpy(weights[1], start, sizeof start);
    CHECK_OK(rowmill_optimizer_step(resumed[r], &view[1], plan, &gradient, 1, NULL));
    CHECK(equal(weights[0], weights[1], kRows * kDim));
  }

  CHECK_FAILS(rowmill_optimizer_restore(adam, &progress, state, 1), ROWMILL_SHAPE_MISMATCH, "1 state tables are given");
  CHECK_FAILS(rowmill_optimizer_restore(adam, &progress, NULL, 2), ROWMILL_INVALID_ARGUMENT, "state is a null pointer");
  CHECK_FAILS(rowmill_optimizer_restore(adam, NULL, state, 2), ROWMILL_INVALID_ARGUMENT, "progress is a null pointer");
  CHECK_FAILS(rowmill_optimizer_restore(adam, &progress, state, -1), ROWMILL_INVALID_ARGUMENT, "state_count is -1");
  progress.step_count = -2;
  CHECK_FAILS(rowmill_optimizer_restore(adam, &progress, state, 2), ROWMILL_INVALID_ARGUMENT, "step_count is -2");
  progress.struct_size = 8;
  CHECK_FAILS(rowmill_optimizer_restore(adam, &progress, state, 2), ROWMILL_INVALID_ARGUMENT, "options is 8");
  CHECK_FAILS(rowmill_optimizer_get_progress(adam, &progress), ROWMILL_INVALID_ARGUMENT, "options is 8");
  CHECK(rowmill_optimizer_step_count(adam) == 4);
  for (int r = 0; r < 2; ++r) rowmill_optimizer_destroy(resumed[r]);
  rowmill_optimizer_destroy(adam);
  rowmill_plan_destroy(plan);
}

/* Each option reaches its optimizer: chosen so that a step or two show it in floats that are exact. */
static void test_optimizer_options(void) {
  const int32_t row = 0;
  const rowmill_ids ids = rowmill_make_ids(&row, 1, ROWMILL_INT32);
  rowmill_plan* plan = make_plan(&ids, 2);
  float g[2] = {1, 7}; /* the mean of the squares is 25 */
  const rowmill_view gradient = rowmill_make_view(g, 1, 2);
  float weights[4] = {0};
  const rowmill_view view = rowmill_make_view(weights, 2, 2);
  rowmill_view state;
  rowmill_optimizer* optimizer = NULL;

  rowmill_sgd_options sgd;
  CHECK_OK(rowmill_sgd_options_init(&sgd, sizeof sgd));
  sgd.learning_rate = 4;
  sgd.momentum = 0.5;
  for (sgd.nesterov = 0; sgd.nesterov < 2; ++sgd.nesterov) {
    memset(weights, 0, sizeof weights);
    CHECK_OK(rowmill_sgd_create(2, 2, "words", &sgd, &optimizer));
    for (int step = 0; step < 2; ++step) CHECK_OK(rowmill_optimizer_step(optimizer, &view, plan, &gradient, 1, NULL));
    CHECK(rowmill_optimizer_state_count(optimizer) == 1);
    CHECK_OK(rowmill_optimizer_state(optimizer, 0, &state));
    CHECK(((float*)state.data)[0] == 1.5F && strcmp(state.name, "words.momentum") == 0); /* 0.5 * 1 + 1 */
    CHECK(weights[0] == (sgd.nesterov ? -13 : -10)); /* 4 * (1.5 + 1.75), 4 * (1 + 1.5) */
    rowmill_optimizer_destroy(optimizer);
  }

  rowmill_adagrad_options adagrad;
  CHECK_OK(rowmill_adagrad_options_init(&adagrad, sizeof adagrad));
  adagrad.learning_rate = 8;
  adagrad.initial_accumulator = 15;
  adagrad.epsilon = 4;
  memset(weights, 0, sizeof weights);
  CHECK_OK(rowmill_adagrad_create(2, 2, NULL, &adagrad, &optimizer));
  CHECK_OK(rowmill_optimizer_step(optimizer, &view, plan, &gradient, 1, NULL));
  CHECK_OK(rowmill_optimizer_state(optimizer, 0, &state));
  CHECK(((float*)state.data)[0] == 16 && ((float*)state.data)[2] == 15 && weights[0] == -1); /* 8 * 1 / (4 + 4) */
  rowmill_optimizer_destroy(optimizer);

  rowmill_row_wise_adagrad_options row_wise;
  CHECK_OK(rowmill_row_wise_adagrad_options_init(&row_wise, sizeof row_wise));
  row_wise.learning_rate = 16;
  row_wise.initial_accumulator = 11;
  row_wise.epsilon = 2;
  memset(weights, 0, sizeof weights);
  CHECK_OK(rowmill_row_wise_adagrad_create(2, 2, NULL, &row_wise, &optimizer));
  CHECK_OK(rowmill_optimizer_step(optimizer, &view, plan, &gradient, 1, NULL));
  CHECK_OK(rowmill_optimizer_state(optimizer, 0, &state));
  CHECK(((float*)state.data)[0] == 36 && ((float*)state.data)[1] == 11); /* 11 + 25 */
  CHECK(weights[0] == -2 && weights[1] == -14);                          /* 16 / (6 + 2) * g */
  rowmill_optimizer_destroy(optimizer);

  rowmill_adam_options adam;
  CHECK_OK(rowmill_adam_options_init(&adam, sizeof adam));
  adam.learning_rate = 2;
  adam.beta1 = 0.5;
  adam.beta2 = 0.75;
  adam.epsilon = 3;
  memset(weights, 0, sizeof weights);
  CHECK_OK(rowmill_adam_create(2, 2, NULL, &adam, &optimizer));
  CHECK_OK(rowmill_optimizer_step(optimizer, &view, plan, &gradient, 1, NULL));
  CHECK_OK(rowmill_optimizer_state(optimizer, 0, &state));
  CHECK(((float*)state.data)[0] == 0.5F); /* 0.5 * 1 */
  CHECK_OK(rowmill_optimizer_state(optimizer, 1, &state));
  CHECK(((float*)state.data)[0] == 0.25F); /* 0.25 * 1 */
  CHECK(weights[0] == -0.5F);              /* 2 / 0.5 * 0.5 / (0.5 / 0.5 + 3) */
  rowmill_optimizer_destroy(optimizer);

  rowmill_partial_row_wise_adam_options partial;
  CHECK_OK(rowmill_partial_row_wise_adam_options_init(&partial, sizeof partial));
  partial.learning_rate = 4;
  partial.beta1 = 0.5;
  partial.beta2 = 0.75;
  partial.epsilon = 3;
  memset(weights, 0, sizeof weights);
  CHECK_OK(rowmill_partial_row_wise_adam_create(2, 2, NULL, &partial, &optimizer));
  CHECK_OK(rowmill_optimizer_step(optimizer, &view, plan, &gradient, 1, NULL));
  CHECK_OK(rowmill_optimizer_state(optimizer, 1, &state));
  CHECK(((float*)state.data)[0] == 6.25F);           /* 0.25 * 25 */
  CHECK(weights[0] == -0.5F && weights[1] == -3.5F); /* 4 / 0.5 / (2.5 / 0.5 + 3) * (0.5 * g) */
  rowmill_optimizer_destroy(optimizer);
  rowmill_plan_destroy(plan);
}

/* Of a 1 x 1 table; options that give the same exact floats in every Adagrad and Adam. */
static rowmill_optimizer* make_decaying(int kind, rowmill_weight_decay decay, double weight_decay) {
  struct optimizer_options all = default_options();
  all.sgd.learning_rate = all.adagrad.learning_rate = all.row_wise_adagrad.learning_rate = 2;
  all.adam.learning_rate = all.partial_row_wise_adam.learning_rate = 2;
  all.sgd.decay = all.adagrad.decay = all.row_wise_adagrad.decay = all.adam.decay = all.partial_row_wise_adam.decay =
      decay;
  all.sgd.weight_decay = all.adagrad.weight_decay = all.row_wise_adagrad.weight_decay = weight_decay;
  all.adam.weight_decay = all.partial_row_wise_adam.weight_decay = weight_decay;
  all.adagrad.epsilon = all.row_wise_adagrad.epsilon = all.adam.epsilon = all.partial_row_wise_adam.epsilon = 1;
  all.sgd.momentum = all.adam.beta1 = all.partial_row_wise_adam.beta1 = 0.5;
  all.adam.beta2 = all.partial_row_wise_adam.beta2 = 0.75;
  rowmill_optimizer* optimizer = NULL;
  if (kind == kSgd) CHECK_OK(rowmill_sgd_create(1, 1, NULL, &all.sgd, &optimizer));
  if (kind == kAdagrad) CHECK_OK(rowmill_adagrad_create(1, 1, NULL, &all.adagrad, &optimizer));
  if (kind == kRowWiseAdagrad) CHECK_OK(rowmill_row_wise_adagrad_create(1, 1, NULL, &all.row_wise_adagrad, &optimizer));
  if (kind == kAdam) CHECK_OK(rowmill_adam_create(1, 1, NULL, &all.adam, &optimizer));
  if (kind == kPartialRowWiseAdam)
    CHECK_OK(rowmill_partial_row_wise_adam_create(1, 1, NULL, &all.partial_row_wise_adam, &optimizer));
  return optimizer;
}

static void test_weight_decay(void) {
  const int32_t row = 0;
  const rowmill_ids ids = rowmill_make_ids(&row, 1, ROWMILL_INT32);
  rowmill_plan* plan = make_plan(&ids, 1);
  float g = 1;
  const rowmill_view gradient = rowmill_make_view(&g, 1, 1);
  const struct {
    rowmill_weight_decay decay;
    double weight_decay;
    float sgd, others; /* what 8 becomes: 2 * g less, and 2 * g / (g + 1) less */
    float decayed_g;
  } cases[] = {{ROWMILL_DECAY_NONE, 0, 6, 7, 1},
               {ROWMILL_DECAY_L2, 0.25, 2, 6.5F, 3},      /* g = 1 + 0.25 * 8 */
               {ROWMILL_DECAY_DECOUPLED, 0.25, 2, 3, 1}}; /* 8 * (1 - 2 * 0.25) = 4 */
  for (int i = 0; i < 3; ++i) {
    for (int kind = 0; kind < kKinds; ++kind) {
      float weight = 8;
      const rowmill_view view = rowmill_make_view(&weight, 1, 1);
      rowmill_optimizer* optimizer = make_decaying(kind, cases[i].decay, cases[i].weight_decay);
      CHECK_OK(rowmill_optimizer_step(optimizer, &view, plan, &gradient, 1, NULL));
      CHECK(weight == (kind == kSgd ? cases[i].sgd : cases[i].others));
      rowmill_view state;
      CHECK_OK(rowmill_optimizer_state(optimizer, 0, &state));
      const float seen = cases[i].decayed_g;
      const float momentum = kind == kSgd ? seen : 0.5F * seen;
      const bool is_adagrad = kind == kAdagrad || kind == kRowWiseAdagrad;
      CHECK(*(float*)state.data == (is_adagrad ? seen * seen : momentum));
      rowmill_optimizer_destroy(optimizer);
    }
  }
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

  /* Every optimizer, and no more than one. */
  const struct optimizer_options all = default_options();
  for (int kind = 0; kind < kKinds; ++kind) {
    CHECK_OK(rowmill_embedding_options_init(&options, sizeof options));
    if (kind == kSgd) options.sgd = &all.sgd;
    if (kind == kAdagrad) options.adagrad = &all.adagrad;
    if (kind == kRowWiseAdagrad) options.row_wise_adagrad = &all.row_wise_adagrad;
    if (kind == kAdam) options.adam = &all.adam;
    if (kind == kPartialRowWiseAdam) options.partial_row_wise_adam = &all.partial_row_wise_adam;
    CHECK_OK(rowmill_embedding_create(kRows, kDim, &options, &layer));
    CHECK(strcmp(rowmill_optimizer_name(rowmill_embedding_optimizer(layer)), kNames[kind]) == 0);
    rowmill_embedding_destroy(layer);
  }
  options.row_wise_adagrad = &all.row_wise_adagrad;
  layer = NULL;
  CHECK_FAILS(rowmill_embedding_create(kRows, kDim, &options, &layer), ROWMILL_INVALID_ARGUMENT,
              "rowmill: embedding_create: more than one of sgd, adagrad, row_wise_adagrad, adam and "
              "partial_row_wise_adam is given");
  options.row_wise_adagrad = NULL;
  options.padding_id = kRows;
  CHECK_FAILS(rowmill_embedding_create(kRows, kDim, &options, &layer), ROWMILL_INVALID_ARGUMENT, "padding_id is 10");
  CHECK(layer == NULL);
}

static void test_embedding_bag(void) {
  rowmill_sgd_options sgd;
  CHECK_OK(rowmill_sgd_options_init(&sgd, sizeof sgd));
  sgd.learning_rate = 1;
  rowmill_embedding_bag_options options;
  CHECK_OK(rowmill_embedding_bag_options_init(&options, sizeof options));
  CHECK(options.pooling == ROWMILL_POOL_MEAN);
  options.name = "words";
  options.initializer = ROWMILL_INIT_CONSTANT;
  options.a = 4;
  options.out_of_range = ROWMILL_RANGE_ZERO;
  options.sgd = &sgd;

  const int32_t rows[] = {3, 5, 3, kRows};
  const int64_t offsets[] = {0, 2, 2, 4};
  const rowmill_ids ids = rowmill_make_ids(rows, 4, ROWMILL_INT32);
  const rowmill_bags bags = rowmill_make_bags(ids, rowmill_make_ids(offsets, 4, ROWMILL_INT64));
  rowmill_workspace* workspace = NULL;
  CHECK_OK(rowmill_workspace_create(&workspace));
  CHECK_OK(rowmill_workspace_reserve(workspace, rowmill_pool_memory_required(4)));
  const size_t capacity = rowmill_workspace_capacity(workspace);
  for (options.pooling = ROWMILL_POOL_SUM; options.pooling <= ROWMILL_POOL_MEAN; ++options.pooling) {
    const bool mean = options.pooling == ROWMILL_POOL_MEAN;
    rowmill_embedding_bag* layer = NULL;
    CHECK_OK(rowmill_embedding_bag_create(kRows, kDim, &options, &layer));
    float out[3 * kDim];
    const rowmill_view out_view = rowmill_make_view(out, 3, kDim);
    CHECK_OK(rowmill_embedding_bag_forward(layer, &bags, &out_view, NULL));
    CHECK(out[0] == (mean ? 4 : 8) && out[kDim] == 0 && out[2 * kDim] == (mean ? 2 : 4)); /* the last row is 0 */
    memset(out, 0, sizeof out);
    CHECK_OK(rowmill_embedding_bag_forward(layer, &bags, &out_view, workspace));
    CHECK(out[0] == (mean ? 4 : 8) && out[kDim] == 0 && out[2 * kDim] == (mean ? 2 : 4));

    float gradients[3 * kDim];
    for (int i = 0; i < 3 * kDim; ++i) gradients[i] = 0.5F;
    const rowmill_view gradient = rowmill_make_view(gradients, 3, kDim);
    CHECK_OK(rowmill_embedding_bag_backward(layer, &bags, &gradient));
    CHECK_OK(rowmill_embedding_bag_zero_grad(layer));
    CHECK_OK(rowmill_embedding_bag_backward(layer, &bags, &gradient));
    CHECK_OK(rowmill_embedding_bag_backward(layer, &bags, &gradient));
    CHECK_OK(rowmill_embedding_bag_step(layer));
    rowmill_view table;
    CHECK_OK(rowmill_embedding_bag_table_view(layer, &table));
    const float* values = table.data;
    CHECK(values[0] == 4 && strcmp(table.name, "words") == 0);
    CHECK(values[3 * kDim] == (mean ? 3 : 2));    /* 4 - 2 * (0.25 + 0.25), 4 - 2 * (0.5 + 0.5) */
    CHECK(values[5 * kDim] == (mean ? 3.5F : 3)); /* 4 - 2 * 0.25, 4 - 2 * 0.5 */
    rowmill_optimizer* optimizer = rowmill_embedding_bag_optimizer(layer);
    CHECK(rowmill_optimizer_step_count(optimizer) == 1 && rowmill_optimizer_learning_rate(optimizer) == 1);
    rowmill_embedding_bag_destroy(layer);
  }
  CHECK(rowmill_workspace_capacity(workspace) == capacity);
  rowmill_workspace_destroy(workspace);
  rowmill_embedding_bag_destroy(NULL);

  const struct optimizer_options all = default_options();
  rowmill_embedding_bag* layer = NULL;
  for (int kind = 0; kind < kKinds; ++kind) {
    CHECK_OK(rowmill_embedding_bag_options_init(&options, sizeof options));
    if (kind == kSgd) options.sgd = &all.sgd;
    if (kind == kAdagrad) options.adagrad = &all.adagrad;
    if (kind == kRowWiseAdagrad) options.row_wise_adagrad = &all.row_wise_adagrad;
    if (kind == kAdam) options.adam = &all.adam;
    if (kind == kPartialRowWiseAdam) options.partial_row_wise_adam = &all.partial_row_wise_adam;
    CHECK_OK(rowmill_embedding_bag_create(kRows, kDim, &options, &layer));
    CHECK(strcmp(rowmill_optimizer_name(rowmill_embedding_bag_optimizer(layer)), kNames[kind]) == 0);
    rowmill_embedding_bag_destroy(layer);
  }
  options.sgd = &all.sgd;
  layer = NULL;
  CHECK_FAILS(rowmill_embedding_bag_create(kRows, kDim, &options, &layer), ROWMILL_INVALID_ARGUMENT,
              "rowmill: embedding_bag_create: more than one of sgd, adagrad, row_wise_adagrad, adam and "
              "partial_row_wise_adam is given");
  options.sgd = NULL;
  options.pooling = 2;
  CHECK_FAILS(rowmill_embedding_bag_create(kRows, kDim, &options, &layer), ROWMILL_INVALID_ARGUMENT,
              "pooling is 2; allowed: 0 to 1");
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
  rowmill_embedding_bag* bag_layer = NULL;
  CHECK_OK(rowmill_embedding_bag_create(kRows, kDim, NULL, &bag_layer));

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
  rowmill_bags bags = rowmill_make_batch(ids, 1, kCount);
  rowmill_view row = rowmill_make_view(other, 1, kDim);
  const char* bad_bag = "ids[1] (bag 0) = 10 is out of range for table 'words' of 10 rows (allowed: 0 to 9)";
  CHECK_FAILS(rowmill_pool(&view, &bags, &row, NULL, NULL), ROWMILL_ID_OUT_OF_RANGE, bad_bag);
  CHECK(rowmill_last_error_position() == 1 && rowmill_last_error_value() == kRows);
  CHECK_FAILS(rowmill_plan_build_bags(plan, &bags, kRows, ROWMILL_RANGE_ERROR, "words"), ROWMILL_ID_OUT_OF_RANGE,
              bad_bag);
  CHECK(rowmill_plan_gradient_rows(plan) == kCount);
  CHECK_FAILS(rowmill_embedding_bag_forward(bag_layer, &bags, &row, NULL), ROWMILL_ID_OUT_OF_RANGE, "(bag 0) = 10");
  CHECK_FAILS(rowmill_embedding_bag_backward(bag_layer, &bags, &row), ROWMILL_ID_OUT_OF_RANGE, "(bag 0) = 10");
  values[1] = 2;

  /* Bags that do not fit their ids. */
  bags.size = 2;
  CHECK_FAILS(rowmill_pool(&view, &bags, &row, NULL, NULL), ROWMILL_SHAPE_MISMATCH, "ids (3) are not 2 bags of 3");
  CHECK_FAILS(rowmill_plan_build_bags(plan, &bags, kRows, ROWMILL_RANGE_ERROR, NULL), ROWMILL_SHAPE_MISMATCH,
              "plan: ids (3) are not 2 bags of 3");
  int32_t offsets[] = {0, 2, kCount};
  bags = rowmill_make_bags(ids, rowmill_make_ids(offsets, 3, ROWMILL_INT32));
  CHECK_FAILS(rowmill_pool(&view, &bags, &row, NULL, NULL), ROWMILL_SHAPE_MISMATCH, "out (1 x 4) must be 2 x 4");
  row.rows = 2;
  offsets[1] = 4;
  CHECK_FAILS(rowmill_pool(&view, &bags, &row, NULL, NULL), ROWMILL_INVALID_ARGUMENT,
              "rowmill: pool: offsets[1] = 4; it must be 0 to 3");
  CHECK(rowmill_last_error_position() == 1 && rowmill_last_error_value() == 4);
  offsets[1] = 2;
  bags.size = 1;
  CHECK_FAILS(rowmill_pool(&view, &bags, &row, NULL, NULL), ROWMILL_INVALID_ARGUMENT,
              "bags.size is 1; allowed: 2 to 2");
  bags.size = 2;
  bags.has_offsets = ROWMILL_OFFSETS_WITHOUT_LAST;
  CHECK_FAILS(rowmill_pool(&view, &bags, &row, NULL, NULL), ROWMILL_INVALID_ARGUMENT,
              "bags.size is 2; allowed: 3 to 3");
  bags.has_offsets = 3;
  CHECK_FAILS(rowmill_pool(&view, &bags, &row, NULL, NULL), ROWMILL_INVALID_ARGUMENT,
              "has_offsets is 3; allowed: 0 to 2");
  bags.has_offsets = 1;
  bags.offsets.type = 0;
  CHECK_FAILS(rowmill_pool(&view, &bags, &row, NULL, NULL), ROWMILL_INVALID_ARGUMENT,
              "offsets.type is 0; allowed: 32, 64");
  bags.offsets.type = ROWMILL_INT32;
  bags.offsets.data = NULL;
  CHECK_FAILS(rowmill_pool(&view, &bags, &row, NULL, NULL), ROWMILL_INVALID_ARGUMENT, "offsets (3) has a null pointer");
  bags.offsets.count = 0;
  CHECK_FAILS(rowmill_pool(&view, &bags, &row, NULL, NULL), ROWMILL_INVALID_ARGUMENT, "offsets.count is 0; allowed: 1");
  bags.offsets = rowmill_make_ids(offsets, 3, ROWMILL_INT32);
  bags.ids.type = 0;
  CHECK_FAILS(rowmill_pool(&view, &bags, &row, NULL, NULL), ROWMILL_INVALID_ARGUMENT, "ids.type is 0");
  bags.ids.type = ROWMILL_INT32;

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
  const rowmill_view two_rows = rowmill_make_view(table + 8, 2, kDim);
  CHECK_FAILS(rowmill_pool(&view, &bags, &two_rows, NULL, NULL), ROWMILL_OVERLAP, "shares elements with table");
  rowmill_view own_table;
  CHECK_OK(rowmill_embedding_bag_table_view(bag_layer, &own_table));
  own_table.rows = 2;
  CHECK_FAILS(rowmill_embedding_bag_backward(bag_layer, &bags, &own_table), ROWMILL_OVERLAP, "shares elements");

  /* Views and ids that no call accepts. */
  rows.format = 5;
  CHECK_FAILS(rowmill_gather(&view, &ids, &rows, NULL), ROWMILL_INVALID_ARGUMENT, "out.format is 5; allowed: 0 to 1");
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
  rowmill_pool_options pool;
  CHECK_OK(rowmill_pool_options_init(&pool, sizeof pool));
  pool.pooling = 2;
  CHECK_FAILS(rowmill_pool(&view, &bags, &row, &pool, NULL), ROWMILL_INVALID_ARGUMENT, "pooling is 2; allowed: 0 to 1");
  pool.pooling = ROWMILL_POOL_SUM;
  pool.out_of_range = 4;
  CHECK_FAILS(rowmill_pool(&view, &bags, &row, &pool, NULL), ROWMILL_INVALID_ARGUMENT, "out_of_range is 4");
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
  rowmill_sgd_options sgd_options;
  CHECK_OK(rowmill_sgd_options_init(&sgd_options, sizeof sgd_options));
  sgd_options.nesterov = 1;
  CHECK_FAILS(rowmill_sgd_create(kRows, kDim, NULL, &sgd_options, &optimizer), ROWMILL_INVALID_ARGUMENT,
              "nesterov needs a momentum");
  sgd_options.momentum = 1;
  CHECK_FAILS(rowmill_sgd_create(kRows, kDim, NULL, &sgd_options, &optimizer), ROWMILL_INVALID_ARGUMENT,
              "momentum is 1");
  sgd_options.momentum = 0.5;
  sgd_options.weight_decay = 0.5;
  CHECK_FAILS(rowmill_sgd_create(kRows, kDim, NULL, &sgd_options, &optimizer), ROWMILL_INVALID_ARGUMENT,
              "but decay is none");
  sgd_options.decay = 258; /* 2 in the byte that C++ has for it */
  CHECK_FAILS(rowmill_sgd_create(kRows, kDim, NULL, &sgd_options, &optimizer), ROWMILL_INVALID_ARGUMENT,
              "rowmill: sgd: decay is 258; allowed: 0 to 2");
  CHECK(optimizer == NULL);
  CHECK_FAILS(rowmill_sgd_create(kRows, -1, NULL, NULL, &optimizer), ROWMILL_INVALID_ARGUMENT, "dim -1");
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
  CHECK(rowmill_pool_memory_required(-1) == 0);
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
  rowmill_embedding_bag_destroy(bag_layer);
}

static void test_null_pointers(void) {
  float numbers[kDim] = {0};
  const int32_t row = 0;
  const rowmill_view view = rowmill_make_view(numbers, 1, kDim);
  const rowmill_ids ids = rowmill_make_ids(&row, 1, ROWMILL_INT32);
  const rowmill_bags bags = rowmill_make_batch(ids, 1, 1);
  rowmill_plan* plan = make_plan(&ids, 1);
  rowmill_optimizer* sgd = NULL;
  CHECK_OK(rowmill_sgd_create(1, kDim, NULL, NULL, &sgd));
  rowmill_view result;
#define CHECK_NULL(call, argument) CHECK_FAILS(call, ROWMILL_INVALID_ARGUMENT, argument " is a null pointer")
  CHECK_NULL(rowmill_find_bad_id(NULL, 1, 0, (int64_t[1]){0}, NULL), "find_bad_id: ids");
  CHECK_NULL(rowmill_find_bad_id(&ids, 1, 0, NULL, NULL), "find_bad_id: position");
  CHECK_NULL(rowmill_table_options_init(NULL, sizeof(rowmill_table_options)), "table_options_init: options");
  CHECK_NULL(rowmill_gather_options_init(NULL, sizeof(rowmill_gather_options)), "gather_options_init: options");
  CHECK_NULL(rowmill_pool_options_init(NULL, sizeof(rowmill_pool_options)), "pool_options_init: options");
  CHECK_NULL(rowmill_scatter_add_options_init(NULL, sizeof(rowmill_scatter_add_options)), "_init: options");
  CHECK_NULL(rowmill_sgd_options_init(NULL, sizeof(rowmill_sgd_options)), "sgd_options_init: options");
  CHECK_NULL(rowmill_adagrad_options_init(NULL, sizeof(rowmill_adagrad_options)), "adagrad_options_init: options");
  CHECK_NULL(rowmill_adam_options_init(NULL, sizeof(rowmill_adam_options)), "adam_options_init: options");
  CHECK_NULL(rowmill_row_wise_adagrad_options_init(NULL, sizeof(rowmill_row_wise_adagrad_options)), "_init: options");
  CHECK_NULL(rowmill_partial_row_wise_adam_options_init(NULL, sizeof(rowmill_partial_row_wise_adam_options)),
             "_init: options");
  CHECK_NULL(rowmill_embedding_options_init(NULL, sizeof(rowmill_embedding_options)), "_init: options");
  CHECK_NULL(rowmill_embedding_bag_options_init(NULL, sizeof(rowmill_embedding_bag_options)), "_init: options");
  CHECK_NULL(rowmill_table_create(1, 1, NULL, NULL), "table_create: table");
  CHECK_NULL(rowmill_table_view(NULL, &result), "table_view: table");
  CHECK_NULL(rowmill_gather(NULL, &ids, &view, NULL), "gather: table");
  CHECK_NULL(rowmill_gather(&view, NULL, &view, NULL), "gather: ids");
  CHECK_NULL(rowmill_gather(&view, &ids, NULL, NULL), "gather: out");
  CHECK_NULL(rowmill_pool(NULL, &bags, &view, NULL, NULL), "pool: table");
  CHECK_NULL(rowmill_pool(&view, NULL, &view, NULL, NULL), "pool: bags");
  CHECK_NULL(rowmill_pool(&view, &bags, NULL, NULL, NULL), "pool: out");
  CHECK_NULL(rowmill_workspace_create(NULL), "workspace_create: workspace");
  CHECK_NULL(rowmill_workspace_reserve(NULL, 1), "workspace_reserve: workspace");
  CHECK_NULL(rowmill_plan_create(NULL), "plan_create: plan");
  CHECK_NULL(rowmill_plan_build(NULL, &ids, 1, 0, NULL), "plan: plan");
  CHECK_NULL(rowmill_plan_build(plan, NULL, 1, 0, NULL), "plan: ids");
  CHECK_NULL(rowmill_plan_build_bags(NULL, &bags, 1, 0, NULL), "plan: plan");
  CHECK_NULL(rowmill_plan_build_bags(plan, NULL, 1, 0, NULL), "plan: bags");
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
  CHECK_NULL(rowmill_row_wise_adagrad_create(1, 1, NULL, NULL, NULL), "row_wise_adagrad: optimizer");
  CHECK_NULL(rowmill_partial_row_wise_adam_create(1, 1, NULL, NULL, NULL), "partial_row_wise_adam: optimizer");
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
  CHECK_NULL(rowmill_embedding_bag_create(1, 1, NULL, NULL), "embedding_bag_create: embedding_bag");
  CHECK_NULL(rowmill_embedding_bag_forward(NULL, &bags, &view, NULL), "embedding_bag: embedding_bag");
  CHECK_NULL(rowmill_embedding_bag_backward(NULL, &bags, &view), "embedding_bag: embedding_bag");
  CHECK_NULL(rowmill_embedding_bag_step(NULL), "embedding_bag: embedding_bag");
  CHECK_NULL(rowmill_embedding_bag_zero_grad(NULL), "embedding_bag: embedding_bag");
  CHECK_NULL(rowmill_embedding_bag_table_view(NULL, &result), "embedding_bag_table_view: embedding_bag");
  CHECK(rowmill_workspace_capacity(NULL) == 0);
  CHECK(rowmill_plan_id_count(NULL) == -1);
  CHECK(rowmill_plan_gradient_rows(NULL) == -1);
  CHECK(rowmill_plan_rows(NULL) == -1);
  CHECK(rowmill_plan_unique_count(NULL) == -1);
  CHECK(rowmill_optimizer_memory_required(NULL, 1, 1) == 0);
  CHECK(rowmill_optimizer_name(NULL) == NULL);
  CHECK(rowmill_optimizer_step_count(NULL) == -1);
  CHECK(rowmill_optimizer_learning_rate(NULL) == -1);
  CHECK(rowmill_optimizer_state_count(NULL) == -1);
  CHECK(rowmill_embedding_optimizer(NULL) == NULL);
  CHECK(rowmill_embedding_bag_optimizer(NULL) == NULL);
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
  const rowmill_bags bags = rowmill_make_batch(ids, kManyIds / 4, 4);
  const rowmill_view bag_gradient = rowmill_make_view(gradients, kManyIds / 4, kWide);
  rowmill_optimizer* adagrad = NULL;
  CHECK_OK(rowmill_row_wise_adagrad_create(kManyRows, kWide, NULL, NULL, &adagrad));
  rowmill_plan* bag_plan = NULL;
  CHECK_OK(rowmill_plan_create(&bag_plan));
  CHECK_OK(rowmill_plan_build_bags(bag_plan, &bags, kManyRows, ROWMILL_RANGE_ERROR, NULL));
  for (int step = 0; step < 3; ++step) {
    CHECK_OK(rowmill_optimizer_step(adam, &view, plan, &gradient, 1, NULL));
    CHECK_OK(rowmill_scatter_add(&view, &ids, &gradient, NULL, NULL));
    CHECK_OK(rowmill_gather(&view, &ids, &gradient, NULL));
    CHECK_OK(rowmill_pool(&view, &bags, &bag_gradient, NULL, NULL));
    CHECK_OK(rowmill_optimizer_step(adagrad, &view, bag_plan, &bag_gradient, 1, NULL));
  }
  rowmill_plan_destroy(bag_plan);
  rowmill_optimizer_destroy(adagrad);
  rowmill_plan_destroy(plan);
  rowmill_optimizer_destroy(adam);
  free(gradients);
  free(rows);
}

static int32_t all_threads;
static int32_t limited(int32_t threads) { return threads < all_threads ? threads : all_threads; }

/* A thread of its own has limits and errors of its own. */
static void* other_thread(void* main_weights) {
  CHECK(rowmill_threads() == all_threads);
  CHECK(rowmill_last_error_status() == ROWMILL_OK && strcmp(rowmill_last_error_message(), "") == 0);
  CHECK_OK(rowmill_set_threads(2));
  CHECK(rowmill_threads() == limited(2));
  float* weights = malloc(kManyRows * kWide * sizeof *weights);
  train(weights);
  CHECK(equal(weights, main_weights, kManyRows * kWide));
  free(weights);
  CHECK_FAILS(rowmill_table_view(NULL, NULL), ROWMILL_INVALID_ARGUMENT, "table_view: table is a null pointer");
  return NULL;
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

  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, other_thread, expected) == 0);
  train(weights);
  pthread_join(thread, NULL);
  CHECK(equal(weights, expected, kManyRows * kWide));
  CHECK(rowmill_threads() == 1);
  CHECK(strstr(rowmill_last_error_message(), "threads is -1") != NULL);
  CHECK_OK(rowmill_set_threads(0));
  CHECK(rowmill_threads() == all_threads);
  free(expected);
  free(weights);
}

static void test_outputs(void) {
  rowmill_output_allocator* allocator = NULL;
  CHECK_OK(rowmill_output_allocator_create(&allocator));
  rowmill_view first, second, third, empty;
  CHECK_OK(rowmill_output_make(allocator, kRows, kDim, &first));
  CHECK_OK(rowmill_output_make(allocator, kRows, kDim, &second));
  CHECK(first.rows == kRows && first.dim == kDim && first.row_stride == kDim && first.data != second.data);
  fill(first.data, kRows * kDim, 1);
  fill(second.data, kRows * kDim, 2);
  CHECK_OK(rowmill_output_release(allocator, first.data));
  CHECK_OK(rowmill_output_make(allocator, kRows, kDim, &third));
  CHECK(third.data == first.data);
  CHECK_OK(rowmill_output_make(allocator, 0, kDim, &empty));
  CHECK(empty.data == NULL && empty.dim == kDim);
  CHECK_OK(rowmill_output_release(allocator, NULL));
  CHECK_FAILS(rowmill_output_release(allocator, &first), ROWMILL_INVALID_ARGUMENT, "not that of an output");
  CHECK_FAILS(rowmill_output_make(allocator, -1, kDim, &empty), ROWMILL_INVALID_ARGUMENT, "output (-1 x 4)");
  CHECK_FAILS(rowmill_output_make(NULL, 1, kDim, &empty), ROWMILL_INVALID_ARGUMENT, "allocator");
  CHECK_FAILS(rowmill_output_make(allocator, 1, kDim, NULL), ROWMILL_INVALID_ARGUMENT, "output");
  CHECK_FAILS(rowmill_output_allocator_create(NULL), ROWMILL_INVALID_ARGUMENT, "allocator");
  rowmill_output_allocator_destroy(allocator); /* and with it two outputs that were not released */
  rowmill_output_allocator_destroy(NULL);
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
    test_formats();
    test_outputs();
    test_gather();
    test_pool();
    test_find_bad_id();
    test_scatter_add();
    test_plan_of_bags();
    test_optimizer_defaults();
    test_bf16_operations();
    test_optimizers();
    test_restore();
    test_optimizer_options();
    test_weight_decay();
    test_embedding();
    test_embedding_bag();
    test_errors();
    test_null_pointers();
    test_threads();
  }
  if (failures > 0) fprintf(stderr, "%d checks failed\n", failures);
  return failures > 0 ? 1 : 0;
}
