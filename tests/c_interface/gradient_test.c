/* SPDX-License-Identifier: Apache-2.0 */
/* Plans with options, and the gradient of a table: sums, options of steps, setters, states of the caller. */
#include <math.h>

#include "check.h"

enum { kIds = 4, kBags = 2, kUnique = 3 };
static const int64_t rows[kIds] = {2, 7, 2, 4};
static const float weights[kIds] = {2, 3, 0.5F, -1};

static rowmill_ids all_ids(void) { return rowmill_make_ids(rows, kIds, ROWMILL_INT64); }

static rowmill_plan_options plan_options(void) {
  rowmill_plan_options options;
  CHECK_OK(rowmill_plan_options_init(&options, sizeof options));
  CHECK(options.table_name == NULL && options.out_of_range == ROWMILL_RANGE_ERROR && options.has_padding_id == 0);
  CHECK(options.pooling == ROWMILL_POOL_SUM && options.divisor == ROWMILL_DIVISOR_COUNT && options.weights == NULL &&
        options.weight_count == 0 && options.winners == NULL && options.winner_count == 0);
  return options;
}

static rowmill_gradient_options gradient_options(void) {
  rowmill_gradient_options options;
  CHECK_OK(rowmill_gradient_options_init(&options, sizeof options));
  CHECK(options.scale_grad_by_freq == 0 && options.skip_nonfinite == 0 && options.clip_value == -1 &&
        options.clip_row_norm == -1 && options.clip_global_norm == -1);
  return options;
}

static rowmill_optimizer* make_sgd(void) {
  rowmill_sgd_options options;
  CHECK_OK(rowmill_sgd_options_init(&options, sizeof options));
  options.learning_rate = 1;
  rowmill_optimizer* sgd = NULL;
  CHECK_OK(rowmill_sgd_create(kRows, kDim, NULL, &options, &sgd));
  return sgd;
}

/* Weights and means of a plan of bags, and padding in both kinds of plans. */
void test_plan_options(void) {
  const rowmill_ids ids = all_ids();
  const rowmill_bags bags = rowmill_make_batch(ids, kBags, 2);
  float table[kRows * kDim], before[kRows * kDim], values[kIds * kDim];
  fill(before, kRows * kDim, 1);
  fill(values, kIds * kDim, 2);
  const rowmill_view view = rowmill_make_view(table, kRows, kDim);
  const rowmill_view of_bags = rowmill_make_view(values, kBags, kDim);
  const rowmill_view of_ids = rowmill_make_view(values, kIds, kDim);
  rowmill_optimizer* sgd = make_sgd();
  rowmill_plan* plan = NULL;
  CHECK_OK(rowmill_plan_create(&plan));
  rowmill_plan_options options = plan_options();
  options.pooling = ROWMILL_POOL_MEAN;
  options.weights = weights;
  options.weight_count = kIds;
  CHECK_OK(rowmill_plan_reserve_with(plan, kIds, &options));
  CHECK_OK(rowmill_plan_build_bags_with(plan, &bags, kRows, &options));
  memcpy(table, before, sizeof table);
  CHECK_OK(rowmill_optimizer_step(sgd, &view, plan, &of_bags, 1, NULL));
  const float* g0 = values;
  const float* g1 = values + kDim;
  for (int c = 0; c < kDim; ++c) { /* the factor of both means is a half */
    CHECK(table[2 * kDim + c] == before[2 * kDim + c] - (1.0F * g0[c] + 0.25F * g1[c]));
    CHECK(table[7 * kDim + c] == before[7 * kDim + c] - 1.5F * g0[c]);
    CHECK(table[4 * kDim + c] == before[4 * kDim + c] - -0.5F * g1[c]);
  }

  options = plan_options();
  options.has_padding_id = 1;
  options.padding_id = 7;
  for (int bagged = 0; bagged < 2; ++bagged) {
    CHECK_OK(bagged ? rowmill_plan_build_bags_with(plan, &bags, kRows, &options)
                    : rowmill_plan_build_with(plan, &ids, kRows, &options));
    CHECK(rowmill_plan_unique_count(plan) == 2 && rowmill_plan_gradient_rows(plan) == (bagged ? kBags : kIds));
    memcpy(table, before, sizeof table);
    CHECK_OK(rowmill_optimizer_step(sgd, &view, plan, bagged ? &of_bags : &of_ids, 1, NULL));
    CHECK(equal(table + 7 * kDim, before + 7 * kDim, kDim) && !equal(table + 2 * kDim, before + 2 * kDim, kDim));
  }

  /* What does not go together. */
  options = plan_options();
  options.weights = weights;
  options.weight_count = kIds;
  CHECK_FAILS(rowmill_plan_build_with(plan, &ids, kRows, &options), ROWMILL_INVALID_ARGUMENT, "weights");
  options.weight_count = 3;
  CHECK_FAILS(rowmill_plan_build_bags_with(plan, &bags, kRows, &options), ROWMILL_SHAPE_MISMATCH, "weights (3)");
  options = plan_options();
  options.divisor = ROWMILL_DIVISOR_WEIGHTS;
  CHECK_FAILS(rowmill_plan_build_bags_with(plan, &bags, kRows, &options), ROWMILL_INVALID_ARGUMENT, "divisor");
  const int32_t winners[1] = {0};
  options = plan_options();
  options.winners = winners;
  options.winner_count = 1;
  CHECK_FAILS(rowmill_plan_build_bags_with(plan, &bags, kRows, &options), ROWMILL_INVALID_ARGUMENT, "winners");
  options = plan_options();
  options.pooling = ROWMILL_POOL_MEAN;
  CHECK_FAILS(rowmill_plan_build_with(plan, &ids, kRows, &options), ROWMILL_INVALID_ARGUMENT, "pooling");
  CHECK(rowmill_plan_unique_count(plan) == 2); /* as it was */

  /* A plan does not know how many columns there are: winners are counted when it is used. */
  options.pooling = ROWMILL_POOL_MAX;
  CHECK_OK(rowmill_plan_build_bags_with(plan, &bags, kRows, &options));
  CHECK_FAILS(rowmill_optimizer_step(sgd, &view, plan, &of_bags, 1, NULL), ROWMILL_SHAPE_MISMATCH, "winners");
  rowmill_plan_destroy(plan);
  rowmill_optimizer_destroy(sgd);
}

