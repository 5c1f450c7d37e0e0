// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "io/file/byte_stream.hpp"
#include "rowmill/io/word_vectors.hpp"

namespace rowmill::io {

/// The kind of file that begins so, if these first bytes, kKindBytes of them or the whole file, say it.
[[nodiscard]] std::optional<FileKind> kind_of_start(std::string_view start);
inline constexpr std::size_t kKindBytes = std::size_t{1} << 16;

/// As load_text_vectors, with options that are checked. `first_bytes` says how large the text's first block is, which
/// tests make small, so that blocks end everywhere in their lines.
[[nodiscard]] WordVectors load_text(ByteStream& stream, const LoadTextOptions& options, std::size_t first_bytes);

}  // namespace rowmill::io
