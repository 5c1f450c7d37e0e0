/* SPDX-License-Identifier: Apache-2.0 */
/* Optimizers. A part of rowmill/c.h. */
#ifndef ROWMILL_C_OPTIMIZER_H
#define ROWMILL_C_OPTIMIZER_H

#include "rowmill/c/gradient.h"
#include "rowmill/c/plan.h"
#include "rowmill/c/views.h"
#include "rowmill/c/workspace.h"

ROWMILL_BEGIN_C

/* An optimizer applies batches of gradients to one rows x dim table, and keeps the state for that. Only rows that the
 * batch touches move; the gradients of one row are summed first. optimizer.hpp gives the formulas. */
typedef struct rowmill_optimizer rowmill_optimizer;

/* How a step shrinks the weights of the rows that it moves; the others wait. */
typedef int32_t rowmill_weight_decay;
enum {
  ROWMILL_DECAY_NONE = 0,
  ROWMILL_DECAY_L2 = 1,       /* g = g + weight_decay * w, before all else */
  ROWMILL_DECAY_DECOUPLED = 2 /* w = w * (1 - learning_rate * weight_decay), before the rest; Adam: AdamW */
};

/* How an updated value is rounded to 16 bits. */
typedef int32_t rowmill_rounding;
enum {
  ROWMILL_ROUND_NEAREST = 0,
  ROWMILL_ROUND_STOCHASTIC = 1 /* up or down by chance, so that many small updates add up */
};

/* What an updated float16 weight becomes that is infinite or lies beyond 65504, the largest value. */
typedef int32_t rowmill_overflow;
enum {
  ROWMILL_OVERFLOW_INFINITY = 0,
  ROWMILL_OVERFLOW_SATURATE = 1, /* 65504, or -65504 */
  ROWMILL_OVERFLOW_ERROR = 2     /* the step fails, says where, and changes nothing */
};

/* How an optimizer's weights and states are stored: storage_options.hpp says more. */
typedef struct rowmill_storage_options {
  size_t struct_size;
  rowmill_rounding rounding; /* ROWMILL_ROUND_NEAREST; of weights and states of 16 bits */
  rowmill_overflow overflow; /* ROWMILL_OVERFLOW_SATURATE */
  /* For stochastic rounding: the random numbers. The table must have a name, or the stream a name or a number. */
  uint64_t seed;           /* 0, for which a layer takes its own */
  uint64_t stream;         /* 0 */
  const char* stream_name; /* NULL: the table's name */
  uint64_t first_row;    /* 0; where the weights begin in a larger table, so that its parts are rounded as the whole */
  uint64_t first_column; /* 0 */
  int32_t split; /* 0; not 0: the weights are ROWMILL_BFLOAT16, the upper halves of floats, and the last state has the
                    lower ones, ROWMILL_LOW16 */
  rowmill_format state_format; /* ROWMILL_FLOAT32, or ROWMILL_BFLOAT16: of states with a value for each weight, if the
                                  optimizer has some */
} rowmill_storage_options;

/* Fills in the defaults, which stand above. */
rowmill_status rowmill_storage_options_init(rowmill_storage_options* options, size_t struct_size) ROWMILL_NOEXCEPT;

/* w = w - learning_rate * g, or with momentum: b = momentum * b + g;  w = w - learning_rate * b */
typedef struct rowmill_sgd_options {
  size_t struct_size;
  double learning_rate;       /* 0.01 */
  double momentum;            /* 0 */
  int32_t nesterov;           /* 0; not 0: w = w - learning_rate * (g + momentum * b), which needs a momentum */
  rowmill_weight_decay decay; /* ROWMILL_DECAY_NONE; weight_decay must then be 0, here and below */
  double weight_decay;        /* 0 */
  const rowmill_storage_options* storage; /* NULL: its defaults. It can't be changed later: set_options takes NULL */
} rowmill_sgd_options;

