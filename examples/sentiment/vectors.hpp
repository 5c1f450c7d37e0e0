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

/// Throws UserError with the system's reason if save_vectors could not make its files. Whoever trains for an hour wants
/// to know before. Leaves no file behind, and those that are there as they are.
void check_can_save(const std::string& prefix);

/// The words of PREFIX.words.txt. Throws UserError.
std::vector<std::string> load_words(const std::string& prefix);

/// Fills `table` from PREFIX.npy. Throws UserError, and leaves the table as it was, if the file is missing, damaged, or
/// not a float32 array of the table's shape; the error then says which options make the table fit.
void load_vectors(const std::string& prefix, const rowmill::TableView& table);

}  // namespace sentiment
