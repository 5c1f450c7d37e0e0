// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rowmill/io/file_error.hpp"
#include "rowmill/io/save_options.hpp"
#include "rowmill/io/vocabulary.hpp"
#include "rowmill/table.hpp"
#include "rowmill/table_view.hpp"

namespace rowmill::io {

class InputFile;
class ProgressCount;

/// A tensor of a safetensors file.
struct TensorInfo {
  std::string name;
  std::string dtype;                ///< by the format's name: "F32", "BF16", "I64", ...
  std::vector<std::int64_t> shape;  ///< row-major
  std::int64_t begin = 0;           ///< where its data begin in the file, in bytes
  std::int64_t end = 0;
};

/// A tensor as a table.
struct TableInfo {
  Format format = Format::f32;
  std::int64_t rows = 0;
  std::int64_t dim = 0;  ///< of quantised rows too; their tensor has row_elements(format, dim) columns of bytes
};

/// Text that a file carries beside its tensors.
using Metadata = std::map<std::string, std::string>;

/// A safetensors file that is open for reading (https://github.com/huggingface/safetensors describes the format).
/// Threads may read one at the same time.
class SafetensorsFile {
 public:
  /// Opens a file and reads its header. Throws FileError
  /// - if the file can't be read (io_error);
  /// - if its header is longer than the file or than 100,000,000 bytes, is not the JSON that the format asks for, names
  ///   a tensor twice, holds a number that is no integer or does not fit in 63 bits, or an unknown dtype (bad_file);
  /// - if a tensor's byte count does not follow from its dtype and shape, or the tensors overlap, leave a hole, or do
  ///   not end where the file ends (bad_file).
  explicit SafetensorsFile(const std::filesystem::path& path);
  ~SafetensorsFile();
  SafetensorsFile(SafetensorsFile&&) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&&) noexcept;

  [[nodiscard]] const std::filesystem::path& path() const;
  /// In the order of their data.
  [[nodiscard]] std::span<const TensorInfo> tensors() const { return tensors_; }
  [[nodiscard]] const Metadata& metadata() const { return metadata_; }

  /// The tensor of this name, or null.
  [[nodiscard]] const TensorInfo* find(std::string_view name) const;
  /// The tensor of this name. Throws FileError (bad_file) if there is none.
  [[nodiscard]] const TensorInfo& tensor(std::string_view name) const;
  /// The one tensor that is a table; one of integers only if there is no other. Throws FileError (bad_file) if there
  /// are none or several.
  [[nodiscard]] const TensorInfo& only_table() const;

  /// Whether a tensor is a table: F32, BF16, F16, F64, I64, I32, I16, I8 or U8 [rows, dim] with dim of at least 1, or
  /// one whose rows are quantised by __metadata__.
  [[nodiscard]] bool is_table(const TensorInfo& tensor) const;

  /// Reads the whole file, on all threads, and compares it with the checksums that a checkpoint has. False if the file
  /// has none. Throws FileError (bad_file) if one is wrong or missing, and what the progress callback throws.
  bool verify(const Progress& progress = {}) const;

  /// A tensor as a table. U16 [rows, dim] are lower halves of floats: Format::low16. Throws FileError (bad_file) if it
  /// is no table, or if __metadata__ give it an unknown format, no dim, or a format or dim that contradict its dtype
  /// and shape: see docs/files.md.
  [[nodiscard]] TableInfo table_info(const TensorInfo& tensor) const;

  /// Reads a tensor that is a table, on all threads, into a new table of its name and format. Throws FileError if it is
  /// missing or no table (bad_file) or can't be read (io_error), and Error (out_of_memory).
  [[nodiscard]] Table load_table(std::string_view name) const;

  /// The floats of a split table, joined from its upper halves, NAME, and its lower ones, NAME.low: see join_split().
  /// Throws as load_table(), and FileError (bad_file) if these are not BF16 and U16 of one shape.
  [[nodiscard]] Table load_joined(std::string_view name) const;
  /// Whether NAME is a split table.
  [[nodiscard]] bool is_split(std::string_view name) const;

  /// The same as load_table(), into memory of the caller's. Throws also if `out` is not of its format
  /// (invalid_argument) and shape (shape_mismatch). `out` is as it was, unless reading fails halfway.
  void read_table(std::string_view name, const TableView& out) const;

  /// Reads a whole tensor: T is std::uint8_t for U8, std::int64_t for I64, double for F64, float for F32.
  /// Throws FileError if it is missing or has another dtype (bad_file), or can't be read (io_error).
  template <class T>
  [[nodiscard]] std::vector<T> load(std::string_view name) const;

  /// The words of table `name`, of NAME.words and NAME.words.begin; empty if the file has none.
  /// Throws FileError (bad_file) if they do not fit the table.
  [[nodiscard]] Vocabulary load_words(std::string_view name) const;

 private:
  friend class CheckpointFile;
  void read_head(const TensorInfo& tensor, const TableView& rows) const;
  void check(std::string_view name, ProgressCount& progress) const;

  std::unique_ptr<InputFile> file_;
  std::vector<TensorInfo> tensors_;
  std::map<std::string, std::size_t, std::less<>> places_;  // of names in tensors_
  Metadata metadata_;
};

/// What a new safetensors file is to hold. It refers to the memory of tables and arrays, which must outlive it, and
/// copies none of it.
class SafetensorsContents {
 public:
  Metadata metadata;

  /// Each throws Error (invalid_argument) if the name is empty, not UTF-8, "__metadata__", or there already; or if the
  /// table is null, has dim < 1 or negative rows. Tables of any format are taken; what makes quantised rows readable is
  /// added to the metadata.
  SafetensorsContents& add(std::string name, const ConstTableView& table);
  SafetensorsContents& add(std::string name, Table&& table) = delete;  // it would be gone before the file is written
  SafetensorsContents& add(std::string name, std::span<const std::uint8_t> values);
  SafetensorsContents& add(std::string name, std::span<const std::int64_t> values);
  SafetensorsContents& add(std::string name, std::span<const double> values);
  /// The words of table `name`, as NAME.words (U8) and NAME.words.begin (I64): one for each row of the table, which may
  /// be added before or after; otherwise the later call throws Error (invalid_argument).
  SafetensorsContents& add_words(const std::string& name, const Vocabulary& words);
  SafetensorsContents& add_words(const std::string& name, Vocabulary&& words) = delete;

  struct Tensor {
    TensorInfo info;  ///< begin and end follow when the file is written
    Metadata format;  ///< what __metadata__ must say of quantised rows
    const std::byte* data = nullptr;
    std::int64_t rows = 0;  ///< the data as rows of bytes, `stride` apart
    std::int64_t row_bytes = 0;
    std::int64_t stride = 0;
  };
  [[nodiscard]] std::span<const Tensor> tensors() const { return tensors_; }

 private:
  void add(Tensor tensor);

  std::vector<Tensor> tensors_;
};

/// Writes a safetensors file: see SaveOptions for what a reader of the old file meanwhile, a crash and a full disk
/// mean. Data begin at a multiple of 64 bytes; tensors whose sizes are multiples of 64 come first, so that these all
/// do. Throws FileError (io_error) if the file can't be written, Error (invalid_argument) if metadata are not UTF-8,
/// or say of the formats of tables ("rowmill.format.", "rowmill.dim.") what is not so, and what options.progress
/// throws; the old file, if any, is then untouched.
void save_safetensors(const std::filesystem::path& path, const SafetensorsContents& contents,
                      const SaveOptions& options = {});

}  // namespace rowmill::io