/* Each column's gradient goes to the row that won it. */
void test_plan_of_maxima(void) {
  const rowmill_bags bags = rowmill_make_batch(all_ids(), kBags, 2);
  const int32_t winners[kBags * kDim] = {0, 1, 1, -1, 1, 1, 0, 0};
  rowmill_plan_options options = plan_options();
  options.pooling = ROWMILL_POOL_MAX;
  options.winners = winners;
  options.winner_count = kBags * kDim;
  rowmill_plan* plan = NULL;
  CHECK_OK(rowmill_plan_create(&plan));
  CHECK_OK(rowmill_plan_build_bags_with(plan, &bags, kRows, &options));
  float values[kBags * kDim], sums[kUnique * kDim];
  int64_t touched[kUnique];
  fill(values, kBags * kDim, 2);
  const rowmill_view gradient = rowmill_make_view(values, kBags, kDim);
  const rowmill_view sum_view = rowmill_make_view(sums, kUnique, kDim);
  CHECK_OK(rowmill_sum_gradients(plan, &gradient, 1, touched, kUnique, &sum_view, NULL, NULL));
  CHECK(touched[0] == 2 && touched[1] == 7 && touched[2] == 4);
  for (int c = 0; c < kDim; ++c) {
    CHECK(sums[c] == (winners[c] == 0 ? values[c] : 0) + (winners[kDim + c] == 0 ? values[kDim + c] : 0));
    CHECK(sums[kDim + c] == (winners[c] == 1 ? values[c] : 0));
    CHECK(sums[2 * kDim + c] == (winners[kDim + c] == 1 ? values[kDim + c] : 0));
  }
  rowmill_plan_destroy(plan);
}

