// SPDX-License-Identifier: Apache-2.0
#include "vectors.hpp"

#include <fmt/format.h>
#include <utf8.h>

#include <algorithm>
#include <rowmill/io/npy.hpp>
#include <rowmill/io/word_vectors.hpp>

#include "lines.hpp"

namespace sentiment {
namespace {

std::string vectors_path(const std::string& prefix) { return prefix + ".npy"; }

}  // namespace

void save_vectors(const std::string& prefix, const rowmill::ConstTableView& table,
                  const std::vector<std::string>& words) {
  rowmill::io::save_vectors(vectors_path(prefix), table, rowmill::io::Vocabulary(words));
}

void check_can_save(const std::string& prefix) {
  rowmill::io::check_can_save(vectors_path(prefix));
  rowmill::io::check_can_save(rowmill::io::words_path(vectors_path(prefix)));
}

std::vector<std::string> load_words(const std::string& prefix) {
  const std::string path = rowmill::io::words_path(vectors_path(prefix));
  const rowmill::io::Vocabulary lines = rowmill::io::load_words(path);
  std::vector<std::string> words;
  for (std::int64_t r = 0; r < lines.size(); ++r) {
    std::string_view word = lines[r];
    if (r == 0 && utf8::starts_with_bom(word.begin(), word.end())) word.remove_prefix(sizeof utf8::bom);
    if (!utf8::is_valid(word.begin(), word.end())) throw UserError(fmt::format("{}:{}: not UTF-8", path, r + 1));
    words.emplace_back(word);
  }
  if (words.size() < 2) {
    throw UserError(fmt::format("{}: {} words; a word list begins with padding and unknown", path, words.size()));
  }
  return words;
}

void load_vectors(const std::string& prefix, const rowmill::TableView& table) {
  const std::string path = vectors_path(prefix);
  const rowmill::Table saved = rowmill::io::load_npy(path);
  if (saved.rows() != table.rows() || saved.dim() != table.dim()) {
    throw UserError(fmt::format("{0}: holds {1} vectors of {2} features, not {3} of {4}: pass --rows {1} --dim {2}",
                                path, saved.rows(), saved.dim(), table.rows(), table.dim()));
  }
  for (std::int64_t r = 0; r < table.rows(); ++r) std::ranges::copy(saved.view().row(r), table.row(r).begin());
}

}  // namespace sentiment
