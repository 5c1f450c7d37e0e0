/* SPDX-License-Identifier: Apache-2.0 */
/* The C interface from C, linked to the static and to the shared library.
 *
 *     c_interface_test                    every test of these files
 *     c_interface_test unsupported_isa    with ROWMILL_ISA set to a name that does not exist */
#include <stdio.h>

#include "check.h"

static int failures = 0;

void check(bool good, const char* file, int line, const char* text) {
  if (good) return;
  ++failures;
  fprintf(stderr, "%s:%d: %s\n  last error: %s\n", file, line, text, rowmill_last_error_message());
}

void check_failure(rowmill_status found, rowmill_status expected, const char* message, const char* file, int line,
                   const char* text) {
  check(found == expected && rowmill_last_error_status() == expected, file, line, text);
  check(strstr(rowmill_last_error_message(), message) != NULL, file, line, message);
}

void fill(float* values, int64_t count, int64_t seed) {
  for (int64_t i = 0; i < count; ++i) values[i] = (float)((i * 7 + seed) % 31) - 15;
}

bool equal(const float* a, const float* b, int64_t count) { return memcmp(a, b, (size_t)count * sizeof(float)) == 0; }

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "unsupported_isa") == 0) {
    test_unsupported_isa();
  } else {
    test_versions();
    test_tables();
    test_formats();
    test_outputs();
    test_gather();
    test_convert();
    test_pool();
    test_find_bad_id();
    test_scatter_add();
    test_strided_ids();
    test_lengths();
    test_bag_options();
    test_winners();
    test_weight_gradients();
    test_max_norm();
    test_plan_of_bags();
    test_plan_options();
    test_plan_of_maxima();
    test_sums();
    test_gradient_options();
    test_optimizer_defaults();
    test_bf16_operations();
    test_float64_operations();
    test_float64_layer();
    test_integer_operations();
    test_float16_overflow();
    test_optimizers();
    test_storage();
    test_restore();
    test_optimizer_options();
    test_weight_decay();
    test_setters();
    test_state_of_the_caller();
    test_embedding();
    test_embedding_bag();
    test_embedding_training();
    test_embedding_bag_training();
    test_errors();
    test_errors_of_options();
    test_null_pointers();
    test_threads();
  }
  if (failures > 0) fprintf(stderr, "%d checks failed\n", failures);
  return failures > 0 ? 1 : 0;
}
