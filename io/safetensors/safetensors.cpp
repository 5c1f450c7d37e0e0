// SPDX-License-Identifier: Apache-2.0
#include "rowmill/io/safetensors.hpp"

#include <utf8.h>

#include <algorithm>
#include <bit>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>

#include "io/file/transfer.hpp"
#include "io/safetensors/formats.hpp"
#include "io/safetensors/header.hpp"
#include "io/safetensors/save.hpp"
#include "kernels/core/checks.hpp"
#include "kernels/table/uninitialized.hpp"
#include "rowmill/convert.hpp"

namespace rowmill::io {
namespace {

template <class T>
constexpr std::string_view dtype_of() {
  if constexpr (std::is_same_v<T, std::uint8_t>) return "U8";
  if constexpr (std::is_same_v<T, std::int64_t>) return "I64";
  if constexpr (std::is_same_v<T, double>) return "F64";
  if constexpr (std::is_same_v<T, float>) return "F32";
}

/// What the name of a split table's lower halves ends in.
constexpr std::string_view kLow = ".low";

SafetensorsContents::Tensor array(std::string name, std::string_view dtype, std::span<const std::byte> bytes,
                                  std::int64_t size) {
  const auto byte_count = static_cast<std::int64_t>(bytes.size());
  return {.info = {.name = std::move(name), .dtype = std::string(dtype), .shape = {size}},
          .format = {},
          .data = bytes.data(),
          .rows = 1,
          .row_bytes = byte_count,
          .stride = byte_count};
}

/// A table and its words may be added in any order, and are as many. `added` of one are added; the other, `other`, may
/// be there, with `beyond` rows more than these are.
void check_count(std::span<const SafetensorsContents::Tensor> tensors, const std::string& table,
                 const std::string& other, std::int64_t added, std::int64_t beyond) {
  const auto found = std::ranges::find(tensors, other, [](const auto& tensor) { return tensor.info.name; });
  if (found == tensors.end() || found->info.shape[0] == added + beyond) return;
  throw Error(ErrorCode::invalid_argument, "rowmill: safetensors: table '" + table + "' and its words: " +
                                               std::to_string(found->info.shape[0] - beyond) + " there, and " +
                                               std::to_string(added) + " added; there must be a word for each row");
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : file_(std::make_unique<InputFile>(path)) {
  SafetensorsHeader header = read_header(*file_);
  tensors_ = std::move(header.tensors);
  metadata_ = std::move(header.metadata);
  for (std::size_t i = 0; i < tensors_.size(); ++i) places_.emplace(tensors_[i].name, i);
}

SafetensorsFile::~SafetensorsFile() = default;
SafetensorsFile::SafetensorsFile(SafetensorsFile&&) noexcept = default;
SafetensorsFile& SafetensorsFile::operator=(SafetensorsFile&&) noexcept = default;

const std::filesystem::path& SafetensorsFile::path() const { return file_->path(); }

const TensorInfo* SafetensorsFile::find(std::string_view name) const {
  const auto found = places_.find(name);
  return found == places_.end() ? nullptr : &tensors_[found->second];
}

const TensorInfo& SafetensorsFile::tensor(std::string_view name) const {
  if (const TensorInfo* const found = find(name)) return *found;
  throw file_->bad(FileError::kNowhere, "holds no tensor '" + std::string(name) + "'");
}

bool SafetensorsFile::is_table(const TensorInfo& tensor) const { return io::is_table(tensor, metadata_); }

const TensorInfo& SafetensorsFile::only_table() const {
  // Integers are a table only if there is nothing else: models keep positions and such beside theirs.
  for (const bool integers : {false, true}) {
    const TensorInfo* only = nullptr;
    for (const TensorInfo& tensor : tensors_) {
      if (!is_table(tensor) || is_integer_table(tensor, metadata_) != integers) continue;
      if (only != nullptr) {
        throw file_->bad(FileError::kNowhere, "holds several tables, '" + only->name + "' and '" + tensor.name +
                                                  "' among them: name the one that is meant");
      }
      only = &tensor;
    }
    if (only != nullptr) return *only;
  }
  throw file_->bad(FileError::kNowhere, "holds no table: no tensor of numbers [rows, dim]");
}

TableInfo SafetensorsFile::table_info(const TensorInfo& tensor) const { return table_of(*file_, tensor, metadata_); }

Table SafetensorsFile::load_table(std::string_view name) const {
  const TensorInfo& tensor = this->tensor(name);
  const TableInfo info = table_info(tensor);
  Table table = uninitialized_table(info.rows, info.dim, {.name = tensor.name, .format = info.format});
  read_rows(*file_, tensor.begin, bytes_of(table.view()));
  return table;
}

bool SafetensorsFile::is_split(std::string_view name) const {
  const TensorInfo* const upper = find(name);
  const TensorInfo* const low = find(std::string(name).append(kLow));
  return upper != nullptr && low != nullptr && upper->dtype == dtype_of_format(Format::bf16) &&
         low->dtype == dtype_of_format(Format::low16) && low->shape == upper->shape && is_table(*upper);
}

Table SafetensorsFile::load_joined(std::string_view name) const {
  const TensorInfo& tensor = this->tensor(name);
  if (!is_split(name)) {
    const TensorInfo* const low = find(tensor.name + std::string(kLow));
    throw file_->bad(tensor.begin, "tensor '" + tensor.name + "' is " + describe(tensor) + ", and '" + tensor.name +
                                       std::string(kLow) + "' is " + (low == nullptr ? "missing" : describe(*low)) +
                                       "; expected BF16 and U16 of one shape, the halves of floats");
  }
  const Table upper = load_table(name);
  const Table low = load_table(tensor.name + std::string(kLow));
  Table joined = uninitialized_table(upper.rows(), upper.dim(), {.name = tensor.name});
  join_split(upper, low, joined);
  return joined;
}

void SafetensorsFile::read_table(std::string_view name, const TableView& out) const {
  check_writable("read_table", "out", out);
  const TensorInfo& tensor = this->tensor(name);
  const TableInfo info = table_info(tensor);
  check_format("read_table", "out", out, {info.format});
  check_shape("read_table", "out", out, info.rows, info.dim, "the shape of the table");
  read_rows(*file_, tensor.begin, bytes_of(out));
}

/// Reads as many rows of a table as `rows` has.
void SafetensorsFile::read_head(const TensorInfo& tensor, const TableView& rows) const {
  read_rows(*file_, tensor.begin, bytes_of(rows));
}

/// Throws FileError (bad_file) if the tensor does not have the checksum that the metadata give.
void SafetensorsFile::check(std::string_view name, ProgressCount& progress) const {
  const TensorInfo& info = tensor(name);
  const auto expected = metadata_.find(std::string(kTensorChecksum).append(name));
  const std::string actual = hexadecimal(read_checksum(*file_, info.begin, info.end - info.begin, progress));
  if (expected != metadata_.end() && expected->second == actual) return;
  throw file_->bad(info.begin, "tensor '" + info.name + "' is damaged: its checksum is " + actual + "; expected " +
                                   (expected == metadata_.end() ? "one" : expected->second));
}

bool SafetensorsFile::verify(const Progress& callback) const {
  const auto expected = metadata_.find(std::string(kFileChecksum));
  if (expected == metadata_.end()) return false;
  if (const std::string actual = file_checksum(tensors_, metadata_); actual != expected->second) {
    throw file_->bad(0, "the header is damaged: its checksum is " + actual + "; expected " + expected->second);
  }
  std::int64_t total = 0;
  for (const TensorInfo& tensor : tensors_) total += tensor.end - tensor.begin;
  ProgressCount progress(callback, total);
  for (const TensorInfo& tensor : tensors_) check(tensor.name, progress);
  return true;
}

template <class T>
std::vector<T> SafetensorsFile::load(std::string_view name) const {
  const TensorInfo& info = tensor(name);
  if (info.dtype != dtype_of<T>()) {
    throw file_->bad(info.begin,
                     "tensor '" + info.name + "' is " + describe(info) + "; expected " + std::string(dtype_of<T>()));
  }
  std::vector<T> values(static_cast<std::size_t>(info.end - info.begin) / sizeof(T));
  const std::int64_t bytes = info.end - info.begin;
  read_rows(*file_, info.begin, {reinterpret_cast<std::byte*>(values.data()), 1, bytes, bytes});
  return values;
}
template std::vector<std::uint8_t> SafetensorsFile::load(std::string_view) const;
template std::vector<std::int64_t> SafetensorsFile::load(std::string_view) const;
template std::vector<double> SafetensorsFile::load(std::string_view) const;
template std::vector<float> SafetensorsFile::load(std::string_view) const;

Vocabulary SafetensorsFile::load_words(std::string_view name) const {
  const TensorInfo& table = tensor(name);
  const std::string words_name = table.name + ".words";
  if (find(words_name) == nullptr) return {};
  const std::vector<std::uint8_t> bytes = load<std::uint8_t>(words_name);
  std::vector<std::int64_t> begin = load<std::int64_t>(words_name + ".begin");
  const std::int64_t rows = table.shape.empty() ? 0 : table.shape[0];
  if (static_cast<std::int64_t>(begin.size()) != rows + 1) {
    throw file_->bad(tensor(words_name + ".begin").begin, "table '" + table.name + "' has " + std::to_string(rows) +
                                                              " rows, but " + std::to_string(begin.size()) +
                                                              " beginnings of words; expected one more than rows");
  }
  if (!Vocabulary::are_beginnings(begin, static_cast<std::int64_t>(bytes.size()))) {
    throw file_->bad(tensor(words_name + ".begin").begin,
                     "the words of table '" + table.name + "' are damaged: their beginnings must start with 0, never " +
                         "fall, and end with the number of bytes, " + std::to_string(bytes.size()));
  }
  return {std::string(bytes.begin(), bytes.end()), std::move(begin)};
}

void SafetensorsContents::add(Tensor tensor) {
  const std::string& name = tensor.info.name;
  if (name.empty() || name == kMetadataName || !utf8::is_valid(name.begin(), name.end())) {
    throw Error(ErrorCode::invalid_argument,
                "rowmill: safetensors: '" + name + "' names no tensor: names are UTF-8, not empty, not __metadata__");
  }
  if (std::ranges::any_of(tensors_, [&](const Tensor& other) { return other.info.name == name; })) {
    throw Error(ErrorCode::invalid_argument, "rowmill: safetensors: two tensors are named '" + name + "'");
  }
  tensors_.push_back(std::move(tensor));
}

SafetensorsContents& SafetensorsContents::add(std::string name, const ConstTableView& table) {
  check_view("save_safetensors", name, table);
  check_has_columns("save_safetensors", name, table);
  check_count(tensors_, name, name + ".words.begin", table.rows(), 1);
  const ByteRows<const std::byte> rows = bytes_of(table);
  Metadata format = format_metadata(name, table);
  add({.info = {.name = std::move(name),
                .dtype = std::string(dtype_of_format(table.format())),
                .shape = {table.rows(), row_elements(table.format(), table.dim())}},
       .format = std::move(format),
       .data = rows.data,
       .rows = rows.rows,
       .row_bytes = rows.row_bytes,
       .stride = rows.stride});
  return *this;
}

SafetensorsContents& SafetensorsContents::add(std::string name, std::span<const std::uint8_t> values) {
  add(array(std::move(name), "U8", std::as_bytes(values), static_cast<std::int64_t>(values.size())));
  return *this;
}
SafetensorsContents& SafetensorsContents::add(std::string name, std::span<const std::int64_t> values) {
  add(array(std::move(name), "I64", std::as_bytes(values), static_cast<std::int64_t>(values.size())));
  return *this;
}
SafetensorsContents& SafetensorsContents::add(std::string name, std::span<const double> values) {
  add(array(std::move(name), "F64", std::as_bytes(values), static_cast<std::int64_t>(values.size())));
  return *this;
}

SafetensorsContents& SafetensorsContents::add_words(const std::string& name, const Vocabulary& words) {
  check_count(tensors_, name, name, words.size(), 0);
  const std::string_view bytes = words.bytes();
  add(array(name + ".words", "U8", std::as_bytes(std::span(bytes)), static_cast<std::int64_t>(bytes.size())));
  try {
    return add(name + ".words.begin", words.begin());
  } catch (...) {
    tensors_.pop_back();
    throw;
  }
}

}  // namespace rowmill::io
