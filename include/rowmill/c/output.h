/* SPDX-License-Identifier: Apache-2.0 */
/* Outputs. A part of rowmill/c.h. */
#ifndef ROWMILL_C_OUTPUT_H
#define ROWMILL_C_OUTPUT_H

#include "rowmill/c/views.h"

ROWMILL_BEGIN_C

/* Makes outputs for callers who want a new one for each call. The system clears new memory page by page when it is
 * first written, which takes longer than a large gather itself. So an allocator keeps the memory of outputs that were
 * released for the next ones. Threads may share one. */
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

/* The bytes that are kept for the next outputs; 0 for a null handle. Trimming gives them back to the system. */
size_t rowmill_output_allocator_idle_bytes(const rowmill_output_allocator* allocator) ROWMILL_NOEXCEPT;
rowmill_status rowmill_output_allocator_trim(rowmill_output_allocator* allocator) ROWMILL_NOEXCEPT;

ROWMILL_END_C

#endif /* ROWMILL_C_OUTPUT_H */
