// SPDX-License-Identifier: Apache-2.0
#include "rowmill/io/word_vectors.hpp"

#include <sys/stat.h>
#include <zlib.h>

#include <cmath>
#include <random>
#include <thread>

#include "io/word_vectors/text.hpp"
#include "io/word_vectors/text_line.hpp"
#include "rowmill/io/npy.hpp"
#include "tests/io/support.hpp"
#include "tests/io/words.hpp"
#include "tests/support/isa_test.hpp"

namespace rowmill::io::test {
namespace {

std::string gzip(const std::string& bytes) {
  z_stream state{};
  EXPECT_EQ(deflateInit2(&state, Z_BEST_SPEED, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(bytes.size() + 1000, '\0');
  std::string copy = bytes;
  state.next_in = reinterpret_cast<Bytef*>(copy.data());
  state.avail_in = static_cast<uInt>(copy.size());
  state.next_out = reinterpret_cast<Bytef*>(packed.data());
  state.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&state, Z_FINISH), Z_STREAM_END);
  packed.erase(packed.size() - state.avail_out);
  deflateEnd(&state);
  return packed;
}

class TextTest : public testing::Test {
 protected:
  WordVectors load(std::string_view text, const LoadTextOptions& options = {}) {
    write_file(path, text);
    return load_text_vectors(path, options);
  }
  void expect_bad(std::string_view text, std::string_view what, const LoadTextOptions& options = {}) {
    expect_file_error(ErrorCode::bad_file, path, what, [&] { (void)load(text, options); });
  }

