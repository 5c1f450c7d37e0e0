// SPDX-License-Identifier: Apache-2.0
#include "vectors.hpp"

#include <fmt/format.h>

#include <bit>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

#include "lines.hpp"

namespace sentiment {
namespace {

static_assert(std::endian::native == std::endian::little, "the files are little-endian");

constexpr const char* kVectors = ".npy";
constexpr const char* kWords = ".words.txt";
constexpr std::string_view kMagic{"\x93NUMPY\x01\x00", 8};

/// The 128 bytes that every .npy file of this shape begins with: magic, header length, a Python dictionary, padding.
std::string npy_header(std::int64_t rows, std::int64_t dim) {
  constexpr std::size_t kHeader = 128;
  std::string text = fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows, dim);
  const std::size_t length = kHeader - kMagic.size() - 2;
  text.resize(length - 1, ' ');
  const char size[2] = {static_cast<char>(length & 0xFF), static_cast<char>(length >> 8)};
  return std::string(kMagic) + std::string(size, 2) + text + '\n';
}

/// A file under another name, PATH.part, until `replace` makes it PATH; removed if it does not come to that.
class NewFile {
 public:
  NewFile(std::string path, const std::function<void(std::ostream&)>& write)
      : path_(std::move(path)), part_(path_ + ".part") {
    std::error_code ignored;  // what else is wrong with the path, opening the file tells
    errno = EISDIR;
    if (std::filesystem::is_directory(path_, ignored)) fail();
    errno = 0;
    std::ofstream file(part_, std::ios::binary);
    if (file) write(file);
    file.close();
    if (!file) fail();
  }
  ~NewFile() { std::remove(part_.c_str()); }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void replace() {
    if (std::rename(part_.c_str(), path_.c_str()) != 0) fail();
  }

 private:
  [[noreturn]] void fail() {
    const std::string reason = std::strerror(errno);
    std::remove(part_.c_str());
    throw UserError(fmt::format("{}: cannot be written: {}", path_, reason));
  }

  std::string path_;
  std::string part_;
};

}  // namespace

void save_vectors(const std::string& prefix, const rowmill::ConstTableView& table,
                  const std::vector<std::string>& words) {
  // Both are written before either replaces an older one: vectors never stand beside the words of others.
  NewFile vectors(prefix + kVectors, [&](std::ostream& file) {
    file << npy_header(table.rows(), table.dim());
    for (std::int64_t r = 0; r < table.rows(); ++r) {
      const auto bytes = std::as_bytes(table.row(r));
      file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    }
  });
  NewFile word_list(prefix + kWords, [&](std::ostream& file) {
    for (const std::string& word : words) file << word << '\n';
  });
  vectors.replace();
  word_list.replace();
}

void check_can_save(const std::string& prefix) {
  for (const char* ending : {kVectors, kWords}) NewFile(prefix + ending, [](std::ostream&) {});
}

std::vector<std::string> load_words(const std::string& prefix) {
  const std::string path = prefix + kWords;
  std::vector<std::string> words;
  for_each_line(path, [&](const std::string& line, std::int64_t) { words.push_back(line); });
  if (words.size() < 2) {
    throw UserError(fmt::format("{}: {} words; a word list begins with padding and unknown", path, words.size()));
  }
  return words;
}

void load_vectors(const std::string& prefix, const rowmill::TableView& table) {
  const std::string path = prefix + kVectors;
  std::ifstream file(path, std::ios::binary);
  if (!file) throw UserError(fmt::format("{}: cannot be read: {}", path, std::strerror(errno)));
  const std::string expected = npy_header(table.rows(), table.dim());
  std::string header(expected.size(), '\0');
  file.read(header.data(), static_cast<std::streamsize>(header.size()));
  if (!file || header.substr(0, kMagic.size()) != kMagic) {
    throw UserError(fmt::format("{}: not a .npy file of version 1.0", path));
  }
  if (header != expected) {
    const std::string found = header.substr(kMagic.size() + 2, header.find('}') - kMagic.size() - 1);
    std::int64_t rows = 0;
    std::int64_t dim = 0;
    if (std::sscanf(found.c_str(), "{'descr': '<f4', 'fortran_order': False, 'shape': (%" SCNd64 ", %" SCNd64 ")",
                    &rows, &dim) != 2) {
      throw UserError(fmt::format("{}: holds {} instead of a table of float32 ('<f4') in C order", path, found));
    }
    throw UserError(fmt::format("{}: holds {} vectors of {} features, not {} of {}: pass --rows {} --dim {}", path,
                                rows, dim, table.rows(), table.dim(), rows, dim));
  }
  std::vector<float> values(static_cast<std::size_t>(table.rows() * table.dim()));
  const auto bytes = static_cast<std::streamsize>(values.size() * sizeof(float));
  file.read(reinterpret_cast<char*>(values.data()), bytes);
  if (!file || file.peek() != std::ifstream::traits_type::eof()) {
    throw UserError(fmt::format("{}: its size is wrong: {} bytes of values expected", path, bytes));
  }
  for (std::int64_t r = 0; r < table.rows(); ++r) {
    std::copy_n(values.data() + r * table.dim(), table.dim(), table.row(r).data());
  }
}

}  // namespace sentiment
