// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "input.hpp"
#include "not_finite.hpp"
#include "rowmill/io/safetensors.hpp"

namespace rowmill::tool {
int verify(const InputOptions& input) {
  nlohmann::ordered_json report = {{"file", input.file.string()}, {"checksums", "none"}};
  bool whole = true;
  const auto look_at = [&](const std::string& name, const ConstTableView& table, const io::Vocabulary& words) {
    const NotFinite found = find_not_finite(table);
    report["tables"].push_back({{"name", name},
                                {"rows", table.rows()},
                                {"dim", table.dim()},
                                {"words", words.size()},
                                {"rows_not_finite", found.rows},
                                {"first_row_not_finite", found.first_row}});
    whole = whole && found.rows == 0;
  };
  if (kind_of(input) == io::FileKind::safetensors) {
    const io::SafetensorsFile file(input.file);
    if (file.verify()) report["checksums"] = "right";
    for (const io::TensorInfo& tensor : file.tensors()) {
      if (file.is_table(tensor)) look_at(tensor.name, file.load_table(tensor.name), file.load_words(tensor.name));
    }
  } else {
    const io::WordVectors vectors = load(input);
    look_at("", vectors.table, vectors.words);
  }
  if (input.json) {
    report["whole"] = whole;
    fmt::print("{}\n", report.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
    return whole ? 0 : 1;
  }
  fmt::print("structure   right\nchecksums   {}\n", report["checksums"].get<std::string>());
  for (const auto& table : report["tables"]) {
    fmt::print("table       {}{} x {}: {}\n", table["name"].get<std::string>() + (table["name"] == "" ? "" : " "),
               table["rows"].dump(), table["dim"].dump(),
               table["rows_not_finite"] == 0
                   ? "every number is finite"
                   : table["rows_not_finite"].dump() + " rows hold NaN or infinity, the first is row " +
                         table["first_row_not_finite"].dump());
  }
  return whole ? 0 : 1;
}

}  // namespace rowmill::tool
