// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "interrupt.hpp"
#include "kernels/core/parallel.hpp"

namespace rowmill::tool {
namespace {

/// The table in another format: float32 is rounded to bf16 once, bf16 is widened exactly.
Table converted(const Table& table, Format format) {
  Table result(table.rows(), table.dim(), {.name = table.name(), .format = format});
  const std::int64_t size = table.rows() * table.dim();
  constexpr std::int64_t kGrain = std::int64_t{1} << 20;
  parallel_chunks(concurrency_for(6 * size), size, kGrain, [&](std::int64_t begin, std::int64_t end) {
    if (format == Format::bf16) {
      std::transform(table.data() + begin, table.data() + end, result.data<Bf16>() + begin,
                     [](float x) { return Bf16(x); });
    } else {
      std::transform(table.data<Bf16>() + begin, table.data<Bf16>() + end, result.data() + begin,
                     [](Bf16 x) { return static_cast<float>(x); });
    }
  });
  return result;
}

}  // namespace

int convert(const ConvertOptions& options) {
  io::WordVectors vectors = io::load_vectors(options.input.file, options.input.load);
  if (options.format && *options.format != vectors.table.format()) {
    vectors.table = converted(vectors.table, *options.format);
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
