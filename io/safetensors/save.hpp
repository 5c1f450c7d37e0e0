// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "rowmill/io/safetensors.hpp"

namespace rowmill::io {

/// The keys of __metadata__ that hold checksums: of each tensor, and of the file.
inline constexpr std::string_view kTensorChecksum = "rowmill.xxh3.";
inline constexpr std::string_view kFileChecksum = "rowmill.checksum";

/// As save_safetensors, with checksums. Returns that of the file.
std::string save_with_checksums(const std::filesystem::path& path, const SafetensorsContents& contents,
                                const SaveOptions& options);

/// The checksum of a file: of all that its header says, the tensors' checksums included, but for kFileChecksum.
[[nodiscard]] std::string file_checksum(std::span<const TensorInfo> tensors, const Metadata& metadata);

}  // namespace rowmill::io
