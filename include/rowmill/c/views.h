/* SPDX-License-Identifier: Apache-2.0 */
/* Views of tables. A part of rowmill/c.h. */
#ifndef ROWMILL_C_VIEWS_H
#define ROWMILL_C_VIEWS_H

#include "rowmill/c/common.h"

ROWMILL_BEGIN_C

/* How a table stores its elements. */
typedef int32_t rowmill_format;
enum {
  ROWMILL_FLOAT32 = 0,
  ROWMILL_BFLOAT16 = 1, /* the upper 16 bits of a float */
  ROWMILL_FLOAT16 = 2,  /* IEEE 754 binary16 */
  ROWMILL_INT8 = 3,     /* row-wise quantised, as the next two: for lookups and rowmill_convert alone */
  ROWMILL_INT4 = 4,
  ROWMILL_INT2 = 5,
  ROWMILL_LOW16 = 6,   /* the lower halves of floats whose upper halves are a bfloat16 table: rowmill_storage_options */
  ROWMILL_FLOAT64 = 7, /* this and the integers, signed but for the last, are for exactness, not for speed */
  ROWMILL_I64 = 8,
  ROWMILL_I32 = 9,
  ROWMILL_I16 = 10,
  ROWMILL_I8 = 11,
  ROWMILL_U8 = 12
};

/* A rows x dim table in anyone's memory. Row r starts row_stride elements after row r-1: at least
 * rowmill_row_elements() where the view is written; 0 broadcasts one row where it is only read. The memory is written
 * only by operations that say so, and must live while the call runs.
 * A view is bad if its rows, dim or row stride are negative, its format is unknown, its size in bytes overflows 64
 * bits, or its pointer is null (and the view is not empty) or not aligned to its elements. */
typedef struct rowmill_view {
  void* data;
  int64_t rows;
  int64_t dim;
  int64_t row_stride;
  const char* name;      /* appears in errors; may be NULL */
  rowmill_format format; /* one that an operation does not support is ROWMILL_INVALID_ARGUMENT */
} rowmill_view;

/* The view of contiguous rows of floats. */
static inline rowmill_view rowmill_make_view(void* data, int64_t rows, int64_t dim) {
  rowmill_view view;
  view.data = data;
  view.rows = rows;
  view.dim = dim;
  view.row_stride = dim;
  view.name = NULL;
  view.format = ROWMILL_FLOAT32;
  return view;
}

ROWMILL_END_C

#endif /* ROWMILL_C_VIEWS_H */
