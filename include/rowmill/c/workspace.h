/* SPDX-License-Identifier: Apache-2.0 */
/* Workspaces. A part of rowmill/c.h. */
#ifndef ROWMILL_C_WORKSPACE_H
#define ROWMILL_C_WORKSPACE_H

#include "rowmill/c/common.h"

ROWMILL_BEGIN_C

/* Scratch memory that calls reuse: one that has seen its largest batch allocates no more. It serves one call at a time.
 * Where an operation takes a workspace, NULL makes it allocate for itself. */
typedef struct rowmill_workspace rowmill_workspace;

rowmill_status rowmill_workspace_create(rowmill_workspace** workspace) ROWMILL_NOEXCEPT;
void rowmill_workspace_destroy(rowmill_workspace* workspace) ROWMILL_NOEXCEPT;

/* Makes room for `bytes`: what an operation's memory_required function says. Errors: ROWMILL_OUT_OF_MEMORY. */
rowmill_status rowmill_workspace_reserve(rowmill_workspace* workspace, size_t bytes) ROWMILL_NOEXCEPT;

/* The bytes it holds; 0 for a null handle. */
size_t rowmill_workspace_capacity(const rowmill_workspace* workspace) ROWMILL_NOEXCEPT;

ROWMILL_END_C

#endif /* ROWMILL_C_WORKSPACE_H */
