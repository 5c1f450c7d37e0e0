// SPDX-License-Identifier: Apache-2.0
#include "rowmill/io/mapped_table.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "io/checkpoint/saved_state.hpp"
#include "io/file/mapping.hpp"
#include "io/file/parallel.hpp"
#include "io/mapped/read_ahead.hpp"
#include "io/npy/header.hpp"
#include "io/safetensors/header.hpp"
#include "io/word_vectors/unused_option.hpp"
#include "rowmill/io/npy.hpp"
#include "rowmill/io/safetensors.hpp"
#include "rowmill/io/word_vectors.hpp"
#include "rowmill/plan.hpp"

namespace rowmill::io {
namespace {

/// Where a table stands in a file.
struct Place {
  std::string name;  // of the tensor; empty: .npy
  std::int64_t begin = 0;
  std::int64_t rows = 0;
  std::int64_t dim = 0;
  Format format = Format::f32;

  [[nodiscard]] std::int64_t stride() const { return row_elements(format, dim); }
  [[nodiscard]] std::int64_t row_bytes() const { return stride() * element_size(format); }
  [[nodiscard]] std::int64_t end() const { return begin + rows * row_bytes(); }
};

Place place_in_npy(const InputFile& file) {
  const NpyInfo info = read_npy_header(file);
  if (info.big_endian || (info.fortran_order && info.rows > 1 && info.dim > 1)) {
    throw file.bad(FileError::kNowhere, std::string("holds a table ") +
                                            (info.big_endian ? "of big-endian numbers" : "column by column") +
                                            ", which can't be used in place: load_npy reads it");
  }
  return {.name = {}, .begin = info.data_begin, .rows = info.rows, .dim = info.dim, .format = info.format};
}

Place place_in_safetensors(const InputFile& file, const std::string& tensor) {
  const SafetensorsFile contents(file.path());
  check_is_no_delta(contents);
  const TensorInfo& found = tensor.empty() ? contents.only_table() : contents.tensor(tensor);
  const TableInfo info = contents.table_info(found);
  return {.name = found.name, .begin = found.begin, .rows = info.rows, .dim = info.dim, .format = info.format};
}

/// A failure to map is an error of this file, wherever it stands.
Place place_of(const InputFile& file, const MappedTableOptions& options) {
  const FileKind kind = file_kind(file.path());
  check_options("MappedTable", file.path(), kind, {.tensor = options.tensor});
  const bool is_npy = kind == FileKind::npy;
  const Place place = is_npy ? place_in_npy(file) : place_in_safetensors(file, options.tensor);
  if (place.begin % element_size(place.format) != 0) {
    throw file.bad(place.begin,
                   "the table is not aligned to its elements, and can't be used in place: load_table reads it");
  }
  file.check_not_replaced();
  return place;
}

}  // namespace

struct MappedTable::State {
  State(const std::filesystem::path& path, const MappedTableOptions& table_options)
      : options(table_options),
        file(path),
        place(place_of(file, options)),
        mapping(Mapping::of_file(file, place.rows == 0 ? 0 : place.end())),
        view(mapping.data() == nullptr ? nullptr : mapping.data() + place.begin, place.format, place.rows, place.dim,
             place.stride(), place.name),
        ahead(file, mapping, place.begin, place.rows, place.row_bytes()) {
    // With read-ahead of the batch's rows, the system's own guesses would read around each of them.
    if (options.read_ahead && mapping.size() > 0) {
      ::madvise(mapping.data(), static_cast<std::size_t>(mapping.size()), MADV_RANDOM);
    }
  }

  void check_size() const {
    const std::int64_t size = file.current_size();
    if (size >= place.end()) return;
    throw FileError(ErrorCode::io_error, file.path(), size,
                    "the file has become shorter; its table ends at byte " + std::to_string(place.end()));
  }

  MappedTableOptions options;
  InputFile file;
  Place place;
  Mapping mapping;
  ConstTableView view;
  ReadAhead ahead;
};

MappedTable::MappedTable(const std::filesystem::path& path, const MappedTableOptions& options)
    : state_(std::make_unique<State>(path, options)) {}
MappedTable::~MappedTable() = default;
MappedTable::MappedTable(MappedTable&&) noexcept = default;
MappedTable& MappedTable::operator=(MappedTable&&) noexcept = default;

const ConstTableView& MappedTable::view() const { return state_->view; }

Vocabulary MappedTable::load_words() const {
  const std::filesystem::path& path = state_->file.path();
  const std::string& tensor = state_->place.name;
  Vocabulary words = tensor.empty() ? load_npy_words(path, rows()) : SafetensorsFile(path).load_words(tensor);
  state_->file.check_not_replaced();
  return words;
}

void MappedTable::populate() const {
  state_->check_size();
  const Mapping& mapping = state_->mapping;
  if (mapping.size() == 0) return;
  const auto size = static_cast<std::size_t>(mapping.size());
  if (::madvise(mapping.data(), size, MADV_POPULATE_READ) != 0) throw_system_error(state_->file.path(), "read", errno);
}

/// Calls operation(view) with a view in which the rows of the batch can be read. `batch` is the ids, or bags of them.
template <class Batch, class Operation>
void MappedTable::read(const Batch& batch, Ids ids, OutOfRange policy, Operation operation) const {
  State& state = *state_;
  state.check_size();
  if (state.options.read_ahead && ids.data() != nullptr) state.ahead.ask(ids, policy);
  if (!state.options.guarded || rows() == 0) return operation(state.view);
  Plan plan;
  try {
    plan.build(batch, rows(), policy);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::out_of_memory) throw;
    return operation(state.view);  // reports what is wrong with the batch, before it reads a row
  }

  // Each row in its place in memory of the size of the table, of which only those rows exist.
  const Place& place = state.place;
  const std::int64_t row_bytes = place.row_bytes();
  const Mapping copy = Mapping::sparse(place.rows * row_bytes);
  parallel_that_throws(concurrency_for(plan.unique_count() * kPage), plan.shard_count(), [&](std::int64_t s) {
    for (const std::int64_t row : plan.shard(s).rows) {
      state.file.read(place.begin + row * row_bytes,
                      {copy.data() + row * row_bytes, static_cast<std::size_t>(row_bytes)});
    }
  });
  operation(ConstTableView(copy.data(), place.format, place.rows, place.dim, place.stride(), place.name));
}

void gather(const MappedTable& table, Ids ids, const TableView& out, const GatherOptions& options) {
  table.read(ids, ids, options.out_of_range, [&](const ConstTableView& rows) { gather(rows, ids, out, options); });
}

void pool(const MappedTable& table, const Bags& bags, const TableView& out, const PoolOptions& options,
          Workspace* workspace) {
  table.read(bags, bags.ids(), options.out_of_range,
             [&](const ConstTableView& rows) { pool(rows, bags, out, options, workspace); });
}

}  // namespace rowmill::io
