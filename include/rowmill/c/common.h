/* SPDX-License-Identifier: Apache-2.0 */
/* Versions, errors and threads. A part of rowmill/c.h. */
#ifndef ROWMILL_C_COMMON_H
#define ROWMILL_C_COMMON_H

#include <stddef.h>
#include <stdint.h>

#include "rowmill/version.hpp" /* macros alone */

/* The version of this interface. It grows when a program compiled against an older one would break; the number
 * after librowmill_c.so. is this one. What is only added does not change it: ask rowmill_version(). */
#define ROWMILL_C_ABI_VERSION 1

/* Declarations stand between these two, in each header. */
#ifdef __cplusplus
#define ROWMILL_NOEXCEPT noexcept
#define ROWMILL_BEGIN_C extern "C" {
#define ROWMILL_END_C }
#else
#define ROWMILL_NOEXCEPT
#define ROWMILL_BEGIN_C
#define ROWMILL_END_C
#endif

ROWMILL_BEGIN_C

/* ---- versions ---------------------------------------------------------------------------------------------------- */

/* ROWMILL_C_ABI_VERSION and ROWMILL_VERSION of the library that runs. */
int32_t rowmill_c_abi_version(void) ROWMILL_NOEXCEPT;
int32_t rowmill_version(void) ROWMILL_NOEXCEPT;

/* The instruction set that runs: "avx512", "avx2", "sse2", "neon64" or "scalar"; NULL if the environment variable
 * ROWMILL_ISA names one that is unknown or not supported here. Results have the same bits on all of them. */
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

ROWMILL_END_C

#endif /* ROWMILL_C_COMMON_H */
