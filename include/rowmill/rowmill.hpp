// SPDX-License-Identifier: Apache-2.0
//
// All of the library. Operations run in the caller's oneTBB arena: `arena.execute` and `tbb::global_control` decide how
// many threads they may use.
//
// What happens when the system refuses a thread (`ulimit -u`, a container's limit on processes): no call fails. The
// work is done by the threads that there are, down to the calling one, with the same bits. For that, the first call
// with work for several threads starts the workers that its arena needs, and as many as the machine has processors if
// oneTBB may use them. A call in a larger arena later starts more.
//
// A refused thread is never asked for again in the life of the process. A `tbb::global_control` stays, which keeps the
// rest of the process from asking oneTBB for it too. From then on, one call at a time has the other threads: one that
// comes meanwhile works on its own thread alone.
//
// The promise begins with that first call, and covers the arenas that the library was called in. Where parallel regions
// of the caller's own need a refused thread earlier, or in larger arenas, oneTBB throws std::runtime_error, ends the
// process or waits for ever; a later call of the library in such an arena may wait with it. oneTBB 2021.8 can also
// start a worker more than it needs where threads use several arenas at once.
#pragma once

#include "rowmill/bags.hpp"
#include "rowmill/config.hpp"
#include "rowmill/convert.hpp"
#include "rowmill/embedding.hpp"
#include "rowmill/embedding_bag.hpp"
#include "rowmill/error.hpp"
#include "rowmill/format.hpp"
#include "rowmill/gather.hpp"
#include "rowmill/gradient_options.hpp"
#include "rowmill/ids.hpp"
#include "rowmill/isa.hpp"
#include "rowmill/max_norm.hpp"
#include "rowmill/norm_type.hpp"
#include "rowmill/optimizer.hpp"
#include "rowmill/output.hpp"
#include "rowmill/plan.hpp"
#include "rowmill/pool.hpp"
#include "rowmill/random.hpp"
#include "rowmill/scatter_add.hpp"
#include "rowmill/sparse_gradient.hpp"
#include "rowmill/storage_options.hpp"
#include "rowmill/table.hpp"
#include "rowmill/table_view.hpp"
#include "rowmill/version.hpp"
#include "rowmill/weight_decay.hpp"
#include "rowmill/word_vectors.hpp"
#include "rowmill/workspace.hpp"
