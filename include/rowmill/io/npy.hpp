// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>

#include "rowmill/io/file_error.hpp"
#include "rowmill/io/save_options.hpp"
#include "rowmill/table.hpp"
#include "rowmill/table_view.hpp"

namespace rowmill::io {

/// What a NumPy .npy file says of its array (numpy.lib.format describes versions 1.0, 2.0 and 3.0).
struct NpyInfo {
  std::int64_t rows = 0;
  std::int64_t dim = 0;
  Format format = Format::f32;
  bool big_endian = false;
  bool fortran_order = false;   ///< column by column
  std::int64_t data_begin = 0;  ///< in the file, in bytes
};

/// Reads and checks the header of a .npy file that holds a table: an array of two dimensions, of float32, float16,
/// float64, int64, int32, int16, int8 or uint8.
/// Throws FileError if the file can't be read (io_error), its header is damaged, its array is no table, or its size is
/// not what the header says (bad_file).
[[nodiscard]] NpyInfo read_npy_info(const std::filesystem::path& path);

/// Reads a table, on all threads, in the format of its numbers, big-endian and column by column (Fortran's order) too.
/// Uses name and huge_pages of the options, and format, which may say what is expected. Throws as read_npy_info, and
/// Error if options.format is neither f32, the default, nor that of the file, or another option is given
/// (invalid_argument), or if the system refuses the memory (out_of_memory).
[[nodiscard]] Table load_npy(const std::filesystem::path& path, const TableOptions& options = {});

/// Writes a table as a .npy file of version 1.0: little-endian, row by row; data begin at a multiple of 64. See
/// SaveOptions. The file has no words: those that stand beside an older one of this name, words_path(path), are
/// removed, because they would be taken for the new rows'. save_vectors() writes a table with its words. Throws
/// FileError (io_error) if the file can't be written, Error (invalid_argument) if the view is bad or NumPy has no dtype
/// of its format (bf16, quantised rows), and what options.progress throws; the old file, if any, is then untouched.
void save_npy(const std::filesystem::path& path, const ConstTableView& table, const SaveOptions& options = {});

}  // namespace rowmill::io
