// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "rowmill/gather.hpp"

namespace rowmill {

/// What gather() checks: after it, gather() with these arguments does not fail.
void check_gather(const ConstTableView& table, Ids ids, const TableView& out, OutOfRange policy);

}  // namespace rowmill
