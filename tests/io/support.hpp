// SPDX-License-Identifier: Apache-2.0
// What the tests of rowmill::io share: a directory of their own, whole files as strings, and what an error must say.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/table/uninitialized.hpp"
#include "rowmill/io/file_error.hpp"
#include "rowmill/table.hpp"
#include "tests/support/data.hpp"

namespace rowmill::io::test {

using rowmill::test::GuardedTable;

/// A directory that lives as long as its test.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "rowmill-io-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) names.push_back(entry.path().filename());
    return names;
  }

 private:
  std::filesystem::path path_;
};

inline void write_file(const std::filesystem::path& path, std::string_view bytes) {
  // A file that is truncated goes to the disk when it is closed, on some file systems: milliseconds. A new one does
  // not.
  std::filesystem::remove(path);
  std::ofstream(path, std::ios::binary) << bytes;
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Bit for bit, NaNs too.
inline testing::AssertionResult same_bits(const ConstTableView& actual, const ConstTableView& expected) {
  if (actual.format() != expected.format()) return testing::AssertionFailure() << "formats differ";
  if (actual.rows() != expected.rows() || actual.dim() != expected.dim()) {
    return testing::AssertionFailure() << actual.rows() << " x " << actual.dim() << " instead of " << expected.rows()
                                       << " x " << expected.dim();
  }
  const std::int64_t element = element_size(actual.format());
  const auto row = [&](const ConstTableView& table, std::int64_t r) {
    return std::string_view(static_cast<const char*>(table.bytes()) + r * table.row_stride() * element,
                            static_cast<std::size_t>(row_elements(table.format(), table.dim()) * element));
  };
  for (std::int64_t r = 0; r < actual.rows(); ++r) {
    if (row(actual, r) != row(expected, r)) return testing::AssertionFailure() << "row " << r;
  }
  return testing::AssertionSuccess();
}

/// A table with signed zeros, denormals, infinities, and NaNs of several payloads, quiet and signalling.
inline GuardedTable awkward_table(std::int64_t rows, std::int64_t dim, std::int64_t gap = 0) {
  GuardedTable table(rows, dim, gap, 0);
  table.fill(11, true);
  constexpr std::uint32_t kNans[] = {0x7FC00000, 0xFFC12345, 0x7F800001, 0xFFBFFFFF};
  for (std::int64_t r = 0; r < rows; ++r) {
    table.view().row(r)[static_cast<std::size_t>(r % dim)] = std::bit_cast<float>(kNans[r % 4]);
  }
  return table;
}

/// Every bit pattern that bf16 has, in 256 rows.
inline Table every_bf16() {
  Table table(256, 256, {.format = Format::bf16});
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    table.data<Bf16>()[bits] = Bf16::from_bits(static_cast<std::uint16_t>(bits));
  }
  return table;
}

inline constexpr Format kAllFormats[] = {Format::f32,  Format::bf16,  Format::f16, Format::int8, Format::int4,
                                         Format::int2, Format::low16, Format::f64, Format::i64,  Format::i32,
                                         Format::i16,  Format::i8,    Format::u8};

/// A table of any format, of random bytes.
inline Table random_bytes(Format format, std::int64_t rows, std::int64_t dim) {
  Table table = uninitialized_table(rows, dim, {.format = format});
  std::mt19937 random(static_cast<unsigned>(format) + 1);
  auto* const bytes = static_cast<unsigned char*>(table.bytes());
  const std::int64_t size = rows * row_elements(format, dim) * element_size(format);
  std::generate_n(bytes, size, [&] { return static_cast<unsigned char>(random()); });
  return table;
}

/// Calls f, which must throw a FileError of `code` about `path` whose message contains `what`.
template <class F>
void expect_file_error(ErrorCode code, const std::filesystem::path& path, std::string_view what, F f) {
  try {
    f();
    ADD_FAILURE() << path << ": no error; expected one about: " << what;
  } catch (const FileError& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_EQ(error.path(), path);
    EXPECT_NE(std::string_view(error.what()).find(path.string()), std::string_view::npos) << error.what();
    EXPECT_NE(std::string_view(error.what()).find(what), std::string_view::npos)
        << "got '" << error.what() << "', expected '" << what << "'";
  }
}

/// Every file that `bytes` begins must be refused by `load`, with an error that names it.
template <class Load>
void expect_every_truncation_refused(const std::filesystem::path& path, const std::string& bytes, Load load) {
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    write_file(path, std::string_view(bytes).substr(0, size));
    try {
      load();
      ADD_FAILURE() << "the first " << size << " of " << bytes.size() << " bytes were taken for a whole file";
    } catch (const FileError& error) {
      EXPECT_EQ(error.code(), ErrorCode::bad_file) << error.what();
      EXPECT_EQ(error.path(), path);
    }
  }
}

}  // namespace rowmill::io::test
