// SPDX-License-Identifier: Apache-2.0
#include "rowmill/io/npy.hpp"

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

#include "io/file/parallel.hpp"
#include "io/file/transfer.hpp"
#include "io/npy/header.hpp"
#include "kernels/core/checks.hpp"
#include "kernels/table/uninitialized.hpp"

namespace rowmill::io {
namespace {

void swap_bytes(const TableView& table) {
  const std::int64_t size = table.rows() * table.dim();
  parallel_chunks(concurrency_for(size * 8), size, std::int64_t{1} << 20, [&](std::int64_t begin, std::int64_t end) {
    for (float* value = table.data() + begin; value != table.data() + end; ++value) {
      *value = std::bit_cast<float>(__builtin_bswap32(std::bit_cast<std::uint32_t>(*value)));
    }
  });
}

/// Reads columns into rows: a band of rows at a time, a run of each column's values for it.
void read_columns(const InputFile& file, const NpyInfo& info, const TableView& table) {
  constexpr std::int64_t kBandBytes = std::int64_t{8} << 20;
  const std::int64_t band =
      std::clamp<std::int64_t>(kBandBytes / (info.dim * 4), 16, std::max<std::int64_t>(info.rows, 16));
  const std::int64_t bands = (info.rows + band - 1) / band;
  parallel_that_throws(concurrency_for(info.rows * info.dim * 4), bands, [&](std::int64_t b) {
    const std::int64_t begin = b * band;
    const std::int64_t end = std::min(begin + band, info.rows);
    std::vector<float> column(static_cast<std::size_t>(end - begin));
    for (std::int64_t c = 0; c < info.dim; ++c) {
      file.read(info.data_begin + (c * info.rows + begin) * std::int64_t{sizeof(float)},
                std::as_writable_bytes(std::span(column)));
      for (std::int64_t r = begin; r < end; ++r) {
        table.data()[r * info.dim + c] = column[static_cast<std::size_t>(r - begin)];
      }
    }
  });
}

}  // namespace

NpyInfo read_npy_info(const std::filesystem::path& path) { return read_npy_header(InputFile(path)); }

Table load_npy(const std::filesystem::path& path, const TableOptions& options) {
  if (options.format != Format::f32) {
    throw Error(ErrorCode::invalid_argument, "rowmill: load_npy: options.format is not f32, which .npy files hold");
  }
  const InputFile file(path);
  const NpyInfo info = read_npy_header(file);
  Table table = uninitialized_table(info.rows, info.dim, options);
  if (info.fortran_order && info.rows > 1) {
    read_columns(file, info, table);
  } else {
    read_rows(file, info.data_begin, bytes_of(table.view()));
  }
  if (info.big_endian) swap_bytes(table);
  return table;
}

void save_npy(const std::filesystem::path& path, const ConstTableView& table, const SaveOptions& options) {
  check_view("save_npy", "table", table);
  check_has_columns("save_npy", "table", table);
  check_format("save_npy", "table (NumPy has no dtype for others: save them as safetensors)", table, {Format::f32});
  const std::string header = format_npy_header(table.rows(), table.dim());
  const auto header_bytes = static_cast<std::int64_t>(header.size());
  const ByteRows<const std::byte> rows = bytes_of(table);
  NewFile file(path, header_bytes + rows.size());
  file.write(0, std::as_bytes(std::span(header)));
  ProgressCount progress(options.progress, rows.size());
  write_rows(file, header_bytes, rows, progress);
  file.commit(options.sync);
}

}  // namespace rowmill::io