void test_sums(void) {
  const rowmill_ids ids = all_ids();
  rowmill_plan* plan = make_plan(&ids, kRows);
  float values[kIds * kDim], sums[kUnique * kDim], dense[kRows * kDim];
  fill(values, kIds * kDim, 2);
  /* Two passes, one after another. */
  const rowmill_view gradients[2] = {rowmill_make_view(values, 1, kDim), rowmill_make_view(values + kDim, 3, kDim)};
  const rowmill_view sum_view = rowmill_make_view(sums, kUnique, kDim);
  const rowmill_view dense_view = rowmill_make_view(dense, kRows, kDim);
  int64_t touched[kUnique];
  rowmill_workspace* workspace = NULL;
  CHECK_OK(rowmill_workspace_create(&workspace));
  CHECK_OK(rowmill_workspace_reserve(workspace, rowmill_sum_gradients_memory_required(kIds, kDim, 2)));
  CHECK_OK(rowmill_sum_gradients(plan, gradients, 2, touched, kUnique, &sum_view, NULL, workspace));
  CHECK(touched[0] == 2 && touched[1] == 7 && touched[2] == 4);
  CHECK(equal(sums + kDim, values + kDim, kDim) && equal(sums + 2 * kDim, values + 3 * kDim, kDim));
  for (int c = 0; c < kDim; ++c) CHECK(sums[c] == values[c] + values[2 * kDim + c]);

  rowmill_gradient_options options = gradient_options();
  options.scale_grad_by_freq = 1;
  options.clip_value = 3;
  CHECK_OK(rowmill_dense_gradient(plan, gradients, 2, &dense_view, &options, workspace));
  for (int r = 0; r < kRows; ++r) {
    for (int c = 0; c < kDim; ++c) {
      const float g = r == 2   ? (values[c] + values[2 * kDim + c]) / 2
                      : r == 7 ? values[kDim + c]
                      : r == 4 ? values[3 * kDim + c]
                               : 0;
      CHECK(dense[r * kDim + c] == (g > 3 ? 3 : g < -3 ? -3 : g));
    }
  }
  rowmill_workspace_destroy(workspace);

  CHECK_FAILS(rowmill_sum_gradients(plan, gradients, 2, touched, 2, &sum_view, NULL, NULL), ROWMILL_SHAPE_MISMATCH,
              "rows (2)");
  CHECK_FAILS(rowmill_sum_gradients(plan, gradients, 1, touched, kUnique, &sum_view, NULL, NULL),
              ROWMILL_SHAPE_MISMATCH, "gradients have 1 rows");
  CHECK_FAILS(rowmill_dense_gradient(plan, gradients, 2, &sum_view, NULL, NULL), ROWMILL_SHAPE_MISMATCH, "(3 x 4)");
  options = gradient_options();
  options.skip_nonfinite = 1;
  CHECK_FAILS(rowmill_dense_gradient(plan, gradients, 2, &dense_view, &options, NULL), ROWMILL_INVALID_ARGUMENT,
              "skip_nonfinite");
  options = gradient_options();
  options.clip_row_norm = -3;
  CHECK_FAILS(rowmill_dense_gradient(plan, gradients, 2, &dense_view, &options, NULL), ROWMILL_INVALID_ARGUMENT,
              "clip_row_norm is -3");
  rowmill_plan_destroy(plan);
}

void test_gradient_options(void) {
  const rowmill_ids ids = all_ids();
  rowmill_plan* plan = make_plan(&ids, kRows);
  float table[kRows * kDim], before[kRows * kDim], values[kIds * kDim];
  fill(before, kRows * kDim, 1);
  memcpy(table, before, sizeof table);
  fill(values, kIds * kDim, 2);
  const rowmill_view view = rowmill_make_view(table, kRows, kDim);
  const rowmill_view gradient = rowmill_make_view(values, kIds, kDim);
  rowmill_optimizer* sgd = make_sgd();
  rowmill_gradient_options options = gradient_options();
  options.skip_nonfinite = 1;
  options.clip_value = 2;
  rowmill_workspace* workspace = NULL;
  CHECK_OK(rowmill_workspace_create(&workspace));
  const size_t bytes = rowmill_optimizer_memory_required_with(sgd, kIds, 1, &options, ROWMILL_POOL_SUM);
  CHECK(bytes >= rowmill_optimizer_memory_required(sgd, kIds, 1));
  CHECK_OK(rowmill_workspace_reserve(workspace, bytes));
  const size_t capacity = rowmill_workspace_capacity(workspace);
  CHECK_OK(rowmill_optimizer_step_with(sgd, &view, plan, &gradient, 1, &options, workspace));
  CHECK(rowmill_optimizer_step_count(sgd) == 1 && rowmill_optimizer_skipped_steps(sgd) == 0);
  for (int c = 0; c < kDim; ++c) {
    const float g = values[kDim + c];
    CHECK(table[7 * kDim + c] == before[7 * kDim + c] - (g > 2 ? 2 : g < -2 ? -2 : g));
  }
  CHECK(rowmill_workspace_capacity(workspace) == capacity);
  memcpy(before, table, sizeof table);
  values[5] = INFINITY;
  CHECK_OK(rowmill_optimizer_step_with(sgd, &view, plan, &gradient, 1, &options, workspace));
  CHECK(rowmill_optimizer_step_count(sgd) == 1 && rowmill_optimizer_skipped_steps(sgd) == 1);
  CHECK(equal(table, before, kRows * kDim));
  options.clip_value = -2;
  CHECK_FAILS(rowmill_optimizer_step_with(sgd, &view, plan, &gradient, 1, &options, NULL), ROWMILL_INVALID_ARGUMENT,
              "clip_value is -2");
  CHECK(rowmill_optimizer_memory_required_with(sgd, kIds, 1, NULL, 9) == 0);
  rowmill_workspace_destroy(workspace);
  rowmill_optimizer_destroy(sgd);
  rowmill_plan_destroy(plan);
}

