// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rowmill/rowmill.hpp>
#include <string>
#include <vector>

namespace sentiment {

/// Saves a table as PREFIX.npy (NumPy's format 1.0: little-endian float32, C order) and its words as PREFIX.words.txt,
/// one a line. Each file gets its name only when it is whole. Throws UserError with the system's reason.
void save_vectors(const std::string& prefix, const rowmill::ConstTableView& table,
                  const std::vector<std::string>& words);

/// The words of PREFIX.words.txt. Throws UserError.
std::vector<std::string> load_words(const std::string& prefix);

/// Fills `table` from PREFIX.npy. Throws UserError, and leaves the table as it was, if the file is missing, damaged, or
/// not a float32 array of the table's shape.
void load_vectors(const std::string& prefix, const rowmill::TableView& table);

}  // namespace sentiment
