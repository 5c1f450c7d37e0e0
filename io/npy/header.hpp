// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "io/file/input_file.hpp"
#include "rowmill/io/npy.hpp"

namespace rowmill::io {

inline constexpr std::string_view kNpyMagic{"\x93NUMPY", 6};

/// As read_npy_info.
[[nodiscard]] NpyInfo read_npy_header(const InputFile& file);

/// The formats that NumPy has a dtype for.
inline constexpr std::initializer_list<Format> kNpyFormats = {Format::f32, Format::f16, Format::f64, Format::i64,
                                                              Format::i32, Format::i16, Format::i8,  Format::u8};

/// The header of a little-endian array of this format, row by row, as it stands in a file of version 1.0.
[[nodiscard]] std::string format_npy_header(Format format, std::int64_t rows, std::int64_t dim);

}  // namespace rowmill::io
