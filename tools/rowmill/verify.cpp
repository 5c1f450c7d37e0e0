// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <atomic>
#include <cmath>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "kernels/core/parallel.hpp"
#include "rowmill/io/safetensors.hpp"

namespace rowmill::tool {
namespace {

struct Found {
  std::int64_t rows = 0;        ///< with a NaN or an infinity
  std::int64_t first_row = -1;  ///< the lowest of them
};

template <class T>
bool is_finite(std::span<const T> row) {
  return std::ranges::all_of(row, [](T x) { return std::isfinite(static_cast<float>(x)); });
}

Found find_not_finite(const ConstTableView& table) {
  std::atomic<std::int64_t> count = 0;
  std::atomic<std::int64_t> first = table.rows();
  const std::int64_t row_bytes = table.dim() * element_size(table.format());
  const std::int64_t threads = concurrency_for(table.rows() * row_bytes);
  parallel_chunks(threads, table.rows(), rows_per_task(table.rows(), row_bytes, threads),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t r = begin; r < end; ++r) {
                      const bool finite = table.format() == Format::f32 ? is_finite(table.row<float>(r))
                                                                        : is_finite(table.row<Bf16>(r));
                      if (finite) continue;
                      ++count;
                      for (std::int64_t lowest = first; r < lowest && !first.compare_exchange_weak(lowest, r);) {
                      }
                    }
                  });
  return {count, count == 0 ? -1 : first.load()};
}

}  // namespace

int verify(const InputOptions& input) {
  nlohmann::ordered_json report = {{"file", input.file.string()}, {"checksums", "none"}};
  bool whole = true;
  const auto look_at = [&](const std::string& name, const ConstTableView& table) {
    const Found found = find_not_finite(table);
    report["tables"].push_back({{"name", name},
                                {"rows", table.rows()},
                                {"dim", table.dim()},
                                {"rows_not_finite", found.rows},
                                {"first_row_not_finite", found.first_row}});
    whole = whole && found.rows == 0;
  };
  if (io::file_kind(input.file) == io::FileKind::safetensors) {
    const io::SafetensorsFile file(input.file);
    if (file.verify()) report["checksums"] = "right";
    for (const io::TensorInfo& tensor : file.tensors()) {
      if (file.is_table(tensor)) look_at(tensor.name, file.load_table(tensor.name));
    }
  } else {
    look_at("", io::load_vectors(input.file, input.load).table);
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
