// SPDX-License-Identifier: Apache-2.0
#include "io/word_vectors/unused_option.hpp"

#include <string>

#include "rowmill/error.hpp"

namespace rowmill::io {

std::optional<UnusedOption> unused_option(FileKind kind, const LoadVectorsOptions& options) {
  const bool is_text = kind == FileKind::text;
  if (!options.tensor.empty() && kind != FileKind::safetensors) return {{"tensor", "tensor", "safetensors files"}};
  if (options.text.dim != 0 && !is_text) return {{"text.dim", "dim", "text"}};
  if (options.text.header != HeaderLine::automatic && !is_text) return {{"text.header", "header", "text"}};
  if (options.text.invalid_utf8 != InvalidUtf8::keep && !is_text && kind != FileKind::word2vec_binary) {
    return {{"text.invalid_utf8", "invalid-utf8", "text and word2vec's binary format"}};
  }
  return std::nullopt;
}

std::string_view description(FileKind kind) {
  switch (kind) {
    case FileKind::safetensors:
      return "a safetensors file";
    case FileKind::npy:
      return "a .npy file";
    case FileKind::word2vec_binary:
      return "a file of word2vec's binary format";
    case FileKind::text:
      break;
  }
  return "text";
}

void check_options(std::string_view op, const std::filesystem::path& path, FileKind kind,
                   const LoadVectorsOptions& options) {
  const std::optional<UnusedOption> unused = unused_option(kind, options);
  if (!unused) return;
  throw Error(ErrorCode::invalid_argument, "rowmill: " + std::string(op) + ": options." + std::string(unused->name) +
                                               " is for " + std::string(unused->kinds) + " only; '" + path.string() +
                                               "' is " + std::string(description(kind)));
}

}  // namespace rowmill::io
