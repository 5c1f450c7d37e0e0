// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "io/file/input_file.hpp"
#include "rowmill/io/npy.hpp"

namespace rowmill::io {

inline constexpr std::string_view kNpyMagic{"\x93NUMPY", 6};

/// As read_npy_info.
[[nodiscard]] NpyInfo read_npy_header(const InputFile& file);

/// The header of a little-endian float32 array, row by row, as it stands in a file of version 1.0.
[[nodiscard]] std::string format_npy_header(std::int64_t rows, std::int64_t dim);

}  // namespace rowmill::io
