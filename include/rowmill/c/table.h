/* SPDX-License-Identifier: Apache-2.0 */
/* Tables. A part of rowmill/c.h. */
#ifndef ROWMILL_C_TABLE_H
#define ROWMILL_C_TABLE_H

#include "rowmill/c/views.h"

ROWMILL_BEGIN_C

/* How a new table's values are chosen, by the numbers a and b. */
typedef int32_t rowmill_initializer;
enum {
  ROWMILL_INIT_ZEROS = 0,
  ROWMILL_INIT_CONSTANT = 1,              /* a */
  ROWMILL_INIT_UNIFORM = 2,               /* on [a, b) */
  ROWMILL_INIT_NORMAL = 3,                /* mean a, standard deviation b */
  ROWMILL_INIT_SCALED_UNIFORM_FAN_OUT = 4 /* uniform on [-l, l), l = sqrt(3 * a / dim); a = 1 is Trax's default */
};

typedef struct rowmill_table_options {
  size_t struct_size;
  const char* name; /* copied; appears in errors, and separates the random numbers of tables with one seed; or NULL */
  uint64_t seed;
  uint64_t stream; /* separates the random numbers of tables with one seed and one name */
  rowmill_initializer initializer;
  float a;
  float b;
  int32_t huge_pages;           /* not 0: ask for 2 MiB pages when the table is larger than a few of them */
  int32_t parallel_first_touch; /* not 0: all threads fill the table, and so touch its pages first */
  int32_t reserved;             /* 0 */
  rowmill_format format;        /* since 0.2 */
} rowmill_table_options;

/* Fills in the defaults: no name, seed 0, stream 0, zeros, huge pages, parallel first touch, floats. Call it with
 * sizeof(rowmill_table_options). */
rowmill_status rowmill_table_options_init(rowmill_table_options* options, size_t struct_size) ROWMILL_NOEXCEPT;

/* A rows x dim table of one format, 64-byte aligned, rows one after another. Its first values are those that the
 * initializer gives in float, rounded once to the format. rows = 0 is an empty table. */
typedef struct rowmill_table rowmill_table;

/* Errors: rows < 0, dim < 0, a size that overflows, a number that the initializer does not take
 * (ROWMILL_INVALID_ARGUMENT); the system refuses the memory (ROWMILL_OUT_OF_MEMORY). */
rowmill_status rowmill_table_create(int64_t rows, int64_t dim, const rowmill_table_options* options,
                                    rowmill_table** table) ROWMILL_NOEXCEPT;
void rowmill_table_destroy(rowmill_table* table) ROWMILL_NOEXCEPT;

/* The table's view: its pointer, rows, dim, name and format. It is valid until the table is destroyed. */
rowmill_status rowmill_table_view(const rowmill_table* table, rowmill_view* view) ROWMILL_NOEXCEPT;

/* A table of its own with the same rows, name and options. Errors: ROWMILL_OUT_OF_MEMORY. */
rowmill_status rowmill_table_clone(const rowmill_table* table, rowmill_table** clone) ROWMILL_NOEXCEPT;

/* Fills a view of any format with the values that a new table of that name, seed, stream and initializer has; the other
 * options are not used. Errors: a bad view, a number that the initializer does not take, or values that the format does
 * not have (ROWMILL_INVALID_ARGUMENT). */
rowmill_status rowmill_initialize(const rowmill_view* table, const rowmill_table_options* options) ROWMILL_NOEXCEPT;

ROWMILL_END_C

#endif /* ROWMILL_C_TABLE_H */
