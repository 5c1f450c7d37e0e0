// SPDX-License-Identifier: Apache-2.0
#include "io/word_vectors/text_line.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace rowmill::io {
namespace {

std::string_view without_spaces_at_end(std::string_view text) {
  const std::size_t last = text.find_last_not_of(' ');
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

/// Takes the last field off `rest`, with the spaces around it.
std::string_view take_last_field(std::string_view& rest) {
  rest = without_spaces_at_end(rest);
  const std::size_t space = rest.rfind(' ');
  const std::size_t begin = space == std::string_view::npos ? 0 : space + 1;
  const std::string_view field = rest.substr(begin);
  rest = without_spaces_at_end(rest.substr(0, begin));
  return field;
}

/// The usual line: one word, and numbers with one space before each.
bool parse_usual_line(std::string_view line, std::int64_t dim, std::string_view& word, float* values) {
  const std::size_t space = line.find(' ');
  if (space == 0 || space == std::string_view::npos) return false;
  word = line.substr(0, space);
  const char* at = line.data() + space;
  const char* const end = line.data() + line.size();
  for (std::int64_t c = 0; c < dim; ++c) {
    if (at == end || *at != ' ') return false;
    const auto [next, error] = std::from_chars(at + 1, end, values[c]);
    if (error != std::errc() || std::isinf(values[c]) || values[c] == 0) {
      // What is rare, and what libraries differ in: a number out of range.
      const char* field_end = at + 1;
      while (field_end != end && *field_end != ' ') ++field_end;
      if (!parse_number({at + 1, field_end}, values[c])) return false;
      at = field_end;
    } else {
      at = next;
    }
  }
  return at == end || (*at == ' ' && at + 1 == end);
}

}  // namespace

bool parse_number(std::string_view field, float& value) {
  const char* const end = field.data() + field.size();
  double wide = 0;
  const auto [next, error] = std::from_chars(field.data(), end, wide);
  if (next != end || field.empty()) return false;
  const std::size_t first = field.find_first_not_of('-');
  const bool named_infinity = first != std::string_view::npos && (field[first] == 'i' || field[first] == 'I');
  if (error == std::errc::result_out_of_range) {
    // Either way: an exponent, or many digits. What is below 1 has a digit 0 before the point, or a negative exponent.
    const bool small = field.find("e-") != std::string_view::npos || field.find("E-") != std::string_view::npos ||
                       (first != std::string_view::npos && (field[first] == '0' || field[first] == '.'));
    if (!small) return false;
    value = field.front() == '-' ? -0.0F : 0.0F;
    return true;
  }
  if (error != std::errc()) return false;
  if (std::isinf(wide)) {
    value = static_cast<float>(wide);
    return named_infinity;
  }
  // Straight to float where that is possible: by way of double, a number could be rounded twice.
  if (std::from_chars(field.data(), end, value).ec != std::errc()) value = static_cast<float>(wide);
  return !std::isinf(value);
}

std::string parse_line(std::string_view line, std::int64_t dim, std::string_view& word, float* values) {
  if (parse_usual_line(line, dim, word, values)) return {};
  std::string_view rest = line;
  for (std::int64_t c = dim; c-- > 0;) {
    const std::string_view field = take_last_field(rest);
    if (rest.empty()) return too_few_numbers(line, dim);
    if (!parse_number(field, values[c])) {
      return "number " + std::to_string(c + 1) + " of " + std::to_string(dim) + " is '" +
             std::string(field.substr(0, 40)) + "', which is no number that a float can be";
    }
  }
  word = rest;
  if (word.front() == ' ') return "expected a word at the beginning of the line; found a space";
  if (word.find(' ') == std::string_view::npos) return {};
  float number = 0;
  if (const std::string_view last = take_last_field(rest); parse_number(last, number)) {
    return "more than " + std::to_string(dim) + " numbers";
  }
  return {};
}

std::string too_few_numbers(std::string_view line, std::int64_t dim) {
  std::int64_t found = -1;
  for (std::string_view rest = line; !rest.empty(); ++found) take_last_field(rest);
  return "expected a word and " + std::to_string(dim) + " numbers; found " +
         std::to_string(std::max<std::int64_t>(found, 0)) + " numbers after the first field";
}

std::int64_t numbers_at_end(std::string_view line) {
  std::string_view rest = line;
  float number = 0;
  std::int64_t count = 0;
  while (true) {
    const std::string_view field = take_last_field(rest);
    if (rest.empty() || !parse_number(field, number)) return count;
    ++count;
  }
}

}  // namespace rowmill::io
