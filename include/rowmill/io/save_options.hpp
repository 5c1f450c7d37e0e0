// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "rowmill/config.hpp"

namespace rowmill::io {

/// Called now and then with the bytes that are done and their total: by any thread, but by one at a time. If it throws,
/// so does the save, which then leaves no file behind.
using Progress = std::function<void(std::int64_t done, std::int64_t total)>;

/// How a file is written. Every save writes a temporary file in the directory of the file and renames it when it is
/// whole: at any instant the name stands for the old file or for the new one. A temporary file that a killed process
/// left is removed by the next save of the same file. A new file gets the permissions of the one that it replaces. If
/// the name is a symbolic link, the file that it leads to is replaced; a link that leads nowhere is replaced itself.
///
/// A save that throws leaves the old file, but for one error: if the new file has its name and the directory then can't
/// be synced, the FileError says so. The file is whole, and either it or the old one is there after a crash.
struct SaveOptions {
  /// Wait until file and directory have reached the disk, so that the file also survives a crash of the machine.
  bool sync = true;
  Progress progress = {};
};

/// Throws FileError (io_error) if a save of this file would fail at once: its directory does not exist or can't be
/// written, or it is a directory itself. Call it before an hour of computing. Changes nothing.
void check_can_save(const std::filesystem::path& path);

}  // namespace rowmill::io
