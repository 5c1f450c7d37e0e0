// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "suite.hpp"

namespace bench {

/// The machine, the library and the build, in the lines above the table; then the table's legend and its first line.
void print_header(std::size_t case_count);
void print_row(const Result& result);

/// What share of the roofline is usual on this machine, in a sentence.
[[nodiscard]] std::string medians(const std::vector<Result>& results);

/// The record of a run: JSON with the machine, the library and the build, and for each operation, table, batch and
/// thread count, by source of ids, the microseconds of a batch and of its roofline.
[[nodiscard]] std::string record(const std::vector<Result>& results);

/// The microseconds and the roofline's of each case by its name; where a record has no roofline, that is 0.
struct Times {
  double us = 0;
  double roofline_us = 0;
};
[[nodiscard]] std::map<std::string, Times> read_record(const std::string& path);

}  // namespace bench
