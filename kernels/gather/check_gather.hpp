// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "rowmill/gather.hpp"

namespace rowmill {

/// The checks of gather(), which does not fail with these arguments afterwards.
void check_gather(const ConstTableView& table, Ids ids, const TableView& out, OutOfRange policy);

}  // namespace rowmill
