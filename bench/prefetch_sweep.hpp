// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace bench {

/// Prints, for random rows of large tables that are read (as a pool does), updated (SGD), and updated in three tables
/// at once (Adam), how long each prefetch level and distance takes against the best of them; and the same of the
/// library's operations, at each level. Only the tables whose name `operation/table` matches the regular expression.
void print_prefetch_sweep(const std::string& filter);

}  // namespace bench