/* a = a + g * g;  w = w - learning_rate * g / (sqrt(a) + epsilon) */
typedef struct rowmill_adagrad_options {
  size_t struct_size;
  double learning_rate;                   /* 0.01 */
  double initial_accumulator;             /* 0 */
  double epsilon;                         /* 1e-10 */
  rowmill_weight_decay decay;             /* ROWMILL_DECAY_NONE */
  double weight_decay;                    /* 0 */
  const rowmill_storage_options* storage; /* NULL */
} rowmill_adagrad_options;

/* Adagrad with one accumulator a row: a = a + sum(g * g) / dim */
typedef struct rowmill_row_wise_adagrad_options {
  size_t struct_size;
  double learning_rate;                   /* 0.01 */
  double initial_accumulator;             /* 0 */
  double epsilon;                         /* 1e-8 */
  rowmill_weight_decay decay;             /* ROWMILL_DECAY_NONE */
  double weight_decay;                    /* 0 */
  const rowmill_storage_options* storage; /* NULL */
} rowmill_row_wise_adagrad_options;

/* Lazy Adam: a row's moments decay when it is touched, and the bias correction counts all steps. */
typedef struct rowmill_adam_options {
  size_t struct_size;
  double learning_rate;                   /* 0.001 */
  double beta1;                           /* 0.9 */
  double beta2;                           /* 0.999 */
  double epsilon;                         /* 1e-8 */
  rowmill_weight_decay decay;             /* ROWMILL_DECAY_NONE */
  double weight_decay;                    /* 0 */
  const rowmill_storage_options* storage; /* NULL */
} rowmill_adam_options;

/* Lazy Adam with one second moment a row, of sum(g * g) / dim. */
typedef struct rowmill_partial_row_wise_adam_options {
  size_t struct_size;
  double learning_rate;                   /* 0.001 */
  double beta1;                           /* 0.9 */
  double beta2;                           /* 0.999 */
  double epsilon;                         /* 1e-8 */
  rowmill_weight_decay decay;             /* ROWMILL_DECAY_NONE */
  double weight_decay;                    /* 0 */
  const rowmill_storage_options* storage; /* NULL */
} rowmill_partial_row_wise_adam_options;

/* Fill in the defaults, which stand above. */
rowmill_status rowmill_sgd_options_init(rowmill_sgd_options* options, size_t struct_size) ROWMILL_NOEXCEPT;
rowmill_status rowmill_adagrad_options_init(rowmill_adagrad_options* options, size_t struct_size) ROWMILL_NOEXCEPT;
rowmill_status rowmill_row_wise_adagrad_options_init(rowmill_row_wise_adagrad_options* options,
                                                     size_t struct_size) ROWMILL_NOEXCEPT;
rowmill_status rowmill_adam_options_init(rowmill_adam_options* options, size_t struct_size) ROWMILL_NOEXCEPT;
rowmill_status rowmill_partial_row_wise_adam_options_init(rowmill_partial_row_wise_adam_options* options,
                                                          size_t struct_size) ROWMILL_NOEXCEPT;

/* Make an optimizer for a rows x dim table, with its state. `name`, the table's, names the state; it may be NULL.
 * Errors: rows < 0, dim < 0, an option out of its range (ROWMILL_INVALID_ARGUMENT); ROWMILL_OUT_OF_MEMORY. */
rowmill_status rowmill_sgd_create(int64_t rows, int64_t dim, const char* name, const rowmill_sgd_options* options,
                                  rowmill_optimizer** optimizer) ROWMILL_NOEXCEPT;
rowmill_status rowmill_adagrad_create(int64_t rows, int64_t dim, const char* name,
                                      const rowmill_adagrad_options* options,
                                      rowmill_optimizer** optimizer) ROWMILL_NOEXCEPT;
