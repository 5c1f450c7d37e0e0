// SPDX-License-Identifier: Apache-2.0
#include "rowmill/io/npy.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "io/file/parallel.hpp"
#include "io/file/transfer.hpp"
#include "io/npy/header.hpp"
#include "io/npy/save.hpp"
#include "kernels/core/checks.hpp"
#include "kernels/table/uninitialized.hpp"
#include "rowmill/io/word_vectors.hpp"

namespace rowmill::io {
namespace {

std::uint16_t swapped(std::uint16_t bits) { return __builtin_bswap16(bits); }
std::uint32_t swapped(std::uint32_t bits) { return __builtin_bswap32(bits); }
std::uint64_t swapped(std::uint64_t bits) { return __builtin_bswap64(bits); }

/// The file has the values, and all threads read them.
void check_load_options(const TableOptions& options) {
  const TableOptions defaults;
  const char* const unused = options.initializer.kind != defaults.initializer.kind           ? "initializer"
                             : options.seed != defaults.seed                                 ? "seed"
                             : options.stream != defaults.stream                             ? "stream"
                             : options.parallel_first_touch != defaults.parallel_first_touch ? "parallel_first_touch"
                                                                                             : nullptr;
  if (unused == nullptr) return;
  throw Error(ErrorCode::invalid_argument, "rowmill: load_npy: options." + std::string(unused) +
                                               " is given, which is of no use to a table that is read");
}

/// Turns the bytes of `size` elements around. T is the unsigned integer of their size.
template <class T>
void swap_bytes(std::byte* bytes, std::int64_t size) {
  const auto moved = size * 2 * static_cast<std::int64_t>(sizeof(T));
  parallel_chunks(concurrency_for(moved), size, std::int64_t{1} << 20, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      T bits;
      std::memcpy(&bits, bytes + i * std::int64_t{sizeof(T)}, sizeof(T));
      bits = swapped(bits);
      std::memcpy(bytes + i * std::int64_t{sizeof(T)}, &bits, sizeof(T));
    }
  });
}

void swap_bytes(const TableView& table) {
  auto* const bytes = static_cast<std::byte*>(table.bytes());
  const std::int64_t size = table.rows() * table.dim();
  switch (element_size(table.format())) {
    case 2:
      return swap_bytes<std::uint16_t>(bytes, size);
    case 4:
      return swap_bytes<std::uint32_t>(bytes, size);
    default:
      return swap_bytes<std::uint64_t>(bytes, size);
  }
}

/// Reads columns into rows: a band of rows at a time, a run of each column's values for it.
void read_columns(const InputFile& file, const NpyInfo& info, const TableView& table) {
  constexpr std::int64_t kBandBytes = std::int64_t{8} << 20;
  const std::int64_t element = element_size(info.format);
  const auto element_bytes = static_cast<std::size_t>(element);
  const std::int64_t row_bytes = info.dim * element;
  const std::int64_t band = std::clamp<std::int64_t>(kBandBytes / row_bytes, 16, std::max<std::int64_t>(info.rows, 16));
  const std::int64_t bands = (info.rows + band - 1) / band;
  auto* const out = static_cast<std::byte*>(table.bytes());
  parallel_that_throws(concurrency_for(info.rows * row_bytes), bands, [&](std::int64_t b) {
    const std::int64_t begin = b * band;
    const std::int64_t end = std::min(begin + band, info.rows);
    std::vector<std::byte> column(static_cast<std::size_t>((end - begin) * element));
    for (std::int64_t c = 0; c < info.dim; ++c) {
      file.read(info.data_begin + (c * info.rows + begin) * element, column);
      for (std::int64_t r = begin; r < end; ++r) {
        std::memcpy(out + r * row_bytes + c * element, column.data() + (r - begin) * element, element_bytes);
      }
    }
  });
}

}  // namespace

NpyInfo read_npy_info(const std::filesystem::path& path) { return read_npy_header(InputFile(path)); }

Table load_npy(const std::filesystem::path& path, const TableOptions& options) {
  check_load_options(options);
  const InputFile file(path);
  const NpyInfo info = read_npy_header(file);
  if (options.format != Format::f32 && options.format != info.format) {
    throw Error(ErrorCode::invalid_argument, "rowmill: load_npy: options.format is " +
                                                 std::string(format_name(options.format)) + ", but '" + path.string() +
                                                 "' holds " + std::string(format_name(info.format)));
  }
  TableOptions of_file = options;
  of_file.format = info.format;
  Table table = uninitialized_table(info.rows, info.dim, of_file);
  if (info.fortran_order && info.rows > 1) {
    read_columns(file, info, table);
  } else {
    read_rows(file, info.data_begin, bytes_of(table.view()));
  }
  if (info.big_endian) swap_bytes(table);
  return table;
}

void save_npy(const std::filesystem::path& path, const ConstTableView& table, const SaveOptions& options) {
  save_npy_and_words(path, table, std::nullopt, options);
}

void save_npy_and_words(const std::filesystem::path& path, const ConstTableView& table,
                        const std::optional<std::string>& words, const SaveOptions& options) {
  check_view("save_npy", "table", table);
  check_has_columns("save_npy", "table", table);
  if (std::ranges::find(kNpyFormats, table.format()) == kNpyFormats.end()) {
    throw Error(ErrorCode::invalid_argument, "rowmill: save_npy: NumPy has no dtype for a table of format " +
                                                 std::string(format_name(table.format())) + ": save it as safetensors");
  }
  const std::filesystem::path beside = words_path(path);
  std::optional<NewFile> word_file;
  if (words) {
    word_file.emplace(beside, static_cast<std::int64_t>(words->size()));
    word_file->write(0, std::as_bytes(std::span(*words)));
    word_file->flush(options.sync);
  }
  const std::string header = format_npy_header(table.format(), table.rows(), table.dim());
  const auto header_bytes = static_cast<std::int64_t>(header.size());
  const ByteRows<const std::byte> rows = bytes_of(table);
  NewFile file(path, header_bytes + rows.size());
  file.write(0, std::as_bytes(std::span(header)));
  ProgressCount progress(options.progress, rows.size());
  write_rows(file, header_bytes, rows, progress);
  file.flush(options.sync);
  SetAside old_words(word_file ? word_file->path() : beside, options.sync);
  file.rename();
  old_words.remove();
  file.sync_directory();
  if (!word_file) return;
  word_file->rename();
  word_file->sync_directory();
}

}  // namespace rowmill::io
