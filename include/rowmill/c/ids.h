/* SPDX-License-Identifier: Apache-2.0 */
/* Ids, bags of them, and what an id outside its table means. A part of rowmill/c.h. */
#ifndef ROWMILL_C_IDS_H
#define ROWMILL_C_IDS_H

#include "rowmill/c/common.h"

ROWMILL_BEGIN_C

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

ROWMILL_END_C

#endif /* ROWMILL_C_IDS_H */
