/* SPDX-License-Identifier: Apache-2.0 */
/* Threads and their number. */
#include <pthread.h> /* not threads.h, which the thread sanitizer does not know */
#include <stdlib.h>

#include "check.h"

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

void test_threads(void) {
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
