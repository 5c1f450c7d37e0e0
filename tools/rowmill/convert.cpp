// SPDX-License-Identifier: Apache-2.0
#include "rowmill/convert.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "commands.hpp"
#include "input.hpp"
#include "interrupt.hpp"
#include "io/npy/header.hpp"

namespace rowmill::tool {
namespace {

/// What can't be written is known before anything is read.
void check_output(const ConvertOptions& options) {
  const io::VectorsFormat output = io::format_of_name(options.output);
  const bool is_npy = output == io::VectorsFormat::npy;
  std::error_code none;
  const std::filesystem::path words = io::words_path(options.output);
  if (is_npy && std::filesystem::equivalent(options.input.file, words, none)) {
    throw std::runtime_error(
        fmt::format("{}: is the input; the words of {} would take its place", words.string(), options.output.string()));
  }
  if (!options.format || *options.format == Format::f32 || output == io::VectorsFormat::safetensors) return;
  const bool npy_has_it = std::ranges::find(io::kNpyFormats, *options.format) != io::kNpyFormats.end();
  if (is_npy && npy_has_it) return;
  throw std::runtime_error(
      fmt::format("{}: {}; --format {} needs a name that ends in .safetensors{}", options.output.string(),
                  is_npy ? "NumPy has no dtype for such numbers" : "word vectors hold float32 only",
                  format_name(*options.format), npy_has_it ? " or .npy" : ""));
}

}  // namespace

int convert(const ConvertOptions& options) {
  check_output(options);
  note_interrupts();                   // the check makes a temporary file, which must not stay
  io::check_can_save(options.output);  // to read may take long, and what came by a pipe would be lost
  saved();
  io::WordVectors vectors = load(options.input);
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