void test_setters(void) {
  rowmill_sgd_options sgd_options;
  rowmill_adam_options adam_options;
  CHECK_OK(rowmill_sgd_options_init(&sgd_options, sizeof sgd_options));
  CHECK_OK(rowmill_adam_options_init(&adam_options, sizeof adam_options));
  adam_options.learning_rate = 0.5;
  adam_options.beta1 = 0.25;
  adam_options.beta2 = 0.75;
  adam_options.epsilon = 0.125;
  adam_options.decay = ROWMILL_DECAY_L2;
  adam_options.weight_decay = 0.0625;
  rowmill_optimizer *adam = NULL, *partial = NULL, *adagrad = NULL, *row_wise = NULL;
  CHECK_OK(rowmill_adam_create(kRows, kDim, NULL, NULL, &adam));
  CHECK_OK(rowmill_adam_set_options(adam, &adam_options));
  rowmill_adam_options found;
  CHECK_OK(rowmill_adam_options_init(&found, sizeof found));
  CHECK_OK(rowmill_adam_get_options(adam, &found));
  CHECK(found.learning_rate == 0.5 && found.beta1 == 0.25 && found.beta2 == 0.75 && found.epsilon == 0.125);
  CHECK(found.decay == ROWMILL_DECAY_L2 && found.weight_decay == 0.0625);
  adam_options.beta1 = 1;
  CHECK_FAILS(rowmill_adam_set_options(adam, &adam_options), ROWMILL_INVALID_ARGUMENT, "beta1 is 1");
  CHECK_FAILS(rowmill_sgd_set_options(adam, &sgd_options), ROWMILL_INVALID_ARGUMENT, "adam");
  CHECK_FAILS(rowmill_sgd_get_options(adam, &sgd_options), ROWMILL_INVALID_ARGUMENT, "another kind: adam");

  rowmill_optimizer* sgd = make_sgd();
  CHECK_OK(rowmill_sgd_get_options(sgd, &sgd_options));
  CHECK(sgd_options.learning_rate == 1 && sgd_options.struct_size == sizeof sgd_options);
  sgd_options.learning_rate = 3;
  CHECK_OK(rowmill_sgd_set_options(sgd, &sgd_options));
  CHECK(rowmill_optimizer_learning_rate(sgd) == 3);
  sgd_options.momentum = 0.5;
  CHECK_FAILS(rowmill_sgd_set_options(sgd, &sgd_options), ROWMILL_INVALID_ARGUMENT, "momentum");
  sgd_options.struct_size = 1;
  CHECK_FAILS(rowmill_sgd_get_options(sgd, &sgd_options), ROWMILL_INVALID_ARGUMENT, "struct_size");

  rowmill_partial_row_wise_adam_options partial_options;
  rowmill_adagrad_options adagrad_options;
  rowmill_row_wise_adagrad_options row_wise_options;
  CHECK_OK(rowmill_partial_row_wise_adam_options_init(&partial_options, sizeof partial_options));
  CHECK_OK(rowmill_adagrad_options_init(&adagrad_options, sizeof adagrad_options));
  CHECK_OK(rowmill_row_wise_adagrad_options_init(&row_wise_options, sizeof row_wise_options));
  CHECK_OK(rowmill_partial_row_wise_adam_create(kRows, kDim, NULL, NULL, &partial));
  CHECK_OK(rowmill_adagrad_create(kRows, kDim, NULL, NULL, &adagrad));
  CHECK_OK(rowmill_row_wise_adagrad_create(kRows, kDim, NULL, NULL, &row_wise));
  partial_options.epsilon = adagrad_options.epsilon = row_wise_options.epsilon = 0.25;
  CHECK_OK(rowmill_partial_row_wise_adam_set_options(partial, &partial_options));
  CHECK_OK(rowmill_adagrad_set_options(adagrad, &adagrad_options));
  CHECK_OK(rowmill_row_wise_adagrad_set_options(row_wise, &row_wise_options));
  partial_options.epsilon = adagrad_options.epsilon = row_wise_options.epsilon = 0;
  CHECK_OK(rowmill_partial_row_wise_adam_get_options(partial, &partial_options));
  CHECK_OK(rowmill_adagrad_get_options(adagrad, &adagrad_options));
  CHECK_OK(rowmill_row_wise_adagrad_get_options(row_wise, &row_wise_options));
  CHECK(partial_options.epsilon == 0.25 && adagrad_options.epsilon == 0.25 && row_wise_options.epsilon == 0.25);
  rowmill_optimizer_destroy(sgd);
  rowmill_optimizer_destroy(adam);
  rowmill_optimizer_destroy(partial);
  rowmill_optimizer_destroy(adagrad);
  rowmill_optimizer_destroy(row_wise);
}

