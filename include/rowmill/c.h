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

#include "rowmill/c/common.h"
#include "rowmill/c/convert.h"
#include "rowmill/c/embedding.h"
#include "rowmill/c/embedding_bag.h"
#include "rowmill/c/gather.h"
#include "rowmill/c/gradient.h"
#include "rowmill/c/ids.h"
#include "rowmill/c/max_norm.h"
#include "rowmill/c/optimizer.h"
#include "rowmill/c/output.h"
#include "rowmill/c/plan.h"
#include "rowmill/c/pool.h"
#include "rowmill/c/scatter_add.h"
#include "rowmill/c/table.h"
#include "rowmill/c/views.h"
#include "rowmill/c/workspace.h"

#endif /* ROWMILL_C_H */
