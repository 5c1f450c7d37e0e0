/* SPDX-License-Identifier: Apache-2.0 */
/* The C interface: the operations of the C++ headers for C and for other languages (Python's ctypes, Julia, Rust, ...).
 *
 * Link librowmill_c.so (CMake: -DROWMILL_BUILD_SHARED_C=ON, target rowmill::rowmill_c), or the static library, which
 * holds it too and then needs the C++ runtime and oneTBB.
 *
 * Errors.   A function that can fail returns a rowmill_status. If that is not ROWMILL_OK, the call has changed nothing
 *           that the caller can see, and rowmill_last_error_message() says what was wrong. A function that returns a
 *           value returns NULL, 0 or -1, as it says, when its argument is wrong, and sets the message too. No exception
 *           leaves a function. Null handles, null structs, unknown enum values and wrong struct sizes are
 *           ROWMILL_INVALID_ARGUMENT everywhere; so it is not said again below.
 * Handles.  An X_create function makes one, X_destroy frees it and takes NULL. Handles are independent of each other: a
 *           table may go while a plan or an optimizer that was used with it stays.
 * Threads.  Functions may be called from any thread. What may run at the same time is said at each operation, as
 *           in C++; rowmill_set_threads() limits how many threads a call uses.
 * Structs.  Option structs begin with their size, and each has an init function that fills in the defaults. A pointer
 *           to options may be NULL, for the defaults. Later versions append members and still take the older sizes, so
 *           that a program need not be compiled again. Structs without a size stay as they are.
 */
#ifndef ROWMILL_C_H
#define ROWMILL_C_H

#include <stddef.h>
#include <stdint.h>

#include "rowmill/version.hpp" /* macros alone */

/* The version of this interface. It grows when a program compiled against an older one would break; the number
 * after librowmill_c.so. is this one. What is only added does not change it: ask rowmill_version(). */
#define ROWMILL_C_ABI_VERSION 1