/* The steps of an optimizer whose state lies elsewhere are those of one that owns it. */
void test_state_of_the_caller(void) {
  const rowmill_ids ids = all_ids();
  rowmill_plan* plan = make_plan(&ids, kRows);
  float values[kIds * kDim];
  fill(values, kIds * kDim, 2);
  const rowmill_view gradient = rowmill_make_view(values, kIds, kDim);
  struct optimizer_options all = default_options();
  all.sgd.momentum = 0.5;
  for (int kind = 0; kind < kKinds; ++kind) {
    float first[kRows * kDim] = {0}, second[kRows * kDim] = {0};
    const bool row_wise = kind == kRowWiseAdagrad;
    const rowmill_view state[2] = {rowmill_make_view(first, kRows, row_wise ? 1 : kDim),
                                   rowmill_make_view(second, kRows, kind == kPartialRowWiseAdam ? 1 : kDim)};
    const int64_t count = kind == kAdam || kind == kPartialRowWiseAdam ? 2 : 1;
    rowmill_optimizer *own = NULL, *outside = NULL;
    switch (kind) {
      case kSgd:
        CHECK_OK(rowmill_sgd_create(kRows, kDim, NULL, &all.sgd, &own));
        CHECK_OK(rowmill_sgd_create_with_state(kRows, kDim, &all.sgd, state, count, &outside));
        break;
      case kAdagrad:
        CHECK_OK(rowmill_adagrad_create(kRows, kDim, NULL, NULL, &own));
        CHECK_OK(rowmill_adagrad_create_with_state(kRows, kDim, NULL, state, count, &outside));
        break;
      case kRowWiseAdagrad:
        CHECK_OK(rowmill_row_wise_adagrad_create(kRows, kDim, NULL, NULL, &own));
        CHECK_OK(rowmill_row_wise_adagrad_create_with_state(kRows, kDim, NULL, state, count, &outside));
        break;
      case kAdam:
        CHECK_OK(rowmill_adam_create(kRows, kDim, NULL, NULL, &own));
        CHECK_OK(rowmill_adam_create_with_state(kRows, kDim, NULL, state, count, &outside));
        break;
      default:
        CHECK_OK(rowmill_partial_row_wise_adam_create(kRows, kDim, NULL, NULL, &own));
        CHECK_OK(rowmill_partial_row_wise_adam_create_with_state(kRows, kDim, NULL, state, count, &outside));
        break;
    }
    float table[kRows * kDim], expected[kRows * kDim];
    fill(table, kRows * kDim, 1);
    fill(expected, kRows * kDim, 1);
    const rowmill_view view = rowmill_make_view(table, kRows, kDim);
    const rowmill_view expected_view = rowmill_make_view(expected, kRows, kDim);
    for (int step = 0; step < 2; ++step) {
      CHECK_OK(rowmill_optimizer_step(own, &expected_view, plan, &gradient, 1, NULL));
      CHECK_OK(rowmill_optimizer_step(outside, &view, plan, &gradient, 1, NULL));
    }
    CHECK(equal(table, expected, kRows * kDim));
    rowmill_view found, own_state;
    CHECK_OK(rowmill_optimizer_state(outside, 0, &found));
    CHECK_OK(rowmill_optimizer_state(own, 0, &own_state));
    CHECK(found.data == first && equal(first, own_state.data, kRows * found.dim) && first[2 * found.dim] != 0);
    rowmill_optimizer_destroy(own);
    rowmill_optimizer_destroy(outside); /* and the state stays */

    outside = NULL;
    CHECK_FAILS(rowmill_adam_create_with_state(kRows, kDim, NULL, state, 1, &outside), ROWMILL_SHAPE_MISMATCH, "state");
    const rowmill_view twice[2] = {rowmill_make_view(first, kRows, kDim), rowmill_make_view(first, kRows, kDim)};
    CHECK_FAILS(rowmill_adam_create_with_state(kRows, kDim, NULL, twice, 2, &outside), ROWMILL_OVERLAP, "state");
    CHECK(outside == NULL);
  }
  rowmill_plan_destroy(plan);
}
