// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "rowmill/io/save_options.hpp"
#include "rowmill/table_view.hpp"

namespace rowmill::io {

/// As save_npy, with the contents of words_path(path), if there are to be words. New rows never stand beside old words,
/// nor old rows beside new words, at any moment: between the two renames there are no words.
void save_npy_and_words(const std::filesystem::path& path, const ConstTableView& table,
                        const std::optional<std::string>& words, const SaveOptions& options);

}  // namespace rowmill::io
