// SPDX-License-Identifier: Apache-2.0
#include "rowmill/convert.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "commands.hpp"
#include "interrupt.hpp"
#include "rowmill/io/safetensors.hpp"

namespace rowmill::tool {
namespace {

/// The table of the input; of a split one the floats, where these are asked for.
io::WordVectors load(const ConvertOptions& options) {
  const io::LoadVectorsOptions& load = options.input.load;
  if (options.format == Format::f32 && io::file_kind(options.input.file) == io::FileKind::safetensors) {
    const io::SafetensorsFile file(options.input.file);
    const std::string& name = load.tensor.empty() ? file.only_table().name : load.tensor;
    if (file.is_split(name)) return {.words = file.load_words(name), .table = file.load_joined(name)};
  }
  return io::load_vectors(options.input.file, load);
}

}  // namespace

int convert(const ConvertOptions& options) {
  io::WordVectors vectors = load(options);
  if (options.format && *options.format != vectors.table.format()) {
    Table table(vectors.table.rows(), vectors.table.dim(), {.name = vectors.table.name(), .format = *options.format});
    rowmill::convert(vectors.table, table);
    vectors.table = std::move(table);
  }
  io::save_vectors(options.output, vectors.table, vectors.words, {.progress = saving("writing")});
  saved();
  if (options.input.json) {
    fmt::print("{}\n", nlohmann::ordered_json({{"file", options.output.string()},
                                               {"rows", vectors.table.rows()},
                                               {"dim", vectors.table.dim()},
                                               {"format", format_name(vectors.table.format())}})
                           .dump(2));
  }
  return 0;
}

}  // namespace rowmill::tool
