// SPDX-License-Identifier: Apache-2.0
#include "rowmill/io/safetensors.hpp"

#include <cstring>
#include <nlohmann/json.hpp>

#include "rowmill/convert.hpp"
#include "tests/io/support.hpp"

namespace rowmill::io::test {
namespace {

std::string with_length(const std::string& header, std::uint64_t length) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header;
}
std::string file_of(const std::string& header, const std::string& data = {}) {
  return with_length(header, header.size()) + data;
}

TEST(Safetensors, RoundTripsAreExact) {
  const TemporaryDirectory directory;
  for (const std::int64_t gap : {0, 3}) {
    for (const auto& [rows, dim] :
         {std::pair<std::int64_t, std::int64_t>{0, 5}, {1, 1}, {7, 3}, {100, 64}, {3000, 500}}) {
      const GuardedTable table = awkward_table(rows, dim, gap);
      SafetensorsContents contents;
      contents.add("t", table.view());
      save_safetensors(directory / "t.safetensors", contents);
      const SafetensorsFile file(directory / "t.safetensors");
      EXPECT_TRUE(same_bits(file.load_table("t"), table.view()));
      GuardedTable strided(rows, dim, 2);
      file.read_table("t", strided.view());
      EXPECT_TRUE(same_bits(strided.view(), table.view()));
      EXPECT_TRUE(strided.guards_intact());
    }
  }
}

TEST(Safetensors, HoldsManyTensorsWordsAndMetadata) {
  const TemporaryDirectory directory;
  const GuardedTable a = awkward_table(5, 3);
  const GuardedTable b = awkward_table(16, 8);
  const std::vector<std::int64_t> steps = {7, -1};
  const std::vector<double> powers = {0.5, 1e-300, -0.0};
  const Vocabulary words(std::vector<std::string>{"king", "", "two words", "\xff\n", "queen"});
  SafetensorsContents contents;
  contents.metadata = {{"format", "pt"}, {"quote", "\"\\\n\x01 \xc3\xa9"}};
  contents.add("a", a.view()).add("b \"quoted\"", b.view()).add("steps", steps).add("powers", powers);
  contents.add_words("a", words);
  save_safetensors(directory / "m", contents, {.sync = false});

  const SafetensorsFile file(directory / "m");
  EXPECT_EQ(file.metadata(), contents.metadata);
  EXPECT_TRUE(same_bits(file.load_table("a"), a.view()));
  EXPECT_TRUE(same_bits(file.load_table("b \"quoted\""), b.view()));
  EXPECT_EQ(file.load<std::int64_t>("steps"), steps);
  EXPECT_EQ(file.load<double>("powers"), powers);
  const Vocabulary loaded = file.load_words("a");
  ASSERT_EQ(loaded.size(), 5);
  for (std::int64_t r = 0; r < 5; ++r) EXPECT_EQ(loaded[r], words[r]);
  EXPECT_TRUE(file.load_words("b \"quoted\"").empty());
  EXPECT_EQ(file.tensors().front().name, "b \"quoted\"") << "the tensor whose size is a multiple of 64 comes first";
  for (const TensorInfo& tensor : file.tensors()) {
    const std::int64_t element = tensor.dtype == "U8" ? 1 : tensor.dtype == "F32" ? 4 : 8;
    EXPECT_EQ(tensor.begin % element, 0) << tensor.name;
  }
  EXPECT_EQ(file.tensors().front().begin % 64, 0);

  expect_file_error(ErrorCode::bad_file, directory / "m", "several tables", [&] { (void)file.only_table(); });
  expect_file_error(ErrorCode::bad_file, directory / "m", "no tensor 'c'", [&] { (void)file.load_table("c"); });
  expect_file_error(ErrorCode::bad_file, directory / "m", "'steps' is I64 [2]; a table is [rows, dim]",
                    [&] { (void)file.load_table("steps"); });
  expect_file_error(ErrorCode::bad_file, directory / "m", "expected I64",
                    [&] { (void)file.load<std::int64_t>("powers"); });
  Table wrong(4, 3);
  EXPECT_THROW(file.read_table("a", wrong), Error);
}

TEST(Safetensors, HoldsEveryFormat) {
  const TemporaryDirectory directory;
  const Table table = every_bf16();
  SafetensorsContents contents;
  contents.add("half", table).add("slice", ConstTableView(table.data<Bf16>() + 3, 256, 17, 256));
  save_safetensors(directory / "b", contents);
  const SafetensorsFile file(directory / "b");
  EXPECT_EQ(file.tensor("half").dtype, "BF16");
  EXPECT_TRUE(same_bits(file.load_table("half"), table.view()));
  EXPECT_TRUE(same_bits(file.load_table("slice"), ConstTableView(table.data<Bf16>() + 3, 256, 17, 256)));
  Table floats(256, 256);
  EXPECT_THROW(file.read_table("half", floats), Error);

  for (const Format format : kAllFormats) {
    for (const auto& [rows, dim] : {std::pair<std::int64_t, std::int64_t>{0, 5}, {1, 1}, {7, 3}, {9, 17}}) {
      const Table all = random_bytes(format, 2 * rows, dim);
      // Every second row: the others lie between them.
      const ConstTableView some(all.bytes(), format, rows, dim, 2 * row_elements(format, dim));
      SafetensorsContents two;
      two.add("all", all).add("some", some);
      save_safetensors(directory / "f", two);
      const SafetensorsFile loaded(directory / "f");
      EXPECT_TRUE(same_bits(loaded.load_table("all"), all.view())) << format_name(format);
      EXPECT_TRUE(same_bits(loaded.load_table("some"), some)) << format_name(format);
      EXPECT_EQ(loaded.is_table(loaded.tensor("all")), format != Format::low16);
      const std::int64_t dtype_bytes = format == Format::f64 || format == Format::i64 ? 8 : element_size(format);
      EXPECT_EQ(loaded.tensor("all").begin % dtype_bytes, 0);
      // What was read can be written again with the same metadata.
      two.metadata = loaded.metadata();
      save_safetensors(directory / "g", two);
      EXPECT_EQ(read_file(directory / "g"), read_file(directory / "f"));
    }
  }
}

TEST(Safetensors, JoinsSplitTables) {
  const TemporaryDirectory directory;
  const Table floats = random_bytes(Format::f32, 6, 5);
  Table upper(6, 5, {.format = Format::bf16});
  Table low(6, 5, {.format = Format::low16});
  split(floats, upper, low);
  Table expected(6, 5);
  join_split(upper, low, expected);
  SafetensorsContents contents;
  contents.add("t", upper).add("t.low", low).add("u", upper);
  contents.add("v", upper).add("v.low", ConstTableView(low.bytes(), Format::low16, 3, 5, 5));
  save_safetensors(directory / "s", contents);
  const SafetensorsFile file(directory / "s");
  EXPECT_TRUE(file.is_split("t") && !file.is_split("u") && !file.is_split("v") && !file.is_split("x"));
  EXPECT_TRUE(same_bits(file.load_joined("t"), expected.view()));
  EXPECT_TRUE(same_bits(file.load_table("t.low"), low.view()));
  expect_file_error(ErrorCode::bad_file, directory / "s", "'u.low' is missing", [&] { (void)file.load_joined("u"); });
  expect_file_error(ErrorCode::bad_file, directory / "s", "'v.low' is U16 [3, 5]; expected",
                    [&] { (void)file.load_joined("v"); });
}

TEST(Safetensors, OnlyTableLeavesIntegersOut) {
  const TemporaryDirectory directory;
  const Table floats(2, 3);
  const Table positions(2, 4, {.format = Format::i64});
  const Table bytes(1, 1, {.format = Format::u8});
  SafetensorsContents contents;
  contents.add("positions", positions).add("floats", floats);
  save_safetensors(directory / "t", contents);
  EXPECT_EQ(SafetensorsFile(directory / "t").only_table().name, "floats");
  SafetensorsContents integers;
  integers.add("positions", positions);
  save_safetensors(directory / "t", integers);
  EXPECT_EQ(SafetensorsFile(directory / "t").only_table().name, "positions");
  integers.add("bytes", bytes);
  save_safetensors(directory / "t", integers);
  expect_file_error(ErrorCode::bad_file, directory / "t", "several tables",
                    [&] { (void)SafetensorsFile(directory / "t").only_table(); });
}

TEST(Safetensors, MetadataThatLieOfAFormatAreRefused) {
  const TemporaryDirectory directory;
  const auto loads = [&](const std::string& metadata, const std::string& tensor, const std::string& what) {
    write_file(directory / "q",
               file_of("{\"__metadata__\":{" + metadata + "},\"t\":{" + tensor + ",\"data_offsets\":[0,24]}}",
                       std::string(24, '\0')));
    const SafetensorsFile file(directory / "q");
    EXPECT_TRUE(file.is_table(file.tensor("t"))) << metadata;
    if (what.empty()) {
      EXPECT_EQ(file.load_table("t").rows(), 2);
      return;
    }
    expect_file_error(ErrorCode::bad_file, directory / "q", what, [&] { (void)file.load_table("t"); });
    expect_file_error(ErrorCode::bad_file, directory / "q", "tensor 't' is ",
                      [&] { (void)file.load_table(file.only_table().name); });
  };
  const std::string bytes = R"("dtype":"U8","shape":[2,12])";
  const std::string int8 = R"("rowmill.format.t":"int8")";
  loads(int8 + R"(,"rowmill.dim.t":"4")", bytes, "");
  loads(R"("rowmill.format.t":"int4","rowmill.dim.t":"15")", bytes, "");
  loads(R"("rowmill.format.t":"int2","rowmill.dim.t":"32")", bytes, "");
  loads(R"("rowmill.format.t":"int4","rowmill.dim.t":"17")", bytes, "expected U8 [rows, 13], rows of int4 with 17");
  loads(int8 + R"(,"rowmill.dim.t":"5")", bytes, "is U8 [2, 12]; expected U8 [rows, 13], rows of int8 with 5 columns");
  loads(int8 + R"(,"rowmill.dim.t":"9223372036854775807")", bytes, "expected U8 [rows, 9223372036854775807]");
  loads(int8, bytes, "'rowmill.dim.t' of __metadata__ is missing");
  for (const char* const dim : {"0", "-4", "4 ", "", "4.0", "9223372036854775808"}) {
    loads(int8 + R"(,"rowmill.dim.t":")" + dim + "\"", bytes, "is '" + std::string(dim) + "'; expected its number");
  }
  loads(R"("rowmill.format.t":"int9","rowmill.dim.t":"4")", bytes, "the format 'int9' by __metadata__; known there");
  loads(R"("rowmill.format.t":"f32","rowmill.dim.t":"12")", bytes, "the format 'f32'");
  loads(R"("rowmill.dim.t":"4")", bytes, "without its format");
  loads(int8 + R"(,"rowmill.dim.t":"4")", R"("dtype":"I8","shape":[2,12])", "is I8 [2, 12]; expected U8 [rows, 12]");
  loads(int8 + R"(,"rowmill.dim.t":"4")", R"("dtype":"F32","shape":[2,3])", "expected U8");
  loads(int8 + R"(,"rowmill.dim.t":"16")", R"("dtype":"U8","shape":[24])", "is U8 [24]; expected U8 [rows, 24]");

