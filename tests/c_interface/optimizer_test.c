/* SPDX-License-Identifier: Apache-2.0 */
/* Optimizers. */
#include "check.h"

const char* const kNames[kKinds] = {"sgd", "adagrad", "row_wise_adagrad", "adam", "partial_row_wise_adam"};

struct optimizer_options default_options(void) {
  struct optimizer_options all;
  CHECK_OK(rowmill_sgd_options_init(&all.sgd, sizeof all.sgd));
  CHECK_OK(rowmill_adagrad_options_init(&all.adagrad, sizeof all.adagrad));
  CHECK_OK(rowmill_row_wise_adagrad_options_init(&all.row_wise_adagrad, sizeof all.row_wise_adagrad));
  CHECK_OK(rowmill_adam_options_init(&all.adam, sizeof all.adam));
  CHECK_OK(rowmill_partial_row_wise_adam_options_init(&all.partial_row_wise_adam, sizeof all.partial_row_wise_adam));
  return all;
}

void test_optimizer_defaults(void) {
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

/* Weights of bfloat16, stochastically rounded or with their lower halves in a state; and a layer of them. */
void test_storage(void) {
  rowmill_storage_options storage;
  CHECK_OK(rowmill_storage_options_init(&storage, sizeof storage));
  CHECK(storage.rounding == ROWMILL_ROUND_NEAREST && storage.overflow == ROWMILL_OVERFLOW_SATURATE);
  CHECK(storage.split == 0 && storage.state_format == ROWMILL_FLOAT32 && storage.stream_name == NULL);
  rowmill_adam_options adam = default_options().adam;
  CHECK(adam.storage == NULL);
  adam.storage = &storage;
  storage.split = 1;
  storage.state_format = ROWMILL_BFLOAT16;

  const int64_t rows[kCount] = {2, 7, 2};
  const rowmill_ids ids = rowmill_make_ids(rows, kCount, ROWMILL_INT64);
  rowmill_plan* plan = make_plan(&ids, kRows);
  float gradients[kCount * kDim];
  fill(gradients, kCount * kDim, 5);
  const rowmill_view gradient = rowmill_make_view(gradients, kCount, kDim);
  uint16_t halves[kRows * kDim] = {0};
  rowmill_view weights = rowmill_make_view(NULL, kRows, kDim);
  weights.data = halves;
  weights.format = ROWMILL_BFLOAT16;
  rowmill_optimizer* optimizer = NULL;
  CHECK_OK(rowmill_adam_create(kRows, kDim, "words", &adam, &optimizer));
  CHECK(rowmill_optimizer_state_count(optimizer) == 3);
  rowmill_view state;
  CHECK_OK(rowmill_optimizer_state(optimizer, 0, &state));
  CHECK(state.format == ROWMILL_BFLOAT16);
  CHECK_OK(rowmill_optimizer_state(optimizer, 2, &state));
  CHECK(state.format == ROWMILL_LOW16 && strcmp(state.name, "words.low") == 0);
  CHECK_OK(rowmill_optimizer_step(optimizer, &weights, plan, &gradient, 1, NULL));
  CHECK(halves[2 * kDim] != 0);
  CHECK_FAILS(rowmill_adam_set_options(optimizer, &adam), ROWMILL_INVALID_ARGUMENT, "storage can't be changed");
  CHECK_OK(rowmill_adam_get_options(optimizer, &adam));
  CHECK(adam.storage == NULL);
  rowmill_optimizer_destroy(optimizer);

  adam.storage = &storage;
  storage.split = 0;
  storage.rounding = ROWMILL_ROUND_STOCHASTIC;
  CHECK_FAILS(rowmill_adam_create(kRows, kDim, NULL, &adam, &optimizer), ROWMILL_INVALID_ARGUMENT, "name");
  storage.stream_name = "words";
  CHECK_OK(rowmill_adam_create(kRows, kDim, NULL, &adam, &optimizer));
  CHECK_OK(rowmill_optimizer_step(optimizer, &weights, plan, &gradient, 1, NULL));
  rowmill_optimizer_destroy(optimizer);
  storage.overflow = 7;
  CHECK_FAILS(rowmill_adam_create(kRows, kDim, NULL, &adam, &optimizer), ROWMILL_INVALID_ARGUMENT, "overflow is 7");
  storage.overflow = ROWMILL_OVERFLOW_SATURATE;
  storage.stream_name = NULL;

  rowmill_embedding_options options;
  CHECK_OK(rowmill_embedding_options_init(&options, sizeof options));
  options.adam = &adam;
  options.format = ROWMILL_BFLOAT16;
  rowmill_embedding* layer = NULL;
  CHECK_FAILS(rowmill_embedding_create(kRows, kDim, &options, &layer), ROWMILL_INVALID_ARGUMENT, "name");
  options.name = "words";
  CHECK_OK(rowmill_embedding_create(kRows, kDim, &options, &layer));
  rowmill_embedding_destroy(layer);
  rowmill_plan_destroy(plan);
}

void test_optimizers(void) {
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
void test_restore(void) {
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

  rowmill_optimizer* clone = NULL;
  CHECK_OK(rowmill_optimizer_clone(adam, &clone));
  rowmill_view clone_state;
  CHECK_OK(rowmill_optimizer_state(clone, 0, &clone_state));
  CHECK(rowmill_optimizer_step_count(clone) == 3 && clone_state.data != state[0].data);
  CHECK(equal(clone_state.data, state[0].data, kRows * kDim));
  rowmill_optimizer_destroy(clone);
  CHECK_FAILS(rowmill_optimizer_clone(NULL, &clone), ROWMILL_INVALID_ARGUMENT, "optimizer");

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
void test_optimizer_options(void) {
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

void test_weight_decay(void) {
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
