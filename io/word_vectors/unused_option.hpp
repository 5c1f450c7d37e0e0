// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "rowmill/io/word_vectors.hpp"

namespace rowmill::io {

/// An option that was given, and the kinds of files that it is for.
struct UnusedOption {
  std::string_view name;      ///< as a member of LoadVectorsOptions
  std::string_view argument;  ///< of the tool
  std::string_view kinds;
};

/// The first of the options that a file of this kind has no use for, if one was given. It is an error, never ignored.
[[nodiscard]] std::optional<UnusedOption> unused_option(FileKind kind, const LoadVectorsOptions& options);

/// "a .npy file"
[[nodiscard]] std::string_view description(FileKind kind);

/// Throws Error (invalid_argument) if there is such an option.
void check_options(std::string_view op, const std::filesystem::path& path, FileKind kind,
                   const LoadVectorsOptions& options);

}  // namespace rowmill::io
