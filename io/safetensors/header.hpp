// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/file/input_file.hpp"
#include "rowmill/io/safetensors.hpp"

namespace rowmill::io {

inline constexpr std::string_view kMetadataName = "__metadata__";
inline constexpr std::int64_t kLengthBytes = 8;             // the header's length stands before it
inline constexpr std::int64_t kMaxHeaderBytes = 100000000;  // as the format's own implementation has it
inline constexpr std::int64_t kDataAlignment = 64;

struct SafetensorsHeader {
  std::vector<TensorInfo> tensors;  // in the order of their data
  Metadata metadata;
};

/// The bits of an element, if the format knows the dtype.
[[nodiscard]] std::optional<std::int64_t> bits_of(std::string_view dtype);

/// Reads and checks the header of a file. Throws FileError as SafetensorsFile's constructor.
[[nodiscard]] SafetensorsHeader read_header(const InputFile& file);

/// The header as it stands in a file, its length before it, for tensors whose begin and end count from the end of the
/// header; padded so that data begin at a multiple of kDataAlignment.
[[nodiscard]] std::string format_header(std::span<const TensorInfo> tensors, const Metadata& metadata);

}  // namespace rowmill::io
