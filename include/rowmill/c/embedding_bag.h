/* SPDX-License-Identifier: Apache-2.0 */
/* The EmbeddingBag layer. A part of rowmill/c.h. */
#ifndef ROWMILL_C_EMBEDDING_BAG_H
#define ROWMILL_C_EMBEDDING_BAG_H

#include "rowmill/c/embedding.h" /* rowmill_recorded */
#include "rowmill/c/ids.h"
#include "rowmill/c/optimizer.h"
#include "rowmill/c/pool.h"
#include "rowmill/c/table.h"
#include "rowmill/c/views.h"
#include "rowmill/c/workspace.h"

ROWMILL_BEGIN_C

/* The layer of pooled lookups: each bag of ids becomes one output row, pooled from the rows of its ids. One thread at a
 * time may use a layer, except that rowmill_embedding_bag_forward alone may run on several, each call with a workspace
 * of its own or none. */
typedef struct rowmill_embedding_bag rowmill_embedding_bag;

typedef struct rowmill_embedding_bag_options {
  size_t struct_size;
  const char* name; /* as in rowmill_table_options, also the next four */
  uint64_t seed;
  rowmill_initializer initializer;
  float a;
  float b;
  rowmill_pooling pooling;
  rowmill_out_of_range out_of_range;
  const rowmill_sgd_options* sgd;         /* the optimizer: at most one is not NULL; */
  const rowmill_adagrad_options* adagrad; /* none means SGD with its defaults */
  const rowmill_row_wise_adagrad_options* row_wise_adagrad;
  const rowmill_adam_options* adam;
  const rowmill_partial_row_wise_adam_options* partial_row_wise_adam;
  rowmill_format format;   /* of the table; since 0.2, and all below */
  rowmill_divisor divisor; /* of a mean or sqrtn of bags with weights */
  int64_t padding_id;      /* left out of every bag; if it is a row, that starts at zero and never moves */
  int32_t has_padding_id;  /* not 0: there is one */
  rowmill_recorded recorded;
  const rowmill_gradient_options* gradient; /* these three as in rowmill_embedding_options */
  double max_norm;
  rowmill_norm norm;
  int32_t reserved; /* 0 */
  uint64_t stream;  /* as in rowmill_embedding_options */
} rowmill_embedding_bag_options;

/* Fills in the defaults: no name, seed 0, Trax's initializer, ROWMILL_POOL_MEAN, ROWMILL_RANGE_ERROR, SGD,
 * ROWMILL_DIVISOR_COUNT, no padding, ROWMILL_RECORDED_COPIED, no max_norm. */
rowmill_status rowmill_embedding_bag_options_init(rowmill_embedding_bag_options* options,
                                                  size_t struct_size) ROWMILL_NOEXCEPT;

/* Errors: those of the table and the optimizer; two optimizers, a divisor that does not go with the pooling, or a
 * max_norm or an option of the gradient that is out of its range (ROWMILL_INVALID_ARGUMENT). */
rowmill_status rowmill_embedding_bag_create(int64_t rows, int64_t dim, const rowmill_embedding_bag_options* options,
                                            rowmill_embedding_bag** embedding_bag) ROWMILL_NOEXCEPT;
void rowmill_embedding_bag_destroy(rowmill_embedding_bag* embedding_bag) ROWMILL_NOEXCEPT;

/* rowmill_pool from the layer's table, with its pooling, policy and padding id. */
rowmill_status rowmill_embedding_bag_forward(const rowmill_embedding_bag* embedding_bag, const rowmill_bags* bags,
                                             const rowmill_view* out, rowmill_workspace* workspace) ROWMILL_NOEXCEPT;

/* The same with a weight for each id; NULL and 0: none. */
rowmill_status rowmill_embedding_bag_forward_weighted(const rowmill_embedding_bag* embedding_bag,
                                                      const rowmill_bags* bags, const float* weights,
                                                      int64_t weight_count, const rowmill_view* out,
                                                      rowmill_workspace* workspace) ROWMILL_NOEXCEPT;

/* The forward pass of a layer with a max_norm, with weights or NULL: rowmill_renormalize_bags, which writes the table,
 * and then the lookup. Without a max_norm it is the lookup alone. */
rowmill_status rowmill_embedding_bag_forward_max_norm(rowmill_embedding_bag* embedding_bag, const rowmill_bags* bags,
                                                      const float* weights, int64_t weight_count,
                                                      const rowmill_view* out,
                                                      rowmill_workspace* workspace) ROWMILL_NOEXCEPT;

/* Records the gradient of one forward pass, bags.size x dim, for the next step. The ids are copied, and the gradient
 * too unless the layer was made with ROWMILL_RECORDED_REFERENCED. For a maximum, the table must still be as the forward
 * pass left it: it is read again, to find the winners. Errors, which record nothing: a bad view or bags (as
 * rowmill_pool), ROWMILL_SHAPE_MISMATCH, ROWMILL_ID_OUT_OF_RANGE, a gradient in the table's memory (ROWMILL_OVERLAP),
 * ROWMILL_OUT_OF_MEMORY. */
rowmill_status rowmill_embedding_bag_backward(rowmill_embedding_bag* embedding_bag, const rowmill_bags* bags,
                                              const rowmill_view* gradient) ROWMILL_NOEXCEPT;

/* The same with the weights of the forward pass, which are copied; NULL and 0: none. `weight_gradients`, unless it is
 * NULL and 0, receives the gradient of each id's weight: see rowmill_pool_weight_gradients. */
rowmill_status rowmill_embedding_bag_backward_weighted(rowmill_embedding_bag* embedding_bag, const rowmill_bags* bags,
                                                       const float* weights, int64_t weight_count,
                                                       const rowmill_view* gradient, float* weight_gradients,
                                                       int64_t weight_gradient_count) ROWMILL_NOEXCEPT;

/* As rowmill_embedding_step and rowmill_embedding_zero_grad. */
rowmill_status rowmill_embedding_bag_step(rowmill_embedding_bag* embedding_bag) ROWMILL_NOEXCEPT;
rowmill_status rowmill_embedding_bag_zero_grad(rowmill_embedding_bag* embedding_bag) ROWMILL_NOEXCEPT;

/* The layer's table, as rowmill_table_view. */
rowmill_status rowmill_embedding_bag_table_view(const rowmill_embedding_bag* embedding_bag,
                                                rowmill_view* view) ROWMILL_NOEXCEPT;

/* The layer's optimizer: it belongs to the layer and must not be destroyed. NULL for a null handle. */
rowmill_optimizer* rowmill_embedding_bag_optimizer(rowmill_embedding_bag* embedding_bag) ROWMILL_NOEXCEPT;

ROWMILL_END_C

#endif /* ROWMILL_C_EMBEDDING_BAG_H */
