/* SPDX-License-Identifier: Apache-2.0 */
/* Versions, tables, formats and outputs. */
#include "check.h"

void test_versions(void) {
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

void test_tables(void) {
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
  rowmill_table* clone = NULL;
  rowmill_view clone_view;
  CHECK_OK(rowmill_table_clone(table, &clone));
  CHECK_OK(rowmill_table_view(clone, &clone_view));
  CHECK(view.data != clone_view.data && equal(view.data, clone_view.data, kRows * kDim));
  CHECK(strcmp(clone_view.name, "words") == 0);
  rowmill_table_destroy(clone);
  CHECK_FAILS(rowmill_table_clone(NULL, &clone), ROWMILL_INVALID_ARGUMENT, "table");

  float own[kRows * kDim];
  const rowmill_view own_view = rowmill_make_view(own, kRows, kDim);
  rowmill_table_options own_options;
  CHECK_OK(rowmill_table_options_init(&own_options, sizeof own_options));
  own_options.name = "words";
  own_options.seed = 5;
  own_options.initializer = ROWMILL_INIT_NORMAL;
  own_options.b = 1;
  CHECK_OK(rowmill_initialize(&own_view, &own_options));
  CHECK(equal(view.data, own, kRows * kDim));
  own_options.b = -1;
  CHECK_FAILS(rowmill_initialize(&own_view, &own_options), ROWMILL_INVALID_ARGUMENT, "stddev");
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

void test_formats(void) {
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

  options.format = 13;
  CHECK_FAILS(rowmill_table_create(1, 1, &options, &table), ROWMILL_INVALID_ARGUMENT, "format is 13; allowed: 0 to 12");
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

void test_outputs(void) {
  rowmill_output_allocator* allocator = NULL;
  CHECK_OK(rowmill_output_allocator_create(&allocator));
  rowmill_view first, second, third, empty;
  CHECK_OK(rowmill_output_make(allocator, kRows, kDim, &first));
  CHECK_OK(rowmill_output_make(allocator, kRows, kDim, &second));
  CHECK(first.rows == kRows && first.dim == kDim && first.row_stride == kDim && first.data != second.data);
  fill(first.data, kRows * kDim, 1);
  fill(second.data, kRows * kDim, 2);
  CHECK_OK(rowmill_output_release(allocator, first.data));
  CHECK(rowmill_output_allocator_idle_bytes(allocator) >= kRows * kDim * sizeof(float));
  CHECK_OK(rowmill_output_make(allocator, kRows, kDim, &third));
  CHECK(third.data == first.data);
  CHECK_OK(rowmill_output_make(allocator, 0, kDim, &empty));
  CHECK(empty.data == NULL && empty.dim == kDim);
  CHECK_OK(rowmill_output_release(allocator, NULL));
  CHECK_OK(rowmill_output_release(allocator, third.data));
  CHECK_OK(rowmill_output_allocator_trim(allocator));
  CHECK(rowmill_output_allocator_idle_bytes(allocator) == 0 && rowmill_output_allocator_idle_bytes(NULL) == 0);
  CHECK_FAILS(rowmill_output_release(allocator, &first), ROWMILL_INVALID_ARGUMENT, "not that of an output");
  CHECK_FAILS(rowmill_output_make(allocator, -1, kDim, &empty), ROWMILL_INVALID_ARGUMENT, "output (-1 x 4)");
  CHECK_FAILS(rowmill_output_make(NULL, 1, kDim, &empty), ROWMILL_INVALID_ARGUMENT, "allocator");
  CHECK_FAILS(rowmill_output_make(allocator, 1, kDim, NULL), ROWMILL_INVALID_ARGUMENT, "output");
  CHECK_FAILS(rowmill_output_allocator_create(NULL), ROWMILL_INVALID_ARGUMENT, "allocator");
  rowmill_output_allocator_destroy(allocator); /* and with it an output that was not released */
  rowmill_output_allocator_destroy(NULL);
}
