/* SPDX-License-Identifier: Apache-2.0 */
/* Both layers. */
#include "check.h"

void test_embedding(void) {
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

void test_embedding_bag(void) {
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
  options.pooling = 4;
  CHECK_FAILS(rowmill_embedding_bag_create(kRows, kDim, &options, &layer), ROWMILL_INVALID_ARGUMENT,
              "pooling is 4; allowed: 0 to 3");
  CHECK(layer == NULL);
}

/* Gradients that are copied or not, options of steps, and a max_norm. */
void test_embedding_training(void) {
  rowmill_sgd_options sgd;
  CHECK_OK(rowmill_sgd_options_init(&sgd, sizeof sgd));
  sgd.learning_rate = 1;
  rowmill_gradient_options gradient_options;
  CHECK_OK(rowmill_gradient_options_init(&gradient_options, sizeof gradient_options));
  gradient_options.scale_grad_by_freq = 1;
  rowmill_embedding_options options;
  CHECK_OK(rowmill_embedding_options_init(&options, sizeof options));
  CHECK(options.recorded == ROWMILL_RECORDED_COPIED && options.gradient == NULL && options.max_norm == -1 &&
        options.norm == ROWMILL_NORM_TWO && options.reserved == 0);
  options.initializer = ROWMILL_INIT_CONSTANT;
  options.a = 2;
  options.sgd = &sgd;
  options.gradient = &gradient_options;
  options.max_norm = 1;
  options.norm = ROWMILL_NORM_INFINITY;
  const int32_t rows[kCount] = {3, 0, 3};
  const rowmill_ids ids = rowmill_make_ids(rows, kCount, ROWMILL_INT32);
  float out[kCount * kDim], gradients[kCount * kDim];
  const rowmill_view out_view = rowmill_make_view(out, kCount, kDim);
  const rowmill_view gradient = rowmill_make_view(gradients, kCount, kDim);
  for (options.recorded = 0; options.recorded <= ROWMILL_RECORDED_REFERENCED; ++options.recorded) {
    rowmill_embedding* layer = NULL;
    CHECK_OK(rowmill_embedding_create(kRows, kDim, &options, &layer));
    out[0] = 7;
    CHECK_FAILS(rowmill_embedding_forward(layer, &ids, &out_view), ROWMILL_INVALID_ARGUMENT, "max_norm");
    CHECK(out[0] == 7);
    CHECK_OK(rowmill_embedding_forward_max_norm(layer, &ids, &out_view));
    rowmill_view table;
    CHECK_OK(rowmill_embedding_table_view(layer, &table));
    const float* values = table.data;
    CHECK(out[0] == 1 && out[2 * kDim] == 1 && values[3 * kDim] == 1 && values[kDim] == 2);
    for (int i = 0; i < kCount * kDim; ++i) gradients[i] = 0.25F;
    CHECK_OK(rowmill_embedding_backward(layer, &ids, &gradient));
    for (int i = 0; i < kCount * kDim; ++i) gradients[i] = 0.5F;
    CHECK_OK(rowmill_embedding_step(layer));
    CHECK(values[3 * kDim] == (options.recorded == ROWMILL_RECORDED_COPIED ? 0.75F : 0.5F)); /* one mean, not a sum */
    rowmill_embedding_destroy(layer);
  }

  rowmill_embedding* layer = NULL;
  CHECK_FAILS(rowmill_embedding_create(kRows, kDim, &options, &layer), ROWMILL_INVALID_ARGUMENT, "recorded is 2");
  options.recorded = ROWMILL_RECORDED_COPIED;
  options.max_norm = -2;
  CHECK_FAILS(rowmill_embedding_create(kRows, kDim, &options, &layer), ROWMILL_INVALID_ARGUMENT, "max_norm is -2");
  options.max_norm = -1;
  options.reserved = 1;
  CHECK_FAILS(rowmill_embedding_create(kRows, kDim, &options, &layer), ROWMILL_INVALID_ARGUMENT, "reserved is 1");
  options.reserved = 0;
  gradient_options.clip_global_norm = -2;
  CHECK_FAILS(rowmill_embedding_create(kRows, kDim, &options, &layer), ROWMILL_INVALID_ARGUMENT,
              "clip_global_norm is -2");
  CHECK(layer == NULL);
}

/* Weights and their gradients, padding, a divisor, a maximum, and a max_norm. */
void test_embedding_bag_training(void) {
  rowmill_sgd_options sgd;
  CHECK_OK(rowmill_sgd_options_init(&sgd, sizeof sgd));
  sgd.learning_rate = 1;
  rowmill_embedding_bag_options options;
  CHECK_OK(rowmill_embedding_bag_options_init(&options, sizeof options));
  CHECK(options.divisor == ROWMILL_DIVISOR_COUNT && options.has_padding_id == 0 && options.max_norm == -1);
  options.initializer = ROWMILL_INIT_CONSTANT;
  options.a = 2;
  options.sgd = &sgd;
  options.has_padding_id = 1;
  options.padding_id = 5;
  const int64_t rows[] = {3, 5, 4};
  const float weights[] = {0.5F, 9, 1.5F};
  const rowmill_bags bags = rowmill_make_batch(rowmill_make_ids(rows, 3, ROWMILL_INT64), 1, 3);
  float out[kDim], weight_gradients[3];
  float gradients[kDim] = {1, 1, 1, 1};
  const rowmill_view out_view = rowmill_make_view(out, 1, kDim);
  const rowmill_view gradient = rowmill_make_view(gradients, 1, kDim);
  for (options.divisor = 0; options.divisor <= ROWMILL_DIVISOR_WEIGHTS; ++options.divisor) {
    rowmill_embedding_bag* layer = NULL;
    CHECK_OK(rowmill_embedding_bag_create(kRows, kDim, &options, &layer));
    rowmill_view table;
    CHECK_OK(rowmill_embedding_bag_table_view(layer, &table));
    const float* values = table.data;
    CHECK(values[5 * kDim] == 0 && values[3 * kDim] == 2);
    CHECK_OK(rowmill_embedding_bag_forward_weighted(layer, &bags, weights, 3, &out_view, NULL));
    CHECK(out[0] == 2); /* (1 + 3) / 2: there are two rows, and their weights sum to 2 */
    CHECK_OK(rowmill_embedding_bag_backward_weighted(layer, &bags, weights, 3, &gradient, weight_gradients, 3));
    /* A dot product is 8; over the weights, it is 8 less the mean. */
    const float expected = options.divisor == ROWMILL_DIVISOR_COUNT ? 4 : 0;
    CHECK(weight_gradients[0] == expected && weight_gradients[1] == 0 && weight_gradients[2] == expected);
    CHECK_OK(rowmill_embedding_bag_step(layer));
    CHECK(values[3 * kDim] == 1.75F && values[4 * kDim] == 1.25F && values[5 * kDim] == 0);
    rowmill_embedding_bag_destroy(layer);
  }

  options.divisor = ROWMILL_DIVISOR_COUNT;
  options.pooling = ROWMILL_POOL_MAX;
  options.max_norm = 1;
  options.norm = ROWMILL_NORM_ONE;
  rowmill_embedding_bag* layer = NULL;
  CHECK_OK(rowmill_embedding_bag_create(kRows, kDim, &options, &layer));
  rowmill_view table;
  CHECK_OK(rowmill_embedding_bag_table_view(layer, &table));
  const float* values = table.data;
  CHECK_FAILS(rowmill_embedding_bag_forward(layer, &bags, &out_view, NULL), ROWMILL_INVALID_ARGUMENT, "max_norm");
  CHECK_OK(rowmill_embedding_bag_forward_max_norm(layer, &bags, NULL, 0, &out_view, NULL));
  CHECK(out[0] == 0.25F && values[3 * kDim] == 0.25F && values[6 * kDim] == 2);
  CHECK_OK(rowmill_embedding_bag_backward(layer, &bags, &gradient)); /* the first of equal rows won */
  CHECK_OK(rowmill_embedding_bag_step(layer));
  CHECK(values[3 * kDim] == -0.75F && values[4 * kDim] == 0.25F);
  CHECK_FAILS(rowmill_embedding_bag_backward_weighted(layer, &bags, weights, 2, &gradient, NULL, 0),
              ROWMILL_SHAPE_MISMATCH, "weights (2)");
  CHECK_FAILS(rowmill_embedding_bag_backward_weighted(layer, &bags, weights, 3, &gradient, weight_gradients, 2),
              ROWMILL_SHAPE_MISMATCH, "(2)");
  CHECK_OK(rowmill_embedding_bag_step(layer));
  CHECK(rowmill_optimizer_step_count(rowmill_embedding_bag_optimizer(layer)) == 1); /* nothing was recorded */
  rowmill_embedding_bag_destroy(layer);

  layer = NULL;
  options.divisor = ROWMILL_DIVISOR_WEIGHTS;
  CHECK_FAILS(rowmill_embedding_bag_create(kRows, kDim, &options, &layer), ROWMILL_INVALID_ARGUMENT, "divisor");
  CHECK(layer == NULL);
}