rowmill_status rowmill_row_wise_adagrad_create(int64_t rows, int64_t dim, const char* name,
                                               const rowmill_row_wise_adagrad_options* options,
                                               rowmill_optimizer** optimizer) ROWMILL_NOEXCEPT;
rowmill_status rowmill_adam_create(int64_t rows, int64_t dim, const char* name, const rowmill_adam_options* options,
                                   rowmill_optimizer** optimizer) ROWMILL_NOEXCEPT;
rowmill_status rowmill_partial_row_wise_adam_create(int64_t rows, int64_t dim, const char* name,
                                                    const rowmill_partial_row_wise_adam_options* options,
                                                    rowmill_optimizer** optimizer) ROWMILL_NOEXCEPT;
void rowmill_optimizer_destroy(rowmill_optimizer* optimizer) ROWMILL_NOEXCEPT;

/* The same options, state, step count and learning rate, in memory of its own; also of a layer's optimizer.
 * Errors: ROWMILL_OUT_OF_MEMORY. */
rowmill_status rowmill_optimizer_clone(const rowmill_optimizer* optimizer, rowmill_optimizer** clone) ROWMILL_NOEXCEPT;

/* The same with the state in the caller's memory, which must live as long as the optimizer: state_count views of the
 * number, order, shapes and formats that rowmill_optimizer_state gives, whose rows stand one after another. What they
 * hold is the state; an initial_accumulator is not applied.
 * Errors: also a bad view (ROWMILL_INVALID_ARGUMENT), another number of views or another shape
 * (ROWMILL_SHAPE_MISMATCH), views that share an element (ROWMILL_OVERLAP). */
rowmill_status rowmill_sgd_create_with_state(int64_t rows, int64_t dim, const rowmill_sgd_options* options,
                                             const rowmill_view* state, int64_t state_count,
                                             rowmill_optimizer** optimizer) ROWMILL_NOEXCEPT;
rowmill_status rowmill_adagrad_create_with_state(int64_t rows, int64_t dim, const rowmill_adagrad_options* options,
                                                 const rowmill_view* state, int64_t state_count,
                                                 rowmill_optimizer** optimizer) ROWMILL_NOEXCEPT;
rowmill_status rowmill_row_wise_adagrad_create_with_state(int64_t rows, int64_t dim,
                                                          const rowmill_row_wise_adagrad_options* options,
                                                          const rowmill_view* state, int64_t state_count,
                                                          rowmill_optimizer** optimizer) ROWMILL_NOEXCEPT;
rowmill_status rowmill_adam_create_with_state(int64_t rows, int64_t dim, const rowmill_adam_options* options,
                                              const rowmill_view* state, int64_t state_count,
                                              rowmill_optimizer** optimizer) ROWMILL_NOEXCEPT;
rowmill_status rowmill_partial_row_wise_adam_create_with_state(int64_t rows, int64_t dim,
                                                               const rowmill_partial_row_wise_adam_options* options,
                                                               const rowmill_view* state, int64_t state_count,
                                                               rowmill_optimizer** optimizer) ROWMILL_NOEXCEPT;

/* One step.
 *
 *     for each row r that the plan touches:
 *       g = sum of coefficient * gradients[p, :] over r's gradient rows p, in the order of the ids, in blocks of
 *           1,024; the coefficients are the plan's
 *       update weights[r, :] and the state of r
 *
 * Shapes: weights rows x dim as this optimizer was made for, which is written; gradients: an array of gradient_count
 * views with dim columns whose rows, one view after another, are the plan's gradient rows (one view for each backward
 * pass that was accumulated): a row for each id, or for each bag. A plan of zero ids changes no row, but the
 * step counts. No other call may use the rows touched or this optimizer meanwhile. Errors: a bad view
 * (ROWMILL_INVALID_ARGUMENT), ROWMILL_OVERFLOW_ERROR where a weight overflows (the same), shapes or plan that disagree
 * (ROWMILL_SHAPE_MISMATCH), weights or state that share an element with a gradient (ROWMILL_OVERLAP),
 * ROWMILL_OUT_OF_MEMORY, ROWMILL_UNSUPPORTED_ISA. */
