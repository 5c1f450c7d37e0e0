// SPDX-License-Identifier: Apache-2.0
#include "rowmill/convert.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "commands.hpp"
#include "interrupt.hpp"

namespace rowmill::tool {
int convert(const ConvertOptions& options) {
  io::WordVectors vectors = io::load_vectors(options.input.file, options.input.load);
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
