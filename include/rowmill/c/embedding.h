/* SPDX-License-Identifier: Apache-2.0 */
/* The Embedding layer. A part of rowmill/c.h. */
#ifndef ROWMILL_C_EMBEDDING_H
#define ROWMILL_C_EMBEDDING_H

#include "rowmill/c/gradient.h"
#include "rowmill/c/ids.h"
#include "rowmill/c/max_norm.h"
#include "rowmill/c/optimizer.h"
#include "rowmill/c/table.h"
#include "rowmill/c/views.h"

ROWMILL_BEGIN_C

/* A table, an optimizer, forward, backward, step. One thread at a time may use a layer, except that
 * rowmill_embedding_forward alone may run on several. */
typedef struct rowmill_embedding rowmill_embedding;

/* Where a layer keeps the gradients that backward recorded, until step or zero_grad. */
typedef int32_t rowmill_recorded;
enum {
  ROWMILL_RECORDED_COPIED = 0,    /* in the layer's own memory: the caller's is free after backward */
  ROWMILL_RECORDED_REFERENCED = 1 /* in the caller's memory, which must stay as it is: this saves a copy */
};

typedef struct rowmill_embedding_options {
  size_t struct_size;
  const char* name; /* as in rowmill_table_options, also the next four */
  uint64_t seed;
  rowmill_initializer initializer;
  float a;
  float b;
  rowmill_out_of_range out_of_range;
  int64_t padding_id;                     /* its row starts at zero and never moves; -1: none */
  const rowmill_sgd_options* sgd;         /* the optimizer: at most one is not NULL; */
  const rowmill_adagrad_options* adagrad; /* none means SGD with its defaults */
  const rowmill_row_wise_adagrad_options* row_wise_adagrad;
  const rowmill_adam_options* adam;
  const rowmill_partial_row_wise_adam_options* partial_row_wise_adam;
  rowmill_format format; /* of the table; since 0.2, and all below */
  rowmill_recorded recorded;
  const rowmill_gradient_options* gradient; /* of each step; may be NULL */
  /* -1: none. Otherwise rowmill_embedding_forward_max_norm first scales the rows of the table down to it, and
   * rowmill_embedding_forward fails. */
  double max_norm;
  rowmill_norm norm;
  int32_t reserved; /* 0 */
  uint64_t stream;  /* separates the initial values of layers that have one seed and one name (or none) */
} rowmill_embedding_options;

/* Fills in the defaults: no name, seed 0, Trax's initializer, ROWMILL_RANGE_ERROR, no padding id, SGD,
 * ROWMILL_RECORDED_COPIED, no max_norm (and ROWMILL_NORM_TWO). */
rowmill_status rowmill_embedding_options_init(rowmill_embedding_options* options, size_t struct_size) ROWMILL_NOEXCEPT;

/* Errors: those of the table and the optimizer; two optimizers, a padding_id that is not a row, or a max_norm or an
 * option of the gradient that is out of its range (ROWMILL_INVALID_ARGUMENT). */
rowmill_status rowmill_embedding_create(int64_t rows, int64_t dim, const rowmill_embedding_options* options,
                                        rowmill_embedding** embedding) ROWMILL_NOEXCEPT;
void rowmill_embedding_destroy(rowmill_embedding* embedding) ROWMILL_NOEXCEPT;

/* rowmill_gather from the layer's table, with its policy. */
rowmill_status rowmill_embedding_forward(const rowmill_embedding* embedding, const rowmill_ids* ids,
                                         const rowmill_view* out) ROWMILL_NOEXCEPT;

/* The forward pass of a layer with a max_norm: rowmill_renormalize, which writes the table, and then the lookup.
 * Without a max_norm it is the lookup alone. */
rowmill_status rowmill_embedding_forward_max_norm(rowmill_embedding* embedding, const rowmill_ids* ids,
                                                  const rowmill_view* out) ROWMILL_NOEXCEPT;

/* Records the gradient of one forward pass, ids.count x dim, for the next step. The ids are copied, and the gradient
 * too unless the layer was made with ROWMILL_RECORDED_REFERENCED. The padding id's positions are ignored. Errors, which
 * record nothing: a bad view or ids (ROWMILL_INVALID_ARGUMENT), ROWMILL_SHAPE_MISMATCH, ROWMILL_ID_OUT_OF_RANGE, a
 * gradient in the table's memory (ROWMILL_OVERLAP), ROWMILL_OUT_OF_MEMORY. */
rowmill_status rowmill_embedding_backward(rowmill_embedding* embedding, const rowmill_ids* ids,
                                          const rowmill_view* gradient) ROWMILL_NOEXCEPT;

/* Step applies what backward recorded, then forgets it; zero_grad only forgets it. With nothing recorded a step does
 * nothing. A recorded pass makes the step count, even one that trains no row: of no ids, or of the padding id alone.
 * Errors of a step: as rowmill_plan_build and rowmill_optimizer_step. */
rowmill_status rowmill_embedding_step(rowmill_embedding* embedding) ROWMILL_NOEXCEPT;
rowmill_status rowmill_embedding_zero_grad(rowmill_embedding* embedding) ROWMILL_NOEXCEPT;

/* The layer's table, as rowmill_table_view. */
rowmill_status rowmill_embedding_table_view(const rowmill_embedding* embedding, rowmill_view* view) ROWMILL_NOEXCEPT;

/* The layer's optimizer: it belongs to the layer and must not be destroyed. NULL for a null handle. */
rowmill_optimizer* rowmill_embedding_optimizer(rowmill_embedding* embedding) ROWMILL_NOEXCEPT;

ROWMILL_END_C

#endif /* ROWMILL_C_EMBEDDING_H */
