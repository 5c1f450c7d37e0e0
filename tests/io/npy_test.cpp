// SPDX-License-Identifier: Apache-2.0
#include "rowmill/io/npy.hpp"

#include <sys/stat.h>

#include <algorithm>

#include "tests/io/support.hpp"

namespace rowmill::io::test {
namespace {

std::string npy(const std::string& dictionary, const std::string& data, int version = 1) {
  std::string file = "\x93NUMPY";
  file += static_cast<char>(version);
  file += '\0';
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  for (std::size_t i = 0; i < length_bytes; ++i) file += static_cast<char>(dictionary.size() >> (8 * i) & 0xFF);
  return file + dictionary + data;
}

std::string bytes_of_rows(const ConstTableView& table, bool big_endian, bool fortran_order) {
  std::string bytes;
  const std::int64_t outer = fortran_order ? table.dim() : table.rows();
  const std::int64_t inner = fortran_order ? table.rows() : table.dim();
  for (std::int64_t i = 0; i < outer; ++i) {
    for (std::int64_t j = 0; j < inner; ++j) {
      const std::int64_t at = (fortran_order ? j : i) * table.row_stride() + (fortran_order ? i : j);
      const auto size = static_cast<std::size_t>(element_size(table.format()));
      std::string value(static_cast<const char*>(table.bytes()) + at * element_size(table.format()), size);
      if (big_endian) std::ranges::reverse(value);
      bytes += value;
    }
  }
  return bytes;
}

TEST(Npy, RoundTripsAreExact) {
  const TemporaryDirectory directory;
  for (const std::int64_t gap : {0, 3}) {
    for (const auto& [rows, dim] : {std::pair<std::int64_t, std::int64_t>{0, 5}, {1, 1}, {7, 3}, {3000, 500}}) {
      const GuardedTable table = awkward_table(rows, dim, gap);
      save_npy(directory / "t.npy", table.view());
      EXPECT_TRUE(same_bits(load_npy(directory / "t.npy"), table.view()));
      EXPECT_EQ(read_npy_info(directory / "t.npy").data_begin % 64, 0);
    }
  }
}

TEST(Npy, TakesEveryOrderOfBytesAndOfValues) {
  const TemporaryDirectory directory;
  for (const auto& [rows, dim] : {std::pair<std::int64_t, std::int64_t>{1, 5}, {7, 3}, {40000, 70}}) {
    const GuardedTable table = awkward_table(rows, dim);
    for (const bool big : {false, true}) {
      for (const bool fortran : {false, true}) {
        for (const int version : {1, 2, 3}) {
          if (rows > 100 && version > 1) continue;
          write_file(directory / "t.npy", npy("{\"shape\":(" + std::to_string(rows) + "L," + std::to_string(dim) +
                                                  ",), 'fortran_order' : " + (fortran ? "True" : "False") +
                                                  ",'descr':'" + (big ? ">" : "<") + "f4'}\n",
                                              bytes_of_rows(table.view(), big, fortran), version));
          EXPECT_TRUE(same_bits(load_npy(directory / "t.npy"), table.view())) << rows << big << fortran << version;
        }
      }
    }
  }
}

TEST(Npy, HoldsEveryFormatThatNumPyHas) {
  const TemporaryDirectory directory;
  for (const auto& [format, dtype] : {std::pair<Format, std::string>{Format::f32, "f4"},
                                      {Format::f16, "f2"},
                                      {Format::f64, "f8"},
                                      {Format::i64, "i8"},
                                      {Format::i32, "i4"},
                                      {Format::i16, "i2"},
                                      {Format::i8, "i1"},
                                      {Format::u8, "u1"}}) {
    const Table table = random_bytes(format, 9, 5);
    const std::string order = element_size(format) == 1 ? "|" : "<";
    save_npy(directory / "t.npy", table);
    EXPECT_NE(read_file(directory / "t.npy").find("{'descr': '" + order + dtype + "', "), std::string::npos);
    EXPECT_EQ(read_npy_info(directory / "t.npy").format, format);
    EXPECT_TRUE(same_bits(load_npy(directory / "t.npy"), table.view()));
    EXPECT_TRUE(same_bits(load_npy(directory / "t.npy", {.format = format}), table.view()));
    for (const bool big : {false, true}) {
      for (const bool fortran : {false, true}) {
        write_file(directory / "o.npy",
                   npy("{'descr': '" + std::string(big ? ">" : "<") + dtype + "', 'shape': (9, 5)" +
                           ", 'fortran_order': " + (fortran ? "True" : "False") + "}\n",
                       bytes_of_rows(table, big, fortran)));
        EXPECT_TRUE(same_bits(load_npy(directory / "o.npy"), table.view())) << dtype << big << fortran;
      }
    }
  }
}

TEST(Npy, EveryTruncationIsRefused) {
  const TemporaryDirectory directory;
  save_npy(directory / "whole", awkward_table(3, 2).view());
  expect_every_truncation_refused(directory / "t", read_file(directory / "whole"),
                                  [&] { (void)load_npy(directory / "t"); });
}

TEST(Npy, HasNoBf16) {
  const TemporaryDirectory directory;
  EXPECT_THROW(save_npy(directory / "b.npy", every_bf16()), Error);
  EXPECT_THROW(save_npy(directory / "b.npy", Table(2, 2, {.format = Format::int8})), Error);
  EXPECT_TRUE(directory.names().empty());
}

TEST(Npy, BadHeadersAreRefused) {
  const TemporaryDirectory directory;
  const std::string data(8, '\0');
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }\n";
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    return npy(text.replace(text.find(from), from.size(), to), data);
  };
  const std::pair<std::string, std::string> cases[] = {
      {"NUMPY" + data, "expected '\\x93NUMPY'"},
      {"PK\x03\x04" + data, "zip file"},
      {npy(good, data, 4), "version 4.0"},
      {npy(good, data + "x"), "the file has 9 bytes for them"},
      {npy(std::string(70000, ' ') + good, data, 2), "at most 65536"},
      {with("<f4", "<c8"), "astype('float32')"},
      {with("<f4", "<u4"), "dtype '<u4'; expected float32"},
      {with("<f4", "|f4"), "dtype '|f4'"},
      {with("<f4", "=f4"), "dtype '=f4'"},
      {with("<f4", "<f8"), "the file has 8 bytes for them"},
      {with("<f4", "|O"), "pickled"},
      {with("<f4", "|V2"), "no dtype for bfloat16"},
      {with("'<f4'", "[('x', '<f4')]"), "array of records"},
      {with("'<f4'", "'<f4"), "expected"},
      {with("(1, 2)", "(2,)"), "1 dimensions"},
      {with("(1, 2)", "()"), "0 dimensions"},
      {with("(1, 2)", "(1, 2, 1)"), "3 dimensions"},
      {with("(1, 2)", "(2, 0)"), "shape (2, 0); a table has two, rows and dim, dim of at least 1"},
      {with("<f4", std::string("a\0\n", 3)), "dtype 'a\\x00\\x0a'; expected float32"},
      {with("(1, 2)", "(-1, 2)"), "whole number"},
      {with("(1, 2)", "(1.0, 2)"), "expected"},
      {with("(1, 2)", "(9223372036854775808, 2)"), "whole number"},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4611686018427387904), }\n", ""),
       "expected the values of a 0 x 4611686018427387904"},
      {with("(1, 2)", "(4611686018427387904, 4)"), "expected the values of a 4611686018427387904 x 4"},
      {with("(1, 2)", "(1, 2"), "expected"},
      {with("False", "0"), "True or False"},
      {with("'shape'", "'descr'"), "stands twice"},
      {with("'shape'", "'sharp'"), "unknown"},
      {with(", 'shape': (1, 2)", ""), "lacks shape"},
      {with("}", ""), "expected"},
      {with("}", "} x"), "nothing but spaces"},
  };
  for (const auto& [bytes, what] : cases) {
    write_file(directory / "h", bytes);
    expect_file_error(ErrorCode::bad_file, directory / "h", what, [&] { (void)load_npy(directory / "h"); });
  }
  save_npy(directory / "t.npy", Table(2, 2));
  EXPECT_THROW((void)load_npy(directory / "t.npy", {.format = Format::bf16}), Error);
}