rowmill_status rowmill_optimizer_step(rowmill_optimizer* optimizer, const rowmill_view* weights,
                                      const rowmill_plan* plan, const rowmill_view* gradients, int64_t gradient_count,
                                      rowmill_workspace* workspace) ROWMILL_NOEXCEPT;

/* The same with options that scale, clip or check each row's finished sum g before the update. A step that
 * skip_nonfinite leaves out changes nothing but rowmill_optimizer_skipped_steps. Errors: also an option out of its
 * range (ROWMILL_INVALID_ARGUMENT). */
rowmill_status rowmill_optimizer_step_with(rowmill_optimizer* optimizer, const rowmill_view* weights,
                                           const rowmill_plan* plan, const rowmill_view* gradients,
                                           int64_t gradient_count, const rowmill_gradient_options* options,
                                           rowmill_workspace* workspace) ROWMILL_NOEXCEPT;

/* The steps that skip_nonfinite left out since the optimizer was made; -1 for a null handle. */
int64_t rowmill_optimizer_skipped_steps(const rowmill_optimizer* optimizer) ROWMILL_NOEXCEPT;

/* The bytes of workspace that a step with `id_count` ids in `gradient_count` views uses at most; 0 if one of them is
 * not in 0 .. 2^56, or the handle is null. */
size_t rowmill_optimizer_memory_required(const rowmill_optimizer* optimizer, int64_t id_count,
                                         int64_t gradient_count) ROWMILL_NOEXCEPT;

/* The same for a rowmill_optimizer_step_with these options over a plan of this pooling; 0 also if these are bad. */
size_t rowmill_optimizer_memory_required_with(const rowmill_optimizer* optimizer, int64_t id_count,
                                              int64_t gradient_count, const rowmill_gradient_options* options,
                                              rowmill_pooling pooling) ROWMILL_NOEXCEPT;

/* "sgd", "adagrad", "row_wise_adagrad", "adam", "partial_row_wise_adam"; NULL for a null handle. */
const char* rowmill_optimizer_name(const rowmill_optimizer* optimizer) ROWMILL_NOEXCEPT;

/* The steps taken, and the learning rate; -1 for a null handle. */
int64_t rowmill_optimizer_step_count(const rowmill_optimizer* optimizer) ROWMILL_NOEXCEPT;
double rowmill_optimizer_learning_rate(const rowmill_optimizer* optimizer) ROWMILL_NOEXCEPT;

/* Errors: ROWMILL_INVALID_ARGUMENT unless 0 <= learning_rate <= 3.4e38, the largest float. */
rowmill_status rowmill_optimizer_set_learning_rate(rowmill_optimizer* optimizer, double learning_rate) ROWMILL_NOEXCEPT;

/* Set every hyperparameter, and get them; the struct that receives them must have been filled in by its init function.
 * State and step count stay; an initial_accumulator has no effect any more.
 * Errors, which change nothing: an optimizer of another kind, an option out of its range, or options that need other
 * state tables: a momentum where it was 0, or 0 where it was not (ROWMILL_INVALID_ARGUMENT). */
rowmill_status rowmill_sgd_set_options(rowmill_optimizer* optimizer,
                                       const rowmill_sgd_options* options) ROWMILL_NOEXCEPT;
rowmill_status rowmill_adagrad_set_options(rowmill_optimizer* optimizer,
                                           const rowmill_adagrad_options* options) ROWMILL_NOEXCEPT;
rowmill_status rowmill_row_wise_adagrad_set_options(rowmill_optimizer* optimizer,
                                                    const rowmill_row_wise_adagrad_options* options) ROWMILL_NOEXCEPT;
