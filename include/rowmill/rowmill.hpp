// SPDX-License-Identifier: Apache-2.0
//
// All of the library. Operations run in the caller's oneTBB arena: `arena.execute` and `tbb::global_control` decide how
// many threads they may use.
//
// The system may refuse a thread (`ulimit -u`, a container's limit on processes). No call fails then: the threads that
// exist do the work, down to the calling one alone, with the same bits. To that end, the first call with work for
// several threads starts the workers that its arena needs, and as many as the machine has processors if oneTBB may use
// them. A later call in a larger arena starts more.
//
// The library never asks for a refused thread again, and it keeps a `tbb::global_control` so that nothing else in the
// process makes oneTBB ask for it. From then on one call at a time uses the other threads. A call that comes meanwhile
// works on its own thread alone.
//
// This holds from that first call on, in the arenas that the library was called in. If a parallel region of the
// caller's own needs a refused thread earlier, or in a larger arena, oneTBB throws std::runtime_error, ends the process
// or waits forever; a later call of the library in such an arena may wait with it. oneTBB 2021.8 can also start one
// worker more than it needs, where threads use several arenas at once.
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