  TemporaryDirectory directory;
  std::filesystem::path path = directory / "vectors.txt";
};

TEST_F(TextTest, TakesEveryDialect) {
  const Words two = {"the", "of"};
  for (const std::string text : {"2 2\nthe 1 2\nof 3 -4.5e-1\n",         // word2vec, gensim
                                 "the 1 2\nof 3 -0.45\n",                // GloVe
                                 "2 2\nthe 1 2 \nof 3 -0.45 \n",         // fastText, word2vec
                                 "2 2\r\nthe 1 2\r\nof 3 -0.45\r\n"}) {  // by way of Windows
    const WordVectors vectors = load(text);
    EXPECT_EQ(strings(vectors.words), two) << text;
    ASSERT_EQ(vectors.table.rows(), 2);
    ASSERT_EQ(vectors.table.dim(), 2);
    EXPECT_EQ(vectors.table.data()[3], -0.45F);
  }
}

TEST_F(TextTest, KeepsSpacesInWords) {
  const WordVectors vectors = load("a 1 2\n. . . 1 2\nat name@domain.com 1 2\n\xc2\xa0 1 2\n3 1 2\n");
  EXPECT_EQ(strings(vectors.words), (Words{"a", ". . .", "at name@domain.com", "\xc2\xa0", "3"}));
}

TEST_F(TextTest, HeaderCanBeDeclared) {
  EXPECT_EQ(load("7 5\n8 6\n", {.header = HeaderLine::absent}).table.rows(), 2);
  EXPECT_EQ(load("7 5\na 6\n", {.dim = 1}).table.rows(), 2) << "a header would say dim 5";
  expect_bad("a 1\n", "expected a header line", {.header = HeaderLine::present});
  expect_bad("1 2\na 1 2\n", "expected 3", {.dim = 3, .header = HeaderLine::present});
}

TEST_F(TextTest, ReadsNumbersExactly) {
  const WordVectors vectors =
      load("w 1e-45 -1e-60 3.4028235e38 -0 inf -nan 0.1 1e-400 0.00000000000000000000000000000000000000000000001\n");
  const float* v = vectors.table.data();
  EXPECT_EQ(v[0], std::numeric_limits<float>::denorm_min());
  EXPECT_TRUE(v[1] == 0 && std::signbit(v[1]));
  EXPECT_EQ(v[2], std::numeric_limits<float>::max());
  EXPECT_TRUE(v[3] == 0 && std::signbit(v[3]));
  EXPECT_EQ(v[4], std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(v[5]));
  EXPECT_EQ(v[6], 0.1F);
  EXPECT_EQ(v[7], 0.0F);
  EXPECT_EQ(v[8], 0.0F);
  float value = 0;
  // Halfway between two floats but for a last digit: by way of double it would be rounded to the wrong one.
  ASSERT_TRUE(parse_number("1.000000059604644775390626", value));
  EXPECT_EQ(value, 1.0F + 0x1p-23F);
  for (const char* bad : {"1e39", "-1e39", "1e400", "0x1p3", "1,5", "1.", "--1", "", "+1", "1e", "nano", "infinit"}) {
    if (std::string_view(bad) == "1.") continue;  // as strtod takes it
    EXPECT_FALSE(parse_number(bad, value)) << bad;
  }
}

TEST_F(TextTest, RefusesBadLines) {
  expect_bad("", "empty");
  expect_bad("\n", "expected a word and numbers");
  expect_bad("a\n", "expected a word and numbers");
  expect_bad("a b c\n", "expected a word and numbers");
  expect_bad("a 1 2\nb 1\n", "at byte 6: expected a word and 2 numbers; found 1");
  expect_bad("a 1 2\nb\n", "found 0");
  expect_bad("a 1 2\n\nb 1 2\n", "at byte 6: expected a word and 2 numbers");
  expect_bad("a 1 2\nb 1 2 3\n", "more than 2 numbers");
  expect_bad("a 1 2\nb 1 x2\n", "number 2 of 2 is 'x2'");
  expect_bad("a 1 2\nb 1e39 2\n", "number 1 of 2 is '1e39'");
  expect_bad("a 1 2\n 1 2\n", "expected a word");
  expect_bad("a 1 2\nb 1 2", "cut off");
  expect_bad("3 2\na 1 2\nb 1 2\n", "the header says 3 words; the file has 2");
  expect_bad("1 2\na 1 2\nb 1 2\n", "the header says 1 words; the file has 2");
  expect_bad("1 0\na\n", "allowed: 1 ..");
  expect_bad("1 99999999999\na 1\n", "allowed: 1 ..");
  expect_bad("1 16777216\na 1 \n", "expected a word and 16777216 numbers; found 1 numbers");
  expect_bad(std::string_view("\xba\x16\x4f\x2f\x0c\0\0\0", 8), ".vec");
  expect_bad(std::string_view("\x80\x04\x95\0\0", 5), "save_word2vec_format");
  expect_bad("PK\x03\x04", "zip");
  expect_bad(std::string_view("a 1\na \0\n", 8), "number 1 of 1 is '\\x00', which is no number");
  expect_bad("\x93NUMPY\x01", "holds a .npy file, which is not text");
  expect_bad(std::string_view("\x02\0\0\0\0\0\0\0{}", 10), "holds a safetensors file, which is not text");
  EXPECT_THROW((void)load("a 1\n", {.dim = -1}), Error);
}

TEST_F(TextTest, EveryTruncationIsRefused) {
  expect_every_truncation_refused(path, "2 2\nthe 1 2\nof 3 -0.45\n", [&] { (void)load_text_vectors(path); });
}

TEST_F(TextTest, WordsThatAreNotUtf8) {
  const std::string text = "a 1\n\xe9t\xe9 2\n";
  EXPECT_EQ(strings(load(text).words)[1], "\xe9t\xe9");
  EXPECT_EQ(strings(load(text, {.invalid_utf8 = InvalidUtf8::replace}).words)[1], "\xef\xbf\xbdt\xef\xbf\xbd");
  expect_bad(text, "at byte 4: a word that is not UTF-8", {.invalid_utf8 = InvalidUtf8::refuse});
}

TEST_F(TextTest, ReadsGzip) {
  const std::string text = "2 2\nthe 1 2\nof 3 4\n";
  EXPECT_EQ(load(gzip(text)).table.rows(), 2);
  EXPECT_EQ(load(gzip(text.substr(0, 7)) + gzip(text.substr(7))).table.data()[3], 4) << "two members";
  const std::string packed = gzip(text);
  expect_every_truncation_refused(path, packed, [&] { (void)load_text_vectors(path); });
  std::string damaged = packed;
  damaged[damaged.size() - 6] ^= 1;
  expect_bad(damaged, "damaged");
  expect_bad(packed + "junk", "damaged");
}

TEST_F(TextTest, ReadsStandardInput) {
  write_file(path, "a 1 2\nb 3 4\n");
  const int saved = ::dup(STDIN_FILENO);
  ASSERT_NE(std::freopen(path.c_str(), "rb", stdin), nullptr);
  const WordVectors vectors = load_text_vectors("-");
  ::dup2(saved, STDIN_FILENO);
  ::close(saved);
  EXPECT_EQ(vectors.table.data()[3], 4);
}

/// Calls f while a thread writes to the pipe of this name, which f reads to its end.
template <class F>
void with_pipe(const std::filesystem::path& path, const std::string& bytes, F f) {
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  std::thread writer([&] { std::ofstream(path, std::ios::binary) << bytes; });
  f();
  writer.join();
  std::filesystem::remove(path);
}

TEST_F(TextTest, ReadsANamedPipe) {
  const WordVectors vectors = large(2000, 50);
  save_text_vectors(directory / "file", vectors.table, vectors.words, {.save = {.sync = false}});
  const std::string text = read_file(directory / "file");
  for (const std::string& bytes : {text, gzip(text)}) {
    with_pipe(path, bytes, [&] {
      const WordVectors loaded = load_text_vectors(path);
      EXPECT_TRUE(same_bits(loaded.table, vectors.table.view()));
      EXPECT_EQ(strings(loaded.words), strings(vectors.words));
    });
    with_pipe(path, bytes, [&] { EXPECT_TRUE(same_bits(load_vectors(path).table, vectors.table.view())); });
  }
  with_pipe(path, "a 1 2\nb 3 ?\n", [&] {
    expect_file_error(ErrorCode::bad_file, path, "at byte 6: number 2 of 2 is '?'",
                      [&] { (void)load_text_vectors(path); });
  });
}

TEST_F(TextTest, RoundTripsAreExactAtAnyThreadCount) {
  const WordVectors vectors = large(9000, 50);
  std::string first;
  for (const int threads : {1, 2, 7}) {
    rowmill::test::with_threads(threads, [&] {
      for (const bool header : {true, false}) {
        save_text_vectors(path, vectors.table, vectors.words, {.header = header, .save = {.sync = false}});
        const WordVectors loaded = load_text_vectors(path);
        EXPECT_EQ(strings(loaded.words), strings(vectors.words));
        EXPECT_TRUE(same_bits(loaded.table, vectors.table.view()));
      }
      if (first.empty()) first = read_file(path);
      EXPECT_EQ(read_file(path), first);
    });
  }
}

// Blocks of 1 to 40 bytes: they end in every place of a line.
TEST_F(TextTest, BlocksMayEndAnywhere) {
  const std::string text = "3 2\r\nthe 1 -2.5e-1 \r\n. . . 3 4\nx 5 6\n";
  const WordVectors expected = load(text);
  const std::string damaged = text.substr(0, text.size() - 2) + "?\n";
  for (std::size_t first_bytes = 1; first_bytes <= 40; ++first_bytes) {
    write_file(path, text);
    ByteStream stream(path);
    const WordVectors loaded = load_text(stream, {}, first_bytes);
    EXPECT_EQ(strings(loaded.words), strings(expected.words)) << first_bytes;
    EXPECT_TRUE(same_bits(loaded.table, expected.table.view())) << first_bytes;
    write_file(path, damaged);
    expect_file_error(ErrorCode::bad_file, path, "at byte 31: number 2 of 2 is '?'", [&] {
      ByteStream bad(path);
      (void)load_text(bad, {}, first_bytes);
    });
  }
}

TEST_F(TextTest, TheFirstErrorIsReportedAtAnyThreadCount) {
  const WordVectors vectors = large(6000, 50);
  save_text_vectors(path, vectors.table, vectors.words, {.save = {.sync = false}});
  const std::string text = read_file(path);
  // Lines in the middle of the first block, of a later one, and the last line of all.
  std::vector<std::size_t> lines;
  for (const std::size_t near : {text.size() / 50, text.size() / 2, text.size() / 3 * 2}) {
    lines.push_back(text.find('\n', near) + 1);
  }
  lines.push_back(text.rfind('\n', text.size() - 2) + 1);
  for (const int threads : {1, 2, 7}) {
    rowmill::test::with_threads(threads, [&] {
      for (std::size_t first = 0; first < lines.size(); ++first) {
        std::string damaged = text;
        for (std::size_t i = first; i < lines.size(); ++i) damaged[damaged.find(' ', lines[i]) + 1] = '?';
        const std::string where = "at byte " + std::to_string(lines[first]) + ": number 1 of 50 is '?";
        expect_bad(damaged, where);
        if (first % 2 == 0) continue;
        // So it is in a packed file, and in one whose end can't be read any more.
        const std::string packed = gzip(damaged);
        expect_bad(packed, where);
        if (first + 1 < lines.size()) expect_bad(std::string_view(packed).substr(0, packed.size() - 5), where);
      }
      expect_bad(std::string_view(text).substr(0, text.size() - 1),
                 "at byte " + std::to_string(lines.back()) + ": the last line has no end");
      std::string more = text;
      more.insert(lines[1], "another" + text.substr(text.find(' ', lines[1]), lines[2] - lines[1]));
      more.resize(more.rfind('\n') + 1);
      EXPECT_THROW((void)load(more), FileError) << "more lines than the header says";
    });
  }
}

TEST_F(TextTest, LinesLongerThanABlock) {
  const Table table(3, 400000, {.initializer = Initializer::uniform(-1, 1)});
  save_text_vectors(path, table, Vocabulary(Words{"a", "b", "c"}), {.save = {.sync = false}});
  EXPECT_TRUE(same_bits(load_text_vectors(path).table, table.view()));
}

TEST_F(TextTest, WritesGzip) {
  const WordVectors vectors = large(6011, 50);
  const std::filesystem::path packed = directory / "vectors.txt.gz";
  std::string first;
  for (const int threads : {1, 2, 7}) {
    rowmill::test::with_threads(threads, [&] {
      save_text_vectors(packed, vectors.table, vectors.words, {.save = {.sync = false}});
      if (first.empty()) first = read_file(packed);
      EXPECT_EQ(read_file(packed), first);
    });
  }
  save_text_vectors(path, vectors.table, vectors.words, {.save = {.sync = false}});
  EXPECT_LT(first.size(), read_file(path).size() / 3 * 2);
  EXPECT_EQ(std::system(("gzip -dc '" + packed.string() + "' | cmp - '" + path.string() + "'").c_str()), 0);
  EXPECT_TRUE(same_bits(load_text_vectors(packed).table, vectors.table.view()));
  save_text_vectors(packed, Table(0, 3), Vocabulary());
  EXPECT_EQ(load_text_vectors(packed).table.dim(), 3);
}

TEST_F(TextTest, WhatOnlyAHeaderLineMakesReadableIsNotWrittenWithoutOne) {
  const Table empty(0, 3);
  Table numbers(1, 1);
  numbers.data()[0] = 3;
  const Vocabulary five(Words{"5"});  // "5 3" is a header line
  EXPECT_THROW(save_text_vectors(path, empty, Vocabulary(), {.header = false}), Error);
  EXPECT_THROW(save_text_vectors(path, numbers, five, {.header = false}), Error);
  EXPECT_TRUE(directory.names().empty());
  save_text_vectors(path, empty, Vocabulary());
  EXPECT_EQ(load_text_vectors(path).table.dim(), 3);
  save_text_vectors(path, numbers, five);
  EXPECT_EQ(strings(load_text_vectors(path).words), Words{"5"});
  numbers.data()[0] = 0.5F;
  save_text_vectors(path, numbers, five, {.header = false});
  EXPECT_EQ(strings(load_text_vectors(path).words), Words{"5"});
}

TEST_F(TextTest, WordsThatCouldNotBeReadBackAreNotWritten) {
  const Table table(1, 2);
  for (const std::string word : {"", " a", "a ", "a\nb", "a 5", ". nan"}) {
    EXPECT_THROW(save_text_vectors(path, table, Vocabulary(Words{word})), Error) << word;
  }
  EXPECT_THROW(save_text_vectors(path, table, Vocabulary(Words{"a", "b"})), Error);
  EXPECT_TRUE(directory.names().empty());
}

TEST(Word2vecBinary, RoundTripsAreExact) {
  const TemporaryDirectory directory;
  for (const std::int64_t dim : {1, 3, 300}) {
    const GuardedTable table = awkward_table(9000, dim, 1);
    Vocabulary words;
    for (std::int64_t r = 0; r < 9000; ++r) {
      std::string word = std::to_string(r);
      word += static_cast<char>(0xFF);
      words.add(word);
    }
    save_word2vec_binary(directory / "v.bin", table.view(), words);
    const WordVectors loaded = load_word2vec_binary(directory / "v.bin");
    EXPECT_EQ(strings(loaded.words), strings(words));
    EXPECT_TRUE(same_bits(loaded.table, table.view()));
  }
  EXPECT_THROW(save_word2vec_binary(directory / "w", Table(1, 1), Vocabulary(Words{"a b"})), Error);
  EXPECT_THROW(save_word2vec_binary(directory / "w", Table(1, 1), Vocabulary(Words{""})), Error);
}

TEST(Word2vecBinary, WidensBf16) {
  const TemporaryDirectory directory;
  const Table half = every_bf16();
  Table whole(256, 256);
  Vocabulary words;
  for (std::int64_t i = 0; i < 65536; ++i) whole.data()[i] = static_cast<float>(half.data<Bf16>()[i]);
  for (std::int64_t r = 0; r < 256; ++r) words.add(std::to_string(r));
  save_word2vec_binary(directory / "v.bin", half, words);
  EXPECT_TRUE(same_bits(load_word2vec_binary(directory / "v.bin").table, whole.view()));
  save_text_vectors(directory / "v.txt", half, words);
  EXPECT_TRUE(rowmill::test::same(load_text_vectors(directory / "v.txt").table, whole));
}

TEST(WordVectorFiles, RefuseFloat64AndSayWhatToDo) {
  const TemporaryDirectory directory;
  const Table doubles(1, 2, {.name = "words", .format = Format::f64});
  const Vocabulary words(Words{"a"});
  const auto error_of = [&](const auto& save) -> std::string {
    try {
      save();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      return error.what();
    }
    return "";
  };
  const std::string text = error_of([&] { save_text_vectors(directory / "v.txt", doubles, words); });
  const std::string binary = error_of([&] { save_word2vec_binary(directory / "v.bin", doubles, words); });
  const std::string why =
      ": table 'words' (1 x 2) has format f64, and word vectors are saved as floats: make it a table of floats first, "
      "by convert(), or by `rowmill convert --format f32`";
  EXPECT_EQ(text, "rowmill: save_text_vectors" + why);
  EXPECT_EQ(binary, "rowmill: save_word2vec_binary" + why);
  EXPECT_EQ(directory.names(), std::vector<std::string>{});
  EXPECT_NE(error_of([&] {
              save_text_vectors(directory / "v.txt", Table(1, 2, {.format = Format::i32}), words);
            }).find("has format i32; supported: f32, bf16, f16, int8, int4, int2"),
            std::string::npos);
}

TEST(Word2vecBinary, TakesBothKindsAndNothingElse) {
  const TemporaryDirectory directory;
  const std::string one("\0\0\x80\x3f", 4);
  const auto path = directory / "v.bin";
  for (const std::string& text : {"2 1\na " + one + "\nb " + one + "\n", "2 1\na " + one + "b " + one}) {
    write_file(path, text);
    EXPECT_EQ(strings(load_word2vec_binary(path).words), (Words{"a", "b"}));
    write_file(path, gzip(text));
    EXPECT_EQ(load_word2vec_binary(path).table.data()[1], 1.0F);
  }
  expect_every_truncation_refused(path, "2 1\na " + one + "b " + one, [&] { (void)load_word2vec_binary(path); });
  for (const auto& [text, what] : std::vector<std::pair<std::string, std::string>>{
           {"x 1\na " + one, "WORDS DIM"},
           {"1 0\na ", "WORDS DIM"},
           {"1 -1\na ", "WORDS DIM"},
           {"1 1\na " + one + "\nx", "goes on after its 1 vectors"},
           {"9223372036854775807 16777216\na " + one, "ends in the vector of word 0"},
           {"9223372036854775807 1\na " + one, "expected word 1"},
           {"1 1\n " + one, "is empty"},
           {"1 1\n" + std::string(70000, 'x'), "65536"},
           {std::string("\xba\x16\x4f\x2f", 4), ".vec"}}) {
    write_file(path, text);
    expect_file_error(ErrorCode::bad_file, path, what, [&] { (void)load_word2vec_binary(path); });
  }
}

TEST(WordIndex, FindsTheFirstOfTwo) {
  const Vocabulary words(Words{"a", "b", "a", ""});
  const WordIndex index(words);
  EXPECT_EQ(index.find("a"), 0);
  EXPECT_EQ(index.find("b"), 1);
  EXPECT_EQ(index.find(""), 3);
  EXPECT_EQ(index.find("c"), std::nullopt);
  EXPECT_EQ(index.find("A"), std::nullopt);
  EXPECT_EQ(WordIndex(Vocabulary()).find(""), std::nullopt);
}

}  // namespace
}  // namespace rowmill::io::test
