// SPDX-License-Identifier: Apache-2.0
// Copies of whole tables.
#pragma once

#include "rowmill/table_view.hpp"

namespace rowmill {

/// to = from, on all threads. The views have been checked, have one shape and one format, and share no element.
void copy_rows(const ConstTableView& from, const TableView& to);

}  // namespace rowmill