// Nobody writes into it: to open it must not wait.
TEST(Npy, APipeIsRefused) {
  const TemporaryDirectory directory;
  ASSERT_EQ(::mkfifo((directory / "p.npy").c_str(), 0600), 0);
  expect_file_error(ErrorCode::io_error, directory / "p.npy", "not a regular file",
                    [&] { (void)load_npy(directory / "p.npy"); });
}

TEST(Npy, OptionsOfNoUseAreRefused) {
  const TemporaryDirectory directory;
  save_npy(directory / "t.npy", Table(2, 2));
  const auto message = [&](const TableOptions& options) -> std::string {
    try {
      return load_npy(directory / "t.npy", options).name();
    } catch (const Error& error) {
      return error.what();
    }
  };
  EXPECT_EQ(message({.name = "t", .huge_pages = false}), "t");
  for (const auto& [name, options] :
       std::vector<std::pair<std::string, TableOptions>>{{"initializer", {.initializer = Initializer::constant(1)}},
                                                         {"seed", {.seed = 1}},
                                                         {"stream", {.stream = 1}},
                                                         {"parallel_first_touch", {.parallel_first_touch = false}}}) {
    EXPECT_EQ(message(options),
              "rowmill: load_npy: options." + name + " is given, which is of no use to a table that is read");
  }
}

}  // namespace
}  // namespace rowmill::io::test
