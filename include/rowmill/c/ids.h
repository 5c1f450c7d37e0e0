/* SPDX-License-Identifier: Apache-2.0 */
/* Ids, bags of them, and what an id outside its table means. A part of rowmill/c.h. */
#ifndef ROWMILL_C_IDS_H
#define ROWMILL_C_IDS_H

#include "rowmill/c/common.h"

ROWMILL_BEGIN_C

typedef int32_t rowmill_id_type;
enum {
  ROWMILL_INT32 = 32,
  ROWMILL_INT64 = 64,
  ROWMILL_STRIDED = 1 /* of rowmill_ids alone: data points to a rowmill_strided_ids */
};

/* `count` ids, a batch of any shape flattened. They are never copied, narrowed or rewritten. Ids are bad if the count
 * is negative, the pointer is null (and the count is not 0) or not aligned, or their size in bytes overflows 64 bits.
 */
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

/* Strided ids, such as a column of an array: id i is data[i * stride]. The stride is in ids; below 0 they are read
 * backwards from data, and 0 repeats one.
 *
 *     const rowmill_strided_ids column = {data, count, 3, ROWMILL_INT32};
 *     const rowmill_ids ids = rowmill_make_strided(&column);
 *
 * The result points to the struct, which must live while it is used. Every function takes it where it takes ids, also
 * in bags and as their offsets or lengths. */
typedef struct rowmill_strided_ids {
  const void* data;
  int64_t count;
  int64_t stride;
  rowmill_id_type type;
} rowmill_strided_ids;

static inline rowmill_ids rowmill_make_strided(const rowmill_strided_ids* strided) {
  return rowmill_make_ids(strided, strided->count, ROWMILL_STRIDED);
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

/* Bags by their lengths: bag b holds the next lengths[b] ids. Writes lengths.count + 1 offsets into the caller's
 * memory, and bags of them into `bags`: the offsets must live while those are used. Errors, which write nothing:
 * offset_count is not at least lengths.count + 1, or the lengths' sum is not ids.count (ROWMILL_SHAPE_MISMATCH); a
 * length is below 0 or leads past the last id, which the last error's position and value say, or a pointer is null or
 * not aligned (ROWMILL_INVALID_ARGUMENT); offsets share memory with ids or lengths (ROWMILL_OVERLAP). */
rowmill_status rowmill_bags_from_lengths(const rowmill_ids* ids, const rowmill_ids* lengths, int64_t* offsets,
                                         int64_t offset_count, rowmill_bags* bags) ROWMILL_NOEXCEPT;

/* What an operation does with an id outside its table. */
typedef int32_t rowmill_out_of_range;
enum {
  ROWMILL_RANGE_ERROR = 0,         /* ROWMILL_ID_OUT_OF_RANGE; allowed: 0 .. rows-1 */
  ROWMILL_RANGE_CLIP = 1,          /* row 0 for negative ids and row rows-1 for large ones */
  ROWMILL_RANGE_ZERO = 2,          /* a row of zeros, which counts in its bag; an update ignores the id */
  ROWMILL_RANGE_WRAP_NEGATIVE = 3, /* -1 is the last row; allowed: -rows .. rows-1 */
  ROWMILL_RANGE_SKIP = 4           /* a bag leaves the id out, and does not count it; else as ROWMILL_RANGE_ZERO */
};

/* Looks for an id that the policy forbids in a table of `rows` rows.
 *
 *     for i in 0 .. ids.count-1:
 *       if not allowed(ids[i], rows, out_of_range): position = i, value = ids[i], return
 *     position = -1, value = -1
 *
 * Finding an id is no error. `value` may be NULL. Errors: the ids are bad (ROWMILL_INVALID_ARGUMENT);
 * ROWMILL_UNSUPPORTED_ISA. */
rowmill_status rowmill_find_bad_id(const rowmill_ids* ids, int64_t rows, rowmill_out_of_range out_of_range,
                                   int64_t* position, int64_t* value) ROWMILL_NOEXCEPT;

/* The same for ids among which padding_id, whatever it is, is allowed. */
rowmill_status rowmill_find_bad_id_padded(const rowmill_ids* ids, int64_t rows, rowmill_out_of_range out_of_range,
                                          int64_t padding_id, int64_t* position, int64_t* value) ROWMILL_NOEXCEPT;

ROWMILL_END_C

#endif /* ROWMILL_C_IDS_H */
