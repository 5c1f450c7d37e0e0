/* SPDX-License-Identifier: Apache-2.0 */
/* What is refused: wrong arguments, null pointers, an instruction set that does not exist. */
#include "check.h"

/* Each status that the operations give, with its message; and nothing is changed. */
void test_errors(void) {
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
  rows.format = 13;
  CHECK_FAILS(rowmill_gather(&view, &ids, &rows, NULL), ROWMILL_INVALID_ARGUMENT, "out.format is 13; allowed: 0 to 12");
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
  CHECK_FAILS(rowmill_find_bad_id(&ids, kRows, 5, &position, NULL), ROWMILL_INVALID_ARGUMENT,
              "rowmill: find_bad_id: out_of_range is 5; allowed: 0 to 4");
  CHECK(position == 5);
  CHECK_FAILS(rowmill_plan_build(plan, &ids, kRows, -1, NULL), ROWMILL_INVALID_ARGUMENT, "out_of_range is -1");
  rowmill_gather_options gather;
  CHECK_OK(rowmill_gather_options_init(&gather, sizeof gather));
  gather.stores = 3;
  CHECK_FAILS(rowmill_gather(&view, &ids, &rows, &gather), ROWMILL_INVALID_ARGUMENT, "stores is 3; allowed: 0 to 2");
  rowmill_pool_options pool;
  CHECK_OK(rowmill_pool_options_init(&pool, sizeof pool));
  pool.pooling = 4;
  CHECK_FAILS(rowmill_pool(&view, &bags, &row, &pool, NULL), ROWMILL_INVALID_ARGUMENT, "pooling is 4; allowed: 0 to 3");
  pool.pooling = ROWMILL_POOL_SUM;
  pool.out_of_range = 5;
  CHECK_FAILS(rowmill_pool(&view, &bags, &row, &pool, NULL), ROWMILL_INVALID_ARGUMENT, "out_of_range is 5");
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

/* Structs of a wrong size, and counts that are wrong. */
void test_errors_of_options(void) {
  float table[kRows * kDim], out[kDim];
  fill(table, kRows * kDim, 7);
  const rowmill_view view = rowmill_make_view(table, kRows, kDim);
  const rowmill_view row = rowmill_make_view(out, 1, kDim);
  const int32_t values[kCount] = {1, 2, 3};
  const rowmill_ids ids = rowmill_make_ids(values, kCount, ROWMILL_INT32);
  const rowmill_bags bags = rowmill_make_batch(ids, 1, kCount);
  rowmill_plan* plan = make_plan(&ids, kRows);

  rowmill_pool_options pool = {0};
  rowmill_plan_options plan_options = {0};
  rowmill_gradient_options gradient = {0};
  rowmill_max_norm_options max_norm = {0};
  CHECK_FAILS(rowmill_pool(&view, &bags, &row, &pool, NULL), ROWMILL_INVALID_ARGUMENT, "struct_size");
  CHECK_FAILS(rowmill_plan_build_with(plan, &ids, kRows, &plan_options), ROWMILL_INVALID_ARGUMENT, "struct_size");
  CHECK_FAILS(rowmill_plan_build_bags_with(plan, &bags, kRows, &plan_options), ROWMILL_INVALID_ARGUMENT, "struct_size");
  CHECK_FAILS(rowmill_dense_gradient(plan, &view, 1, &view, &gradient, NULL), ROWMILL_INVALID_ARGUMENT, "struct_size");
  CHECK_FAILS(rowmill_renormalize(&view, &ids, &max_norm, NULL), ROWMILL_INVALID_ARGUMENT, "struct_size");
  CHECK_FAILS(rowmill_plan_options_init(&plan_options, 8), ROWMILL_INVALID_ARGUMENT, "struct_size");
  CHECK_FAILS(rowmill_gradient_options_init(&gradient, 8), ROWMILL_INVALID_ARGUMENT, "struct_size");
  CHECK_FAILS(rowmill_max_norm_options_init(&max_norm, 8), ROWMILL_INVALID_ARGUMENT, "struct_size");

  CHECK_OK(rowmill_pool_options_init(&pool, sizeof pool));
  pool.weight_count = kCount;
  CHECK_FAILS(rowmill_pool(&view, &bags, &row, &pool, NULL), ROWMILL_INVALID_ARGUMENT, "weights is a null pointer");
  pool.weights = out;
  pool.weight_count = -1;
  CHECK_FAILS(rowmill_pool(&view, &bags, &row, &pool, NULL), ROWMILL_INVALID_ARGUMENT, "weights' count is -1");
  pool.weight_count = 2;
  CHECK_FAILS(rowmill_pool(&view, &bags, &row, &pool, NULL), ROWMILL_SHAPE_MISMATCH, "weights (2)");
  CHECK_OK(rowmill_pool_options_init(&pool, sizeof pool));
  pool.divisor = 2;
  CHECK_FAILS(rowmill_pool(&view, &bags, &row, &pool, NULL), ROWMILL_INVALID_ARGUMENT, "divisor is 2; allowed: 0 to 1");
  pool.divisor = ROWMILL_DIVISOR_WEIGHTS;
  CHECK_FAILS(rowmill_pool(&view, &bags, &row, &pool, NULL), ROWMILL_INVALID_ARGUMENT, "divisor");

  rowmill_strided_ids strided = {values, kCount, 1, 64 + 32};
  rowmill_ids of_strided = rowmill_make_strided(&strided);
  CHECK_FAILS(rowmill_plan_build(plan, &of_strided, kRows, 0, NULL), ROWMILL_INVALID_ARGUMENT,
              "the type of strided ids is 96; allowed: 32, 64");
  of_strided.count = 2;
  CHECK_FAILS(rowmill_plan_build(plan, &of_strided, kRows, 0, NULL), ROWMILL_INVALID_ARGUMENT, "ids.count is 2");
  rowmill_plan_destroy(plan);
}

void test_null_pointers(void) {
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
  CHECK_NULL(rowmill_convert(NULL, &view, NULL), "convert: from");
  CHECK_NULL(rowmill_convert(&view, NULL, NULL), "convert: to");
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
  int64_t number = 0;
  float value = 0;
  int32_t winner = 0;
  rowmill_bags made;
  const rowmill_ids no_strided = rowmill_make_ids(NULL, 1, ROWMILL_STRIDED);
  CHECK_NULL(rowmill_find_bad_id_padded(NULL, 1, 0, 5, &number, NULL), "find_bad_id: ids");
  CHECK_NULL(rowmill_find_bad_id(&no_strided, 1, 0, &number, NULL), "find_bad_id: ids.data");
  CHECK_NULL(rowmill_bags_from_lengths(NULL, &ids, &number, 1, &made), "bags: ids");
  CHECK_NULL(rowmill_bags_from_lengths(&ids, NULL, &number, 1, &made), "bags: lengths");
  CHECK_NULL(rowmill_bags_from_lengths(&ids, &ids, NULL, 2, &made), "bags: offsets");
  CHECK_NULL(rowmill_bags_from_lengths(&ids, &ids, &number, 1, NULL), "bags: bags");
  CHECK_NULL(rowmill_find_winners(NULL, &bags, &winner, 1, NULL, NULL), "find_winners: table");
  CHECK_NULL(rowmill_find_winners(&view, NULL, &winner, 1, NULL, NULL), "find_winners: bags");
  CHECK_NULL(rowmill_find_winners(&view, &bags, NULL, kDim, NULL, NULL), "find_winners: winners");
  CHECK_NULL(rowmill_pool_weight_gradients(NULL, &bags, &view, &value, 1, NULL, NULL), "gradients: table");
  CHECK_NULL(rowmill_pool_weight_gradients(&view, NULL, &view, &value, 1, NULL, NULL), "gradients: bags");
  CHECK_NULL(rowmill_pool_weight_gradients(&view, &bags, NULL, &value, 1, NULL, NULL), "gradients: gradient");
  CHECK_NULL(rowmill_pool_weight_gradients(&view, &bags, &view, NULL, 1, NULL, NULL), "gradients: out");
  CHECK_NULL(rowmill_max_norm_options_init(NULL, sizeof(rowmill_max_norm_options)), "max_norm_options_init: options");
  CHECK_NULL(rowmill_renormalize(NULL, &ids, NULL, NULL), "renormalize: table");
  CHECK_NULL(rowmill_renormalize(&view, NULL, NULL, NULL), "renormalize: ids");
  CHECK_NULL(rowmill_renormalize_bags(NULL, &bags, NULL, NULL), "renormalize: table");
  CHECK_NULL(rowmill_renormalize_bags(&view, NULL, NULL, NULL), "renormalize: bags");
  CHECK_NULL(rowmill_plan_options_init(NULL, sizeof(rowmill_plan_options)), "plan_options_init: options");
  CHECK_NULL(rowmill_plan_build_with(NULL, &ids, 1, NULL), "plan: plan");
  CHECK_NULL(rowmill_plan_build_with(plan, NULL, 1, NULL), "plan: ids");
  CHECK_NULL(rowmill_plan_build_bags_with(NULL, &bags, 1, NULL), "plan: plan");
  CHECK_NULL(rowmill_plan_build_bags_with(plan, NULL, 1, NULL), "plan: bags");
  CHECK_NULL(rowmill_plan_reserve_with(NULL, 1, NULL), "plan_reserve: plan");
  CHECK_NULL(rowmill_gradient_options_init(NULL, sizeof(rowmill_gradient_options)), "gradient_options_init: options");
  CHECK_NULL(rowmill_sum_gradients(NULL, &view, 1, &number, 1, &view, NULL, NULL), "sum_gradients: plan");
  CHECK_NULL(rowmill_sum_gradients(plan, NULL, 1, &number, 1, &view, NULL, NULL), "sum_gradients: gradients");
  CHECK_NULL(rowmill_sum_gradients(plan, &view, 1, NULL, 1, &view, NULL, NULL), "sum_gradients: rows");
  CHECK_NULL(rowmill_sum_gradients(plan, &view, 1, &number, 1, NULL, NULL, NULL), "sum_gradients: values");
  CHECK_NULL(rowmill_dense_gradient(NULL, &view, 1, &view, NULL, NULL), "dense_gradient: plan");
  CHECK_NULL(rowmill_dense_gradient(plan, NULL, 1, &view, NULL, NULL), "dense_gradient: gradients");
  CHECK_NULL(rowmill_dense_gradient(plan, &view, 1, NULL, NULL, NULL), "dense_gradient: out");
  CHECK_NULL(rowmill_sgd_create_with_state(1, 1, NULL, NULL, 0, NULL), "sgd: optimizer");
  CHECK_NULL(rowmill_adam_create_with_state(1, 1, NULL, NULL, 2, (rowmill_optimizer* [1]){NULL}), "adam: state");
  CHECK_NULL(rowmill_sgd_set_options(NULL, NULL), "sgd: optimizer");
  CHECK_NULL(rowmill_sgd_set_options(sgd, NULL), "sgd: options");
  CHECK_NULL(rowmill_sgd_get_options(NULL, NULL), "sgd: optimizer");
  CHECK_NULL(rowmill_sgd_get_options(sgd, NULL), "sgd: options");
  CHECK_NULL(rowmill_optimizer_step_with(NULL, &view, plan, &view, 1, NULL, NULL), "step: optimizer");
  CHECK_NULL(rowmill_embedding_forward_max_norm(NULL, &ids, &view), "embedding: embedding");
  CHECK_NULL(rowmill_embedding_bag_forward_weighted(NULL, &bags, NULL, 0, &view, NULL), "embedding_bag: embedding_bag");
  CHECK_NULL(rowmill_embedding_bag_forward_max_norm(NULL, &bags, NULL, 0, &view, NULL), "embedding_bag: embedding_bag");
  CHECK_NULL(rowmill_embedding_bag_backward_weighted(NULL, &bags, NULL, 0, &view, NULL, 0), "embedding_bag");
  CHECK(rowmill_optimizer_skipped_steps(NULL) == -1);
  CHECK(rowmill_optimizer_memory_required_with(NULL, 1, 1, NULL, 0) == 0);
  CHECK(rowmill_renormalize_memory_required(-1) == 0);
  CHECK(rowmill_pool_memory_required_with(NULL, 1, NULL) == 0);
  CHECK(rowmill_pool_memory_required_with(&bags, -1, NULL) == 0);
  CHECK(rowmill_sum_gradients_memory_required(1, -1, 1) == 0);
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

void test_unsupported_isa(void) {
  CHECK(rowmill_isa_name() == NULL);
  float numbers[kDim] = {1}, out[kDim] = {2};
  const int32_t row = 0;
  const rowmill_view view = rowmill_make_view(numbers, 1, kDim);
  const rowmill_view out_view = rowmill_make_view(out, 1, kDim);
  const rowmill_ids ids = rowmill_make_ids(&row, 1, ROWMILL_INT32);
  CHECK_FAILS(rowmill_gather(&view, &ids, &out_view, NULL), ROWMILL_UNSUPPORTED_ISA, "unknown instruction set");
  CHECK(out[0] == 2);
}