  // Nor are they written.
  const Table floats(2, 3);
  const Table codes(2, 4, {.format = Format::int8});
  for (const auto& [key, value] : {std::pair{"rowmill.format.f", "int8"},
                                   {"rowmill.dim.t", "5"},
                                   {"rowmill.format.t", "int4"},
                                   {"rowmill.format.u", "int8"}}) {
    SafetensorsContents contents;
    contents.add("f", floats).add("t", codes);
    contents.metadata = {{key, value}};
    EXPECT_THROW(save_safetensors(directory / "no", contents), Error) << key;
  }
  EXPECT_EQ(directory.names(), std::vector<std::string>{"q"});
}

TEST(Safetensors, TakesWhatOthersWrite) {
  const TemporaryDirectory directory;
  // Another order of keys, spaces, a tensor that is not aligned, an empty one, and a scalar.
  const std::string data(
      "\x01"
      "\x00\x00\x80\x3f\x00\x00\x00\x40"
      "\x07\0\0\0\0\0\0\0",
      17);
  write_file(directory / "o", file_of(R"({ "t":{"shape":[1,2],"data_offsets":[1,9],"dtype":"F32"},
    "u":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]},"e":{"dtype":"F64","shape":[0,9223372036854775807,2],
    "data_offsets":[1,1]},"s":{"dtype":"I64","shape":[],"data_offsets":[9,17]}}   )",
                                      data));
  const SafetensorsFile file(directory / "o");
  const Table table = file.load_table(file.only_table().name);
  EXPECT_EQ(table.data()[0], 1.0F);
  EXPECT_EQ(table.data()[1], 2.0F);
  EXPECT_EQ(file.load<std::int64_t>("s"), std::vector<std::int64_t>{7});
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const TemporaryDirectory directory;
  SafetensorsContents contents;
  const GuardedTable table = awkward_table(3, 2);
  const Vocabulary words(std::vector<std::string>{"a", "b", "c"});
  contents.add("t", table.view()).add_words("t", words);
  save_safetensors(directory / "whole", contents);
  expect_every_truncation_refused(directory / "t", read_file(directory / "whole"),
                                  [&] { const SafetensorsFile file(directory / "t"); });
}

