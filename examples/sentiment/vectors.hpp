// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rowmill/rowmill.hpp>
#include <string>
#include <vector>

namespace sentiment {

/// Saves a table as PREFIX.npy and its words as PREFIX.words.txt, one a line. Each file gets its name only when both
/// are whole. Throws rowmill::io::FileError with the system's reason.
void save_vectors(const std::string& prefix, const rowmill::ConstTableView& table,
                  const std::vector<std::string>& words);

/// Throws rowmill::io::FileError if save_vectors could not make its files. Whoever trains for an hour wants to know
/// before.
void check_can_save(const std::string& prefix);

/// The words of PREFIX.words.txt. Throws rowmill::io::FileError, and UserError if they are no word list.
std::vector<std::string> load_words(const std::string& prefix);

/// Fills `table` from PREFIX.npy. Throws, and leaves the table as it was: rowmill::io::FileError if the file is
/// missing, damaged or no float32 table, UserError if it has another shape, which says the options that make the table
/// fit.
void load_vectors(const std::string& prefix, const rowmill::TableView& table);

}  // namespace sentiment
