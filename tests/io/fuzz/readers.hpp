// SPDX-License-Identifier: Apache-2.0
// The readers that are given any bytes, by libFuzzer (fuzzer.cpp) and by a test without it (replay.cpp).
#pragma once

#include <filesystem>
#include <span>
#include <string_view>

namespace rowmill::io::fuzz {

/// One reader: it must load the file at a path or throw.
struct Reader {
  std::string_view name;
  void (*read)(const std::filesystem::path& path);
};

[[nodiscard]] std::span<const Reader> readers();
/// The reader of this name. Throws std::out_of_range.
[[nodiscard]] const Reader& reader(std::string_view name);

/// Gives the reader these bytes as a file. What it may throw is caught: a FileError, and the Errors that a file which
/// is as it should be leads to. All else is a finding, and leaves this function.
void read_bytes(const Reader& reader, std::string_view bytes);

/// Writes small whole files for every reader, where both begin: FOLDER/READER/...
void write_seeds(const std::filesystem::path& folder);

}  // namespace rowmill::io::fuzz