TEST(Safetensors, HostileHeadersAreRefused) {
  const TemporaryDirectory directory;
  const std::string data(8, '\0');
  const std::string good = R"({"dtype":"F32","shape":[1,2],"data_offsets":[0,8]})";
  const std::pair<std::string, std::string> cases[] = {
      {with_length("{}", 1), "no"},  // "{" alone is not JSON
      {with_length("{}", 3), "only 2 follow"},
      {with_length("{}", 100000001), "at most 100000000"},
      {with_length("{}", std::uint64_t{1} << 63), "at most 100000000"},
      {with_length("{}", ~std::uint64_t{0}), "at most 100000000"},
      {file_of(" {}"), "expected '{'"},
      {file_of("[]"), "expected '{'"},
      {file_of("{}x"), "not JSON"},
      {file_of("{\"a\xff\":" + good + "}", data), "not JSON"},
      {file_of("{\"t\":1}"), "'t': expected an object"},
      {file_of("{\"t\":[[[[[[", data), "'t': expected an object"},
      {file_of("{\"t\":" + good + ",\"t\":" + good + "}", data), "the name 't' stands twice"},
      {file_of("{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}"), "the key 'a' twice"},
      {file_of("{\"__metadata__\":{\"a\":1}}"), "expected a string"},
      {file_of("{\"__metadata__\":null}"), "expected an object"},
      {file_of(R"({"t":{"dtype":"F32","dtype":"F32"}})"), "'dtype' stands twice"},
      {file_of(R"({"t":{"dtype":"F33","shape":[],"data_offsets":[0,8]}})", data), "dtype 'F33' is unknown"},
      {file_of(R"({"t":{"dtype":7,"shape":[],"data_offsets":[0,8]}})", data), "expected a string"},
      {file_of(R"({"t":{"dtype":"F32","shape":"x","data_offsets":[0,8]}})", data), "expected an array"},
      {file_of(R"({"t":{"dtype":"F32","shape":[[2]],"data_offsets":[0,8]}})", data), "found an array"},
      {file_of(R"({"t":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})", data), "the number 2.0"},
      {file_of(R"({"t":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", data), "the number -2"},
      {file_of(R"({"t":{"dtype":"F32","shape":[2,true],"data_offsets":[0,8]}})", data), "a truth value"},
      {file_of(R"({"t":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,8]}})", data),
       "9223372036854775808"},
      {file_of(R"({"t":{"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,8]}})", data),
       "18446744073709551616"},
      {file_of(R"({"t":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}})", data), "do not fit"},
      {file_of(R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[0]}})", data), "holds 1 numbers"},
      {file_of(R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}})", data), "holds 3 numbers"},
      {file_of(R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", data), "lie outside"},
      {file_of(R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[0,9]}})", data), "lie outside of the 8 bytes"},
      {file_of(R"({"t":{"dtype":"F64","shape":[2],"data_offsets":[0,8]}})", data), "which take 16 bytes"},
      {file_of(R"({"t":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}})", data), "no number of bytes"},
      {file_of(R"({"t":{"dtype":"F32","shape":[2]}})", data), "has no data_offsets"},
      {file_of(R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}})", data), "unknown key 'x'"},
      {file_of(R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", data), "belong to no tensor"},
      {file_of(R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", data), "no hole"},
      {file_of(R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
                   "u":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
               data),
       "must not overlap"},
      {file_of("{}", data), "belong to no tensor"},
  };
  for (const auto& [bytes, what] : cases) {
    write_file(directory / "h", bytes);
    expect_file_error(ErrorCode::bad_file, directory / "h", what == "no" ? "not JSON" : what,
                      [&] { const SafetensorsFile file(directory / "h"); });
  }
  write_file(directory / "h", file_of("{}"));
  EXPECT_TRUE(SafetensorsFile(directory / "h").tensors().empty());
  write_file(directory / "h", file_of(R"({"t":{"dtype":"F32","shape":[0,4611686018427387904],"data_offsets":[0,0]}})"));
  expect_file_error(ErrorCode::bad_file, directory / "h", "a row of it is larger than 2^63 bytes",
                    [&] { (void)SafetensorsFile(directory / "h").load_table("t"); });
}

TEST(Safetensors, WordsThatDoNotFitAreRefused) {
  const TemporaryDirectory directory;
  const Table table(2, 1);
  const std::string letters = "ab";
  const std::span<const std::uint8_t> bytes(reinterpret_cast<const std::uint8_t*>(letters.data()), 2);
  for (const auto& [begin, what] : std::vector<std::pair<std::vector<std::int64_t>, std::string>>{
           {{0, 2}, "has 2 rows, but 2 beginnings"}, {{0, 3, 2}, "never fall"}, {{0, 1, 3}, "number of bytes, 2"}}) {
    SafetensorsContents contents;
    contents.add("t", table).add("t.words", bytes).add("t.words.begin", begin);
    save_safetensors(directory / "w", contents);
    expect_file_error(ErrorCode::bad_file, directory / "w", what,
                      [&] { (void)SafetensorsFile(directory / "w").load_words("t"); });
  }
}

TEST(Safetensors, BadContentsAreRefused) {
  const Table table(1, 1);
  SafetensorsContents contents;
  contents.add("t", table);
  for (const std::string name : {"t", "", "__metadata__", "\xff"}) EXPECT_THROW(contents.add(name, table), Error);
  EXPECT_THROW(contents.add("null", ConstTableView(nullptr, 1, 1)), Error);
  const TemporaryDirectory directory;
  contents.metadata = {{"key", "\xff"}};
  EXPECT_THROW(save_safetensors(directory / "b", contents), Error);
  EXPECT_TRUE(directory.names().empty());
}

}  // namespace
}  // namespace rowmill::io::test
