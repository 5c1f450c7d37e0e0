// SPDX-License-Identifier: Apache-2.0
// How tables of each format stand in safetensors: which dtype, and what __metadata__ says of quantised rows.
#pragma once

#include <string>
#include <string_view>

#include "io/file/input_file.hpp"
#include "rowmill/io/safetensors.hpp"
#include "rowmill/table_view.hpp"

namespace rowmill::io {

/// The keys of __metadata__ that say what the bytes of table NAME are: its format, and its columns.
inline constexpr std::string_view kFormatKey = "rowmill.format.";
inline constexpr std::string_view kDimKey = "rowmill.dim.";

/// The dtype of tables of this format; U8 for quantised rows.
[[nodiscard]] std::string_view dtype_of_format(Format format);

/// "U8 [3, 12]"
[[nodiscard]] std::string describe(const TensorInfo& tensor);

/// What __metadata__ must say of the table `name`: nothing, unless its rows are quantised.
[[nodiscard]] Metadata format_metadata(std::string_view name, const ConstTableView& table);

/// Whether a tensor has the dtype and shape of a table, or __metadata__ says that it is one. Lower halves of floats
/// (U16) are none of their own.
[[nodiscard]] bool is_table(const TensorInfo& tensor, const Metadata& metadata);
/// The same, for one of integers.
[[nodiscard]] bool is_integer_table(const TensorInfo& tensor, const Metadata& metadata);

/// The table that a tensor is, by its dtype, its shape and what `metadata` say of it. Throws FileError (bad_file) if it
/// is none, or these contradict each other.
[[nodiscard]] TableInfo table_of(const InputFile& file, const TensorInfo& tensor, const Metadata& metadata);

}  // namespace rowmill::io
