// SPDX-License-Identifier: Apache-2.0
#include "io/safetensors/formats.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <utility>

namespace rowmill::io {
namespace {

/// Of the formats whose dtype says all.
constexpr std::pair<Format, std::string_view> kPlainFormats[] = {
    {Format::f32, "F32"}, {Format::bf16, "BF16"}, {Format::f16, "F16"}, {Format::low16, "U16"}, {Format::f64, "F64"},
    {Format::i64, "I64"}, {Format::i32, "I32"},   {Format::i16, "I16"}, {Format::i8, "I8"},     {Format::u8, "U8"}};
constexpr Format kQuantized[] = {Format::int8, Format::int4, Format::int2};

std::optional<Format> format_of_dtype(std::string_view dtype) {
  const auto* const found = std::ranges::find(kPlainFormats, dtype, &std::pair<Format, std::string_view>::second);
  return found == std::end(kPlainFormats) ? std::nullopt : std::optional(found->first);
}

const std::string* find(const Metadata& metadata, std::string_view key, const std::string& name) {
  const auto found = metadata.find(std::string(key) + name);
  return found == metadata.end() ? nullptr : &found->second;
}

/// The format of a tensor that is a table by its dtype and shape alone.
std::optional<Format> plain_format(const TensorInfo& tensor) {
  if (tensor.shape.size() != 2 || tensor.shape[1] < 1) return std::nullopt;
  return format_of_dtype(tensor.dtype);
}

/// A whole number of 1 or more, or nothing.
std::optional<std::int64_t> dim_of(const std::string& text) {
  std::int64_t dim = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, dim);
  return error == std::errc() && end == last && dim >= 1 ? std::optional(dim) : std::nullopt;
}

}  // namespace

std::string_view dtype_of_format(Format format) {
  const auto* const found = std::ranges::find(kPlainFormats, format, &std::pair<Format, std::string_view>::first);
  return found == std::end(kPlainFormats) ? "U8" : found->second;
}

std::string describe(const TensorInfo& tensor) {
  std::string text = tensor.dtype + " [";
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(tensor.shape[i]);
  }
  return text + "]";
}

Metadata format_metadata(std::string_view name, const ConstTableView& table) {
  if (!is_quantized(table.format())) return {};
  return {{std::string(kFormatKey).append(name), std::string(format_name(table.format()))},
          {std::string(kDimKey).append(name), std::to_string(table.dim())}};
}

bool is_table(const TensorInfo& tensor, const Metadata& metadata) {
  if (find(metadata, kFormatKey, tensor.name) != nullptr) return true;
  const std::optional<Format> format = plain_format(tensor);
  return format && *format != Format::low16;
}

bool is_integer_table(const TensorInfo& tensor, const Metadata& metadata) {
  if (find(metadata, kFormatKey, tensor.name) != nullptr) return false;
  const std::optional<Format> format = plain_format(tensor);
  return format && is_exact(*format) && *format != Format::f64;
}

TableInfo table_of(const InputFile& file, const TensorInfo& tensor, const Metadata& metadata) {
  const auto bad = [&](const std::string& what) {
    return file.bad(tensor.begin, "tensor '" + tensor.name + "' is " + describe(tensor) + what);
  };
  const std::string* const format_text = find(metadata, kFormatKey, tensor.name);
  const std::string* const dim_text = find(metadata, kDimKey, tensor.name);
  if (format_text == nullptr) {
    const std::optional<Format> format = plain_format(tensor);
    if (!format) {
      throw bad("; a table is [rows, dim] with dim of at least 1, of F32, BF16, F16, F64, U16 or I8 to I64 and U8");
    }
    if (dim_text != nullptr) {
      throw bad(", and __metadata__ has '" + std::string(kDimKey) + tensor.name + "' without its format");
    }
    std::int64_t row_bytes = 0;  // which no data prove, where there are no rows
    if (__builtin_mul_overflow(tensor.shape[1], element_size(*format), &row_bytes)) {
      throw bad("; a row of it is larger than 2^63 bytes");
    }
    return {.format = *format, .rows = tensor.shape[0], .dim = tensor.shape[1]};
  }
  const auto* const format = std::ranges::find(kQuantized, *format_text, format_name);
  if (format == std::end(kQuantized)) {
    throw bad(" of the format '" + *format_text + "' by __metadata__; known there: int8, int4, int2");
  }
  const std::optional<std::int64_t> dim = dim_text == nullptr ? std::nullopt : dim_of(*dim_text);
  if (!dim) {
    throw bad(" of " + *format_text + ", and '" + std::string(kDimKey) + tensor.name + "' of __metadata__ is " +
              (dim_text == nullptr ? "missing" : "'" + *dim_text + "'") + "; expected its number of columns");
  }
  const std::int64_t width = row_elements(*format, *dim);
  if (tensor.dtype != "U8" || tensor.shape.size() != 2 || tensor.shape[1] != width) {
    throw bad("; expected U8 [rows, " + std::to_string(width) + "], rows of " + *format_text + " with " + *dim_text +
              " columns, as __metadata__ says");
  }
  return {.format = *format, .rows = tensor.shape[0], .dim = *dim};
}

}  // namespace rowmill::io
