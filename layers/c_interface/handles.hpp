// SPDX-License-Identifier: Apache-2.0
// What the opaque handles of rowmill/c.h hold.
#pragma once

#include <mutex>
#include <optional>
#include <vector>

#include "rowmill/c.h"
#include "rowmill/rowmill.hpp"

struct rowmill_table {
  rowmill::Table table;
};
struct rowmill_output_allocator {
  rowmill::OutputAllocator allocator;
  std::mutex mutex;                      // of the outputs that are in use
  std::vector<rowmill::Output> outputs;  // a C caller holds only their views
};
struct rowmill_workspace {
  rowmill::Workspace workspace;
  std::vector<rowmill::ConstTableView> gradients;  // of the call that runs; kept, so that calls need not allocate
};
struct rowmill_plan {
  rowmill::Plan plan;
};
struct rowmill_optimizer {
  std::optional<rowmill::Optimizer> owned;  // none for a layer's
  rowmill::Optimizer* optimizer;
  std::vector<rowmill::ConstTableView> gradients;  // of the step that runs; kept, so that steps need not allocate
};
struct rowmill_embedding {
  rowmill::Embedding embedding;
  rowmill_optimizer optimizer;
};
struct rowmill_embedding_bag {
  rowmill::EmbeddingBag embedding_bag;
  rowmill_optimizer optimizer;
};
