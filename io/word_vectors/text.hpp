// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "io/file/byte_stream.hpp"
#include "rowmill/io/word_vectors.hpp"

namespace rowmill::io {

/// As load_text_vectors, with options that are checked. `first_bytes` says how large the text's first block is, which
/// tests make small, so that blocks end everywhere in their lines.
[[nodiscard]] WordVectors load_text(ByteStream& stream, const LoadTextOptions& options, std::size_t first_bytes);

}  // namespace rowmill::io