rowmill_status rowmill_adam_set_options(rowmill_optimizer* optimizer,
                                        const rowmill_adam_options* options) ROWMILL_NOEXCEPT;
rowmill_status rowmill_partial_row_wise_adam_set_options(
    rowmill_optimizer* optimizer, const rowmill_partial_row_wise_adam_options* options) ROWMILL_NOEXCEPT;
rowmill_status rowmill_sgd_get_options(const rowmill_optimizer* optimizer,
                                       rowmill_sgd_options* options) ROWMILL_NOEXCEPT;
rowmill_status rowmill_adagrad_get_options(const rowmill_optimizer* optimizer,
                                           rowmill_adagrad_options* options) ROWMILL_NOEXCEPT;
rowmill_status rowmill_row_wise_adagrad_get_options(const rowmill_optimizer* optimizer,
                                                    rowmill_row_wise_adagrad_options* options) ROWMILL_NOEXCEPT;
rowmill_status rowmill_adam_get_options(const rowmill_optimizer* optimizer,
                                        rowmill_adam_options* options) ROWMILL_NOEXCEPT;
rowmill_status rowmill_partial_row_wise_adam_get_options(
    const rowmill_optimizer* optimizer, rowmill_partial_row_wise_adam_options* options) ROWMILL_NOEXCEPT;

/* The state tables: none for SGD, {momentum} with momentum; {accumulator} for Adagrad, of dim 1 when row-wise; {m, v}
 * for Adam, v of dim 1 when row-wise. The others are rows x dim. Of a split table {low} comes after them. The count is
 * -1 for a null handle; a view is valid until the optimizer is destroyed. Errors: an index that is not in 0 .. count-1
 * (ROWMILL_INVALID_ARGUMENT). */
int64_t rowmill_optimizer_state_count(const rowmill_optimizer* optimizer) ROWMILL_NOEXCEPT;
rowmill_status rowmill_optimizer_state(const rowmill_optimizer* optimizer, int64_t index,
                                       rowmill_view* view) ROWMILL_NOEXCEPT;

/* Where an optimizer stands between two steps, beside its state tables: what a checkpoint stores. */
typedef struct rowmill_optimizer_progress {
  size_t struct_size;
  int64_t step_count;
  /* For Adam: beta1^step_count and beta2^step_count, multiplied step by step; -1: not given, or there are none. */
  double beta1_power;
  double beta2_power;
} rowmill_optimizer_progress;

/* Fills in step count 0 and no powers. */
rowmill_status rowmill_optimizer_progress_init(rowmill_optimizer_progress* progress,
                                               size_t struct_size) ROWMILL_NOEXCEPT;

/* Where the optimizer stands. The struct must have been filled in by its init function. */
rowmill_status rowmill_optimizer_get_progress(const rowmill_optimizer* optimizer,
                                              rowmill_optimizer_progress* progress) ROWMILL_NOEXCEPT;

/* Sets the step count, the powers and the contents of the state tables, so that the next steps have the same bits as
 * those of the optimizer that gave them. `state` are state_count views in the order and of the shapes of
 * rowmill_optimizer_state, whose contents are copied; one that is this optimizer's own is left as it is. Powers that
 * are not given are multiplied again: a multiplication a step, until the power changes no more. The learning rate is
 * not a part. Errors: a step count below 0, a power that is neither in 0 .. 1 nor -1 or is given to an optimizer
 * without betas, a bad view (ROWMILL_INVALID_ARGUMENT); another number of views, or another shape
 * (ROWMILL_SHAPE_MISMATCH); a view that shares an element with the state in another way (ROWMILL_OVERLAP). */
rowmill_status rowmill_optimizer_restore(rowmill_optimizer* optimizer, const rowmill_optimizer_progress* progress,
                                         const rowmill_view* state, int64_t state_count) ROWMILL_NOEXCEPT;

ROWMILL_END_C

#endif /* ROWMILL_C_OPTIMIZER_H */
