/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the C interface share. */
#ifndef ROWMILL_TESTS_C_INTERFACE_CHECK_H
#define ROWMILL_TESTS_C_INTERFACE_CHECK_H

#include <rowmill/c.h>
#include <stdbool.h>
#include <string.h>

void check(bool good, const char* file, int line, const char* text);
/* The call fails with this status, and a message with this text in it. */
void check_failure(rowmill_status found, rowmill_status expected, const char* message, const char* file, int line,
                   const char* text);

#define CHECK(condition) check(condition, __FILE__, __LINE__, #condition)
#define CHECK_OK(call) check((call) == ROWMILL_OK, __FILE__, __LINE__, #call)
#define CHECK_FAILS(call, status, message) check_failure(call, status, message, __FILE__, __LINE__, #call)

enum { kRows = 10, kDim = 4, kCount = 3 };

/* Numbers that floats hold exactly. */
void fill(float* values, int64_t count, int64_t seed);

bool equal(const float* a, const float* b, int64_t count);

/* The upper half of a float: a bfloat16. */
uint16_t upper_half(float value);

/* A plan of ids. */
rowmill_plan* make_plan(const rowmill_ids* ids, int64_t rows);

/* Each kind of optimizer. */
enum { kSgd, kAdagrad, kRowWiseAdagrad, kAdam, kPartialRowWiseAdam, kKinds };
extern const char* const kNames[kKinds];

struct optimizer_options {
  rowmill_sgd_options sgd;
  rowmill_adagrad_options adagrad;
  rowmill_row_wise_adagrad_options row_wise_adagrad;
  rowmill_adam_options adam;
  rowmill_partial_row_wise_adam_options partial_row_wise_adam;
};
struct optimizer_options default_options(void);

/* The tests, by file. */
void test_versions(void);
void test_tables(void);
void test_formats(void);
void test_outputs(void);
void test_gather(void);
void test_convert(void);
void test_pool(void);
void test_find_bad_id(void);
void test_scatter_add(void);
void test_bf16_operations(void);
void test_float64_operations(void);
void test_float64_layer(void);
void test_integer_operations(void);
void test_float16_overflow(void);
void test_strided_ids(void);
void test_lengths(void);
void test_bag_options(void);
void test_winners(void);
void test_weight_gradients(void);
void test_max_norm(void);
void test_plan_of_bags(void);
void test_plan_options(void);
void test_plan_of_maxima(void);
void test_sums(void);
void test_gradient_options(void);
void test_optimizer_defaults(void);
void test_optimizers(void);
void test_storage(void);
void test_restore(void);
void test_optimizer_options(void);
void test_weight_decay(void);
void test_setters(void);
void test_state_of_the_caller(void);
void test_embedding(void);
void test_embedding_bag(void);
void test_embedding_training(void);
void test_embedding_bag_training(void);
void test_errors(void);
void test_errors_of_options(void);
void test_null_pointers(void);
void test_threads(void);
void test_unsupported_isa(void);

#endif
