// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "commands.hpp"
#include "input.hpp"
#include "rowmill/io/npy.hpp"
#include "rowmill/io/safetensors.hpp"

namespace rowmill::tool {
namespace {

using nlohmann::ordered_json;

/// What lookups see of a tensor, if it is a table. What its metadata say wrongly `verify` reports.
void describe_table(const io::SafetensorsFile& file, const io::TensorInfo& tensor, ordered_json& entry) {
  if (!file.is_table(tensor)) return;
  try {
    const io::TableInfo table = file.table_info(tensor);
    entry["format"] = file.is_split(tensor.name) ? "split16" : format_name(table.format);
    entry["dim"] = table.dim;
  } catch (const io::FileError&) {
  }
}

/// One description for both outputs: people get its lines, machines the object.
ordered_json describe(const InputOptions& input) {
  ordered_json description;
  description["file"] = input.file.string();
  const io::FileKind kind = kind_of(input);
  std::error_code none;
  if (std::filesystem::is_regular_file(input.file, none)) {
    description["bytes"] = std::filesystem::file_size(input.file);
  }
  switch (kind) {
    case io::FileKind::safetensors: {
      const io::SafetensorsFile file(input.file);
      description["kind"] = "safetensors";
      description["metadata"] = file.metadata();
      for (const io::TensorInfo& tensor : file.tensors()) {
        ordered_json entry = {{"name", tensor.name},
                              {"dtype", tensor.dtype},
                              {"shape", tensor.shape},
                              {"begin", tensor.begin},
                              {"end", tensor.end}};
        describe_table(file, tensor, entry);
        description["tensors"].push_back(std::move(entry));
      }
      return description;
    }
    case io::FileKind::npy: {
      const io::NpyInfo info = io::read_npy_info(input.file);
      description["kind"] = "npy";
      description["rows"] = info.rows;
      description["dim"] = info.dim;
      description["format"] = format_name(info.format);
      description["byte_order"] = info.big_endian ? "big" : "little";
      description["order"] = info.fortran_order ? "columns first" : "rows first";
      description["words"] = !io::load_npy_words(input.file, info.rows).empty();
      return description;
    }
    default: {
      const io::WordVectors vectors = io::load_vectors(input.file, input.load);
      description["kind"] = kind == io::FileKind::text ? "text" : "word2vec binary";
      description["rows"] = vectors.table.rows();
      description["dim"] = vectors.table.dim();
      return description;
    }
  }
}

/// " (int8, dim 300)" of a table.
std::string table_text(const ordered_json& tensor) {
  if (!tensor.contains("format")) return {};
  return fmt::format(" ({}, dim {})", tensor["format"].get<std::string>(), tensor["dim"].get<std::int64_t>());
}

}  // namespace

int info(const InputOptions& input) {
  const ordered_json description = describe(input);
  if (input.json) {
    fmt::print("{}\n", description.dump(2, ' ', false, ordered_json::error_handler_t::replace));
    return 0;
  }
  for (const auto& [key, value] : description.items()) {
    if (key == "tensors" || key == "metadata") continue;
    fmt::print("{:<12}{}\n", key, value.is_string() ? value.get<std::string>() : value.dump());
  }
  if (const auto metadata = description.find("metadata"); metadata != description.end()) {
    for (const auto& [key, value] : metadata->items())
      fmt::print("{:<12}{} = {}\n", "metadata", key, value.get<std::string>());
  }
  if (const auto tensors = description.find("tensors"); tensors != description.end()) {
    for (const ordered_json& tensor : *tensors) {
      fmt::print("{:<12}{} {} {}{}\n", "tensor", tensor["name"].get<std::string>(), tensor["dtype"].get<std::string>(),
                 tensor["shape"].dump(), table_text(tensor));
    }
  }
  return 0;
}

}  // namespace rowmill::tool