#ifdef __cplusplus
#define ROWMILL_NOEXCEPT noexcept
extern "C" {
#else
#define ROWMILL_NOEXCEPT
#endif

/* ---- versions ---------------------------------------------------------------------------------------------------- */

/* ROWMILL_C_ABI_VERSION and ROWMILL_VERSION of the library that runs. */
int32_t rowmill_c_abi_version(void) ROWMILL_NOEXCEPT;
int32_t rowmill_version(void) ROWMILL_NOEXCEPT;

/* The instruction set that runs: "avx512", "avx2", "sse2" or "scalar"; NULL if the environment variable ROWMILL_ISA
 * names one that is unknown or not supported here. Results have the same bits on all of them. */
const char* rowmill_isa_name(void) ROWMILL_NOEXCEPT;

/* ---- errors ------------------------------------------------------------------------------------------------------ */

/* Enums are int32_t wherever they are stored or passed, so that a wrong value is an error and not undefined. */
typedef int32_t rowmill_status;
enum {
  ROWMILL_OK = 0,
  ROWMILL_INVALID_ARGUMENT = 1, /* an option, a pointer or a size that no call accepts */
  ROWMILL_SHAPE_MISMATCH = 2,   /* two arguments whose shapes disagree */
  ROWMILL_ID_OUT_OF_RANGE = 3,  /* an id outside the table, under the policy in force */
  ROWMILL_OVERLAP = 4,          /* an output that shares elements with an input, or with itself */
  ROWMILL_OUT_OF_MEMORY = 5,    /* the system refused memory */
  ROWMILL_UNSUPPORTED_ISA = 6,  /* ROWMILL_ISA names an instruction set that is unknown or not on this machine */
  ROWMILL_UNEXPECTED = 99       /* anything else */
};

/* The last error of the calling thread. Calls that succeed leave it as it is, as with errno.
 * - message: "" before the first error; valid until the thread's next error, and cut at 1,023 bytes.
 * - position, value: for an id out of range, or an offset of bags that is not allowed, the lowest bad position and what
 *   stands there; else -1. */
rowmill_status rowmill_last_error_status(void) ROWMILL_NOEXCEPT;
const char* rowmill_last_error_message(void) ROWMILL_NOEXCEPT;
int64_t rowmill_last_error_position(void) ROWMILL_NOEXCEPT;
int64_t rowmill_last_error_value(void) ROWMILL_NOEXCEPT;

/* ---- threads ----------------------------------------------------------------------------------------------------- */

/* Limits the calls that the calling thread makes from now on to `threads` threads, itself included; other threads have
 * limits of their own. 0, the default: all of the machine's (in a oneTBB arena of the caller's: that arena's); so is a
 * number that is larger than the machine's. Results have the same bits with any number of threads. Small work stays on
 * the calling thread anyway. The worker threads are oneTBB's, shared by the whole process and idle between calls.
 * Errors: threads < 0 (ROWMILL_INVALID_ARGUMENT). */
rowmill_status rowmill_set_threads(int32_t threads) ROWMILL_NOEXCEPT;

/* How many threads a call from the calling thread may use. */
int32_t rowmill_threads(void) ROWMILL_NOEXCEPT;

/* ---- views and ids ----------------------------------------------------------------------------------------------- */

/* How a table stores its elements. */
typedef int32_t rowmill_format;
enum {
  ROWMILL_FLOAT32 = 0,
  ROWMILL_BFLOAT16 = 1 /* the upper 16 bits of a float */
};

/* A rows x dim table in anyone's memory. Row r starts row_stride elements after row r-1: at least dim where the
 * view is written; 0 broadcasts one row where it is only read. The memory is written only by operations that say so,
 * and must live while the call runs. */
typedef struct rowmill_view {
  void* data;
  int64_t rows;
  int64_t dim;
  int64_t row_stride;
  const char* name;      /* appears in errors; may be NULL */
  rowmill_format format; /* an operation that does not support it says so: ROWMILL_INVALID_ARGUMENT */
} rowmill_view;

/* The view of rows of floats that stand one after another. */
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

typedef int32_t rowmill_id_type;
enum { ROWMILL_INT32 = 32, ROWMILL_INT64 = 64 };

/* `count` ids, a batch of any shape flattened. They are never copied, narrowed or rewritten. */
typedef struct rowmill_ids {
  const void* data;
  int64_t count;
  rowmill_id_type type;
} rowmill_ids;

static inline rowmill_ids rowmill_make_ids(const void* data, int64_t count, rowmill_id_type type) {
  rowmill_ids ids;
  ids.data = data;
  ids.count = count;
  ids.type = type;
  return ids;
}

/* Ids grouped into bags, each of which may be empty. */
typedef struct rowmill_bags {
  rowmill_ids ids;
  rowmill_ids offsets; /* with has_offsets: bag b is ids[offsets[b]] .. ids[offsets[b+1] - 1] */
  int64_t size;        /* the number of bags */
  int64_t length;      /* without: the length of every bag; ids is a size x length array */
  int32_t has_offsets; /* 0: no; 1: size + 1 of them; ROWMILL_OFFSETS_WITHOUT_LAST: size */
} rowmill_bags;

enum { ROWMILL_OFFSETS_WITHOUT_LAST = 2 };

/* Bags by offsets: the first is 0, none is below the one before it, and the last is ids.count (as
 * torch.nn.EmbeddingBag with include_last_offset). */
static inline rowmill_bags rowmill_make_bags(rowmill_ids ids, rowmill_ids offsets) {
  rowmill_bags bags;
  bags.ids = ids;
  bags.offsets = offsets;
  bags.size = offsets.count - 1;
  bags.length = 0;
  bags.has_offsets = 1;
  return bags;
}

/* Bags by offsets without the last one, an offset for each bag: the last bag ends with the ids
 * (include_last_offset=False). */
static inline rowmill_bags rowmill_make_bags_without_last(rowmill_ids ids, rowmill_ids offsets) {
  rowmill_bags bags = rowmill_make_bags(ids, offsets);
  bags.size = offsets.count;
  bags.has_offsets = ROWMILL_OFFSETS_WITHOUT_LAST;
  return bags;
}

/* A batch x length array of ids in row-major order: a bag for each row. */
static inline rowmill_bags rowmill_make_batch(rowmill_ids ids, int64_t batch, int64_t length) {
  rowmill_bags bags;
  bags.ids = ids;
  bags.offsets = rowmill_make_ids(NULL, 0, ROWMILL_INT64);
  bags.size = batch;
  bags.length = length;
  bags.has_offsets = 0;
  return bags;
}

/* What an operation does with an id outside its table. */
typedef int32_t rowmill_out_of_range;
enum {
  ROWMILL_RANGE_ERROR = 0,        /* ROWMILL_ID_OUT_OF_RANGE; allowed: 0 .. rows-1 */
  ROWMILL_RANGE_CLIP = 1,         /* row 0 for negative ids and row rows-1 for large ones */
  ROWMILL_RANGE_ZERO = 2,         /* a gather yields a zero row; an update ignores the id */
  ROWMILL_RANGE_WRAP_NEGATIVE = 3 /* -1 is the last row; allowed: -rows .. rows-1 */
};

/* Looks for an id that the policy forbids in a table of `rows` rows.
 *
 *     for i in 0 .. ids.count-1:
 *       if not allowed(ids[i], rows, out_of_range): position = i, value = ids[i], return
 *     position = -1, value = -1
 *
 * A bad id is not an error of this call. `value` may be NULL.
 * Errors: the ids' pointer is null (and count is not 0) or not aligned, or count < 0 (ROWMILL_INVALID_ARGUMENT). */
rowmill_status rowmill_find_bad_id(const rowmill_ids* ids, int64_t rows, rowmill_out_of_range out_of_range,
                                   int64_t* position, int64_t* value) ROWMILL_NOEXCEPT;

/* ---- tables ------------------------------------------------------------------------------------------------------ */

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

/* ---- gather ------------------------------------------------------------------------------------------------------ */

/* How a large output is written: streaming stores go past the caches. */
typedef int32_t rowmill_stores;
enum {
  ROWMILL_STORES_AUTOMATIC = 0, /* streaming when the output is larger than the threads' part of the caches */
  ROWMILL_STORES_ORDINARY = 1,
  ROWMILL_STORES_STREAMING = 2 /* where rows are aligned to the vector width; ordinary elsewhere */
};

typedef struct rowmill_gather_options {
  size_t struct_size;
  rowmill_out_of_range out_of_range;
  rowmill_stores stores;
} rowmill_gather_options;

/* Fills in the defaults: ROWMILL_RANGE_ERROR, ROWMILL_STORES_AUTOMATIC. */
rowmill_status rowmill_gather_options_init(rowmill_gather_options* options, size_t struct_size) ROWMILL_NOEXCEPT;

/* Copies table rows: the lookup of an embedding layer.
 *
 *     for i in 0 .. ids.count-1:
 *       out[i, :] = table[ids[i], :]
 *
 * Shapes: table rows x dim; out ids.count x dim, which is written. Zero ids do nothing. Reads of one table may run at
 * the same time; a write to it meanwhile is a race.
 * Errors: a view or the ids are null (and not empty) or bad (ROWMILL_INVALID_ARGUMENT); out has another shape
 * (ROWMILL_SHAPE_MISMATCH); out shares an element with table or ids, or its rows with each other (ROWMILL_OVERLAP); an
 * id is out of range (ROWMILL_ID_OUT_OF_RANGE); ROWMILL_UNSUPPORTED_ISA. */
rowmill_status rowmill_gather(const rowmill_view* table, const rowmill_ids* ids, const rowmill_view* out,
                              const rowmill_gather_options* options) ROWMILL_NOEXCEPT;

/* ---- outputs ----------------------------------------------------------------------------------------------------- */

/* Makes outputs for callers who want a new one for each call. Memory that is new from the system has to be cleared page
 * by page when it is first written, which takes longer than a large gather itself; this keeps the memory of the last
 * outputs that were released for the next ones. Threads may share one. */
typedef struct rowmill_output_allocator rowmill_output_allocator;

rowmill_status rowmill_output_allocator_create(rowmill_output_allocator** allocator) ROWMILL_NOEXCEPT;
/* Frees its outputs too, released or not. */
void rowmill_output_allocator_destroy(rowmill_output_allocator* allocator) ROWMILL_NOEXCEPT;

/* A rows x dim output, 64-byte aligned, rows one after another; what it holds is unspecified. rows = 0 is an empty one,
 * with a null pointer. Errors: rows < 0, dim < 0, a size that overflows (ROWMILL_INVALID_ARGUMENT); the system refuses
 * the memory (ROWMILL_OUT_OF_MEMORY). */
rowmill_status rowmill_output_make(rowmill_output_allocator* allocator, int64_t rows, int64_t dim,
                                   rowmill_view* output) ROWMILL_NOEXCEPT;

/* Gives an output back, by the pointer of its view; NULL does nothing. Errors: it is not an output of this allocator
 * (ROWMILL_INVALID_ARGUMENT). */
rowmill_status rowmill_output_release(rowmill_output_allocator* allocator, const void* data) ROWMILL_NOEXCEPT;

/* ---- workspaces -------------------------------------------------------------------------------------------------- */

/* Scratch memory that calls reuse: one that has seen its largest batch allocates no more. It serves one call at a time.
 * Where an operation takes a workspace, NULL makes it allocate for itself. */
typedef struct rowmill_workspace rowmill_workspace;

rowmill_status rowmill_workspace_create(rowmill_workspace** workspace) ROWMILL_NOEXCEPT;
void rowmill_workspace_destroy(rowmill_workspace* workspace) ROWMILL_NOEXCEPT;

/* Makes room for `bytes`: what an operation's memory_required function says. Errors: ROWMILL_OUT_OF_MEMORY. */
rowmill_status rowmill_workspace_reserve(rowmill_workspace* workspace, size_t bytes) ROWMILL_NOEXCEPT;

/* The bytes it holds; 0 for a null handle. */
size_t rowmill_workspace_capacity(const rowmill_workspace* workspace) ROWMILL_NOEXCEPT;

/* ---- pool -------------------------------------------------------------------------------------------------------- */

/* How a bag's rows become one. */
typedef int32_t rowmill_pooling;
enum { ROWMILL_POOL_SUM = 0, ROWMILL_POOL_MEAN = 1 };

typedef struct rowmill_pool_options {
  size_t struct_size;
  rowmill_pooling pooling;
  rowmill_out_of_range out_of_range; /* under ROWMILL_RANGE_ZERO an id out of range is left out, and not counted */
} rowmill_pool_options;

/* Fills in the defaults: ROWMILL_POOL_SUM, ROWMILL_RANGE_ERROR. */
rowmill_status rowmill_pool_options_init(rowmill_pool_options* options, size_t struct_size) ROWMILL_NOEXCEPT;

/* Pooled lookups: the forward pass of an embedding bag.
 *
 *     for b in 0 .. bags.size-1:
 *       rows = [table[id, :] for id in bag b]
 *       out[b, :] = rows[0] + rows[1] + ...             # in this order; zero for an empty bag
 *       out[b, :] = out[b, :] / len(rows)               # ROWMILL_POOL_MEAN only
 *
 * Shapes: table rows x dim; out bags.size x dim, which is written. Only policies other than ROWMILL_RANGE_ERROR need a
 * workspace. Reads of one table may run at the same time; a write to it meanwhile is a race.
 * Errors: a view, the ids or the offsets are null (and not empty) or bad, or bags.size is not what offsets.count says
 * (ROWMILL_INVALID_ARGUMENT); size x length is not ids.count, or out has another shape (ROWMILL_SHAPE_MISMATCH); out
 * shares an element with table, ids or offsets, or its rows with each other (ROWMILL_OVERLAP); an id is out of range
 * (ROWMILL_ID_OUT_OF_RANGE); ROWMILL_OUT_OF_MEMORY; ROWMILL_UNSUPPORTED_ISA. */
rowmill_status rowmill_pool(const rowmill_view* table, const rowmill_bags* bags, const rowmill_view* out,
                            const rowmill_pool_options* options, rowmill_workspace* workspace) ROWMILL_NOEXCEPT;

/* The bytes of workspace that a rowmill_pool of `id_count` ids uses at most; 0 if id_count is not in 0 .. 2^56. */
size_t rowmill_pool_memory_required(int64_t id_count) ROWMILL_NOEXCEPT;

/* ---- plans ------------------------------------------------------------------------------------------------------- */

/* What a batch of ids means for updates: which positions touch which row, in order. It depends on the ids and the
 * number of rows alone, and serves every table with those ids. Building it again reuses its memory. */
typedef struct rowmill_plan rowmill_plan;

/* An empty plan. */
rowmill_status rowmill_plan_create(rowmill_plan** plan) ROWMILL_NOEXCEPT;
void rowmill_plan_destroy(rowmill_plan* plan) ROWMILL_NOEXCEPT;

/* Plans updates of tables of `rows` rows by `ids`, which are not needed afterwards. `table_name` appears in errors, and
 * may be NULL. Under ROWMILL_RANGE_ZERO, ids out of range are left out.
 * Errors, which leave the plan as it was: rows < 0 or bad ids (ROWMILL_INVALID_ARGUMENT), ROWMILL_ID_OUT_OF_RANGE,
 * ROWMILL_OUT_OF_MEMORY, ROWMILL_UNSUPPORTED_ISA. */
rowmill_status rowmill_plan_build(rowmill_plan* plan, const rowmill_ids* ids, int64_t rows,
                                  rowmill_out_of_range out_of_range, const char* table_name) ROWMILL_NOEXCEPT;

/* The same for pooled lookups: every id of bag b is updated by row b of a gradient, which is never expanded.
 * Errors: also bags whose offsets or shape do not fit their ids, as rowmill_pool. */
rowmill_status rowmill_plan_build_bags(rowmill_plan* plan, const rowmill_bags* bags, int64_t rows,
                                       rowmill_out_of_range out_of_range, const char* table_name) ROWMILL_NOEXCEPT;

/* Makes room for plans of up to `id_count` ids, so that building them allocates nothing. What was planned is lost.
 * Errors: id_count < 0 or > 2^56 (ROWMILL_INVALID_ARGUMENT), ROWMILL_OUT_OF_MEMORY. */
rowmill_status rowmill_plan_reserve(rowmill_plan* plan, int64_t id_count) ROWMILL_NOEXCEPT;

/* The number of ids planned, those left out included; the rows that a gradient must have, one for each id or for each
 * bag; the rows of the tables it fits; the number of distinct rows touched. -1 for a null handle. */
int64_t rowmill_plan_id_count(const rowmill_plan* plan) ROWMILL_NOEXCEPT;
int64_t rowmill_plan_gradient_rows(const rowmill_plan* plan) ROWMILL_NOEXCEPT;
int64_t rowmill_plan_rows(const rowmill_plan* plan) ROWMILL_NOEXCEPT;
int64_t rowmill_plan_unique_count(const rowmill_plan* plan) ROWMILL_NOEXCEPT;

/* ---- scatter_add ------------------------------------------------------------------------------------------------- */

typedef struct rowmill_scatter_add_options {
  size_t struct_size;
  rowmill_out_of_range out_of_range;
  int32_t reserved; /* 0 */
} rowmill_scatter_add_options;

/* Fills in the default: ROWMILL_RANGE_ERROR. */
rowmill_status rowmill_scatter_add_options_init(rowmill_scatter_add_options* options,
                                                size_t struct_size) ROWMILL_NOEXCEPT;

/* Adds rows into a table.
 *
 *     for i in 0 .. ids.count-1:                  # in this order, whatever the thread count
 *       table[ids[i], :] += values[i, :]
 *
 * Shapes: table rows x dim, which is written; values ids.count x dim. No other call may use those rows meanwhile.
 * Where the system refuses scratch memory, the calling thread does the work: it needs none.
 * Errors: a view or the ids are null (and not empty) or bad (ROWMILL_INVALID_ARGUMENT); values have another shape
 * (ROWMILL_SHAPE_MISMATCH); table shares an element with values or ids, or its rows with each other (ROWMILL_OVERLAP);
 * an id is out of range (ROWMILL_ID_OUT_OF_RANGE); ROWMILL_UNSUPPORTED_ISA. */
rowmill_status rowmill_scatter_add(const rowmill_view* table, const rowmill_ids* ids, const rowmill_view* values,
                                   const rowmill_scatter_add_options* options,
                                   rowmill_workspace* workspace) ROWMILL_NOEXCEPT;

/* The same with a plan, whose policy applies: nothing is planned or allocated.
 * Errors: also a plan for another number of rows, or of gradient rows (ROWMILL_SHAPE_MISMATCH). */
rowmill_status rowmill_scatter_add_planned(const rowmill_view* table, const rowmill_plan* plan,
                                           const rowmill_view* values) ROWMILL_NOEXCEPT;

/* The bytes of workspace that a rowmill_scatter_add of `id_count` ids uses at most; 0 if id_count is not in 0 .. 2^56.
 */
size_t rowmill_scatter_add_memory_required(int64_t id_count) ROWMILL_NOEXCEPT;

/* ---- optimizers -------------------------------------------------------------------------------------------------- */

/* An optimizer applies batches of gradients to one rows x dim table, and keeps the state that takes. Only rows that
 * the batch touches move; the gradients of one row are summed first. optimizer.hpp gives the formulas. */
typedef struct rowmill_optimizer rowmill_optimizer;

/* How a step shrinks the weights of the rows that it moves; the others wait. */
typedef int32_t rowmill_weight_decay;
enum {
  ROWMILL_DECAY_NONE = 0,
  ROWMILL_DECAY_L2 = 1,       /* g = g + weight_decay * w, before all else */
  ROWMILL_DECAY_DECOUPLED = 2 /* w = w * (1 - learning_rate * weight_decay), before the rest; Adam: AdamW */
};

/* w = w - learning_rate * g, or with momentum: b = momentum * b + g;  w = w - learning_rate * b */
typedef struct rowmill_sgd_options {
  size_t struct_size;
  double learning_rate;       /* 0.01 */
  double momentum;            /* 0 */
  int32_t nesterov;           /* 0; not 0: w = w - learning_rate * (g + momentum * b), which needs a momentum */
  rowmill_weight_decay decay; /* ROWMILL_DECAY_NONE; weight_decay must then be 0, here and below */
  double weight_decay;        /* 0 */
} rowmill_sgd_options;

/* a = a + g * g;  w = w - learning_rate * g / (sqrt(a) + epsilon) */
typedef struct rowmill_adagrad_options {
  size_t struct_size;
  double learning_rate;       /* 0.01 */
  double initial_accumulator; /* 0 */
  double epsilon;             /* 1e-10 */
  rowmill_weight_decay decay; /* ROWMILL_DECAY_NONE */
  double weight_decay;        /* 0 */
} rowmill_adagrad_options;

/* Adagrad with one accumulator a row: a = a + sum(g * g) / dim */
typedef struct rowmill_row_wise_adagrad_options {
  size_t struct_size;
  double learning_rate;       /* 0.01 */
  double initial_accumulator; /* 0 */
  double epsilon;             /* 1e-8 */
  rowmill_weight_decay decay; /* ROWMILL_DECAY_NONE */
  double weight_decay;        /* 0 */
} rowmill_row_wise_adagrad_options;

/* Lazy Adam: a row's moments decay when it is touched, and the bias correction counts all steps. */
typedef struct rowmill_adam_options {
  size_t struct_size;
  double learning_rate;       /* 0.001 */
  double beta1;               /* 0.9 */
  double beta2;               /* 0.999 */
  double epsilon;             /* 1e-8 */
  rowmill_weight_decay decay; /* ROWMILL_DECAY_NONE */
  double weight_decay;        /* 0 */
} rowmill_adam_options;

/* Lazy Adam with one second moment a row, of sum(g * g) / dim. */
typedef struct rowmill_partial_row_wise_adam_options {
  size_t struct_size;
  double learning_rate;       /* 0.001 */
  double beta1;               /* 0.9 */
  double beta2;               /* 0.999 */
  double epsilon;             /* 1e-8 */
  rowmill_weight_decay decay; /* ROWMILL_DECAY_NONE */
  double weight_decay;        /* 0 */
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

/* One step.
 *
 *     for each row r that the plan touches:
 *       g = sum of gradients[p, :] over r's gradient rows p, in the order of the ids, in blocks of 1,024
 *       update weights[r, :] and the state of r
 *
 * Shapes: weights rows x dim as this optimizer was made for, which is written; gradients: an array of gradient_count
 * views with dim columns whose rows, one view after another, are the plan's gradient rows (one view for each backward
 * pass that was accumulated): a row for each id, or for each bag. A plan of zero ids changes no row, but the
 * step counts. No other call may use the rows touched or this optimizer meanwhile. Errors: a bad view
 * (ROWMILL_INVALID_ARGUMENT), shapes or plan that disagree (ROWMILL_SHAPE_MISMATCH), weights or state that share an
 * element with a gradient (ROWMILL_OVERLAP), ROWMILL_OUT_OF_MEMORY, ROWMILL_UNSUPPORTED_ISA. */
rowmill_status rowmill_optimizer_step(rowmill_optimizer* optimizer, const rowmill_view* weights,
                                      const rowmill_plan* plan, const rowmill_view* gradients, int64_t gradient_count,
                                      rowmill_workspace* workspace) ROWMILL_NOEXCEPT;

/* The bytes of workspace that a step with `id_count` ids in `gradient_count` views uses at most; 0 if one of them is
 * not in 0 .. 2^56, or the handle is null. */
size_t rowmill_optimizer_memory_required(const rowmill_optimizer* optimizer, int64_t id_count,
                                         int64_t gradient_count) ROWMILL_NOEXCEPT;

/* "sgd", "adagrad", "row_wise_adagrad", "adam", "partial_row_wise_adam"; NULL for a null handle. */
const char* rowmill_optimizer_name(const rowmill_optimizer* optimizer) ROWMILL_NOEXCEPT;

/* The steps taken, and the learning rate; -1 for a null handle. */
int64_t rowmill_optimizer_step_count(const rowmill_optimizer* optimizer) ROWMILL_NOEXCEPT;
double rowmill_optimizer_learning_rate(const rowmill_optimizer* optimizer) ROWMILL_NOEXCEPT;

/* Errors: ROWMILL_INVALID_ARGUMENT unless 0 <= learning_rate <= 3.4e38, the largest float. */
rowmill_status rowmill_optimizer_set_learning_rate(rowmill_optimizer* optimizer, double learning_rate) ROWMILL_NOEXCEPT;

/* The state tables: none for SGD, {momentum} with momentum; {accumulator} for Adagrad, of dim 1 when row-wise; {m, v}
 * for Adam, v of dim 1 when row-wise. The others are rows x dim. The count is -1 for a null handle; a view is valid
 * until the optimizer is destroyed.
 * Errors: an index that is not in 0 .. count-1 (ROWMILL_INVALID_ARGUMENT). */
int64_t rowmill_optimizer_state_count(const rowmill_optimizer* optimizer) ROWMILL_NOEXCEPT;
rowmill_status rowmill_optimizer_state(const rowmill_optimizer* optimizer, int64_t index,
                                       rowmill_view* view) ROWMILL_NOEXCEPT;

/* Where an optimizer stands between two steps, beside its state tables: what a checkpoint stores. */
typedef struct rowmill_optimizer_progress {
  size_t struct_size;
  int64_t step_count;
  double
      beta1_power; /* for Adam: beta1^step_count and beta2^step_count, multiplied step by step; -1: not given, or the */
  double beta2_power; /* optimizer has none */
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

/* ---- the Embedding layer ----------------------------------------------------------------------------------------- */

/* A table, an optimizer, forward, backward, step. One thread at a time may use a layer, except that forward alone may
 * run on several. */
typedef struct rowmill_embedding rowmill_embedding;

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
  rowmill_format format; /* of the table; since 0.2 */
} rowmill_embedding_options;

/* Fills in the defaults: no name, seed 0, Trax's initializer, ROWMILL_RANGE_ERROR, no padding id, SGD. */
rowmill_status rowmill_embedding_options_init(rowmill_embedding_options* options, size_t struct_size) ROWMILL_NOEXCEPT;

/* Errors: those of the table and the optimizer; two optimizers, or a padding_id that is not a row
 * (ROWMILL_INVALID_ARGUMENT). */
rowmill_status rowmill_embedding_create(int64_t rows, int64_t dim, const rowmill_embedding_options* options,
                                        rowmill_embedding** embedding) ROWMILL_NOEXCEPT;
void rowmill_embedding_destroy(rowmill_embedding* embedding) ROWMILL_NOEXCEPT;

/* rowmill_gather from the layer's table, with its policy. */
rowmill_status rowmill_embedding_forward(const rowmill_embedding* embedding, const rowmill_ids* ids,
                                         const rowmill_view* out) ROWMILL_NOEXCEPT;

/* Records the gradient of one forward pass, ids.count x dim, for the next step. The ids are copied; the gradient's
 * memory must stay as it is until then. The padding id's positions are ignored.
 * Errors, which record nothing: a bad view or ids (ROWMILL_INVALID_ARGUMENT), ROWMILL_SHAPE_MISMATCH,
 * ROWMILL_ID_OUT_OF_RANGE, a gradient in the table's memory (ROWMILL_OVERLAP), ROWMILL_OUT_OF_MEMORY. */
rowmill_status rowmill_embedding_backward(rowmill_embedding* embedding, const rowmill_ids* ids,
                                          const rowmill_view* gradient) ROWMILL_NOEXCEPT;

/* Applies what backward recorded, then forgets it; or only forgets it. A step counts if a pass was recorded, also one
 * that trains no row: of no ids, or of the padding id alone. With nothing recorded it does nothing. */
rowmill_status rowmill_embedding_step(rowmill_embedding* embedding) ROWMILL_NOEXCEPT;
rowmill_status rowmill_embedding_zero_grad(rowmill_embedding* embedding) ROWMILL_NOEXCEPT;

/* The layer's table, as rowmill_table_view. */
rowmill_status rowmill_embedding_table_view(const rowmill_embedding* embedding, rowmill_view* view) ROWMILL_NOEXCEPT;

/* The layer's optimizer: it belongs to the layer and must not be destroyed. NULL for a null handle. */
rowmill_optimizer* rowmill_embedding_optimizer(rowmill_embedding* embedding) ROWMILL_NOEXCEPT;

/* ---- the EmbeddingBag layer -------------------------------------------------------------------------------------- */

/* The layer of pooled lookups: each bag of ids becomes one row, the sum or mean of theirs. One thread at a time may use
 * a layer, except that forward alone may run on several, each call with a workspace of its own or none. */
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
  rowmill_format format; /* of the table; since 0.2 */
} rowmill_embedding_bag_options;

/* Fills in the defaults: no name, seed 0, Trax's initializer, ROWMILL_POOL_MEAN, ROWMILL_RANGE_ERROR, SGD. */
rowmill_status rowmill_embedding_bag_options_init(rowmill_embedding_bag_options* options,
                                                  size_t struct_size) ROWMILL_NOEXCEPT;

/* Errors: those of the table and the optimizer; two optimizers (ROWMILL_INVALID_ARGUMENT). */
rowmill_status rowmill_embedding_bag_create(int64_t rows, int64_t dim, const rowmill_embedding_bag_options* options,
                                            rowmill_embedding_bag** embedding_bag) ROWMILL_NOEXCEPT;
void rowmill_embedding_bag_destroy(rowmill_embedding_bag* embedding_bag) ROWMILL_NOEXCEPT;

/* rowmill_pool from the layer's table, with its pooling and policy. */
rowmill_status rowmill_embedding_bag_forward(const rowmill_embedding_bag* embedding_bag, const rowmill_bags* bags,
                                             const rowmill_view* out, rowmill_workspace* workspace) ROWMILL_NOEXCEPT;

/* Records the gradient of one forward pass, bags.size x dim, for the next step. The ids are copied; the gradient's
 * memory must stay as it is until then, unless the pooling is a mean.
 * Errors, which record nothing: a bad view or bags (as rowmill_pool), ROWMILL_SHAPE_MISMATCH, ROWMILL_ID_OUT_OF_RANGE,
 * a gradient in the table's memory (ROWMILL_OVERLAP), ROWMILL_OUT_OF_MEMORY. */
rowmill_status rowmill_embedding_bag_backward(rowmill_embedding_bag* embedding_bag, const rowmill_bags* bags,
                                              const rowmill_view* gradient) ROWMILL_NOEXCEPT;

/* Applies what backward recorded, then forgets it; or only forgets it. */
rowmill_status rowmill_embedding_bag_step(rowmill_embedding_bag* embedding_bag) ROWMILL_NOEXCEPT;
rowmill_status rowmill_embedding_bag_zero_grad(rowmill_embedding_bag* embedding_bag) ROWMILL_NOEXCEPT;

/* The layer's table, as rowmill_table_view. */
rowmill_status rowmill_embedding_bag_table_view(const rowmill_embedding_bag* embedding_bag,
                                                rowmill_view* view) ROWMILL_NOEXCEPT;

/* The layer's optimizer: it belongs to the layer and must not be destroyed. NULL for a null handle. */
rowmill_optimizer* rowmill_embedding_bag_optimizer(rowmill_embedding_bag* embedding_bag) ROWMILL_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif /* ROWMILL_C_H */
