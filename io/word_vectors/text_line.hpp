// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rowmill::io {

/// Whether a whole field is a number, and which: rounded to the nearest float. A number too small for a float becomes 0
/// of its sign; one too large is none.
[[nodiscard]] bool parse_number(std::string_view field, float& value);

/// Splits a line into its word and its last `dim` fields, numbers, which go to `values`. Returns what is wrong, or an
/// empty string.
[[nodiscard]] std::string parse_line(std::string_view line, std::int64_t dim, std::string_view& word, float* values);

/// What parse_line says of a line with fewer than `dim` fields after the first, whatever they are.
[[nodiscard]] std::string too_few_numbers(std::string_view line, std::int64_t dim);

/// How many fields at the end of a line are numbers, if its first is the word in any case.
[[nodiscard]] std::int64_t numbers_at_end(std::string_view line);

}  // namespace rowmill::io
