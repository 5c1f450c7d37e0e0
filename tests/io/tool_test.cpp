// SPDX-License-Identifier: Apache-2.0
// The rowmill tool, as a user runs it.
#include "tests/io/tool.hpp"

#include <signal.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "rowmill/convert.hpp"
#include "rowmill/io/mapped_table.hpp"
#include "rowmill/io/npy.hpp"
#include "rowmill/io/safetensors.hpp"
#include "rowmill/io/word_vectors.hpp"
#include "tests/io/support.hpp"

namespace rowmill::io::test {
namespace {

TEST_F(ToolTest, ConvertsBetweenAllKinds) {
  const GuardedTable table = awkward_table(20, 7);
  Vocabulary words;
  for (std::int64_t r = 0; r < 20; ++r) words.add("word" + std::to_string(r));
  save_vectors(directory / "0.safetensors", table.view(), words);
  const char* const names[] = {"0.safetensors", "1.npy", "2.bin", "3.npy", "4.safetensors"};
  for (int i = 0; i + 1 < 5; ++i) {
    const Result result = run(std::string("convert ") + names[i] + " " + names[i + 1]);
    EXPECT_EQ(result.status, 0) << result.output;
    EXPECT_EQ(result.output, "") << "silent where there is no terminal";
  }
  const WordVectors last = load_vectors(directory / "4.safetensors");
  EXPECT_TRUE(same_bits(last.table, table.view()));
  EXPECT_EQ(last.words[19], "word19");
  EXPECT_EQ(run("convert 0.safetensors t.glove && gzip t.glove && zcat t.glove.gz | '" ROWMILL_TOOL "' convert - 5.npy")
                .status,
            0);
  EXPECT_TRUE(rowmill::test::same(load_npy(directory / "5.npy"), table.view()));
}

TEST_F(ToolTest, ReadsAPipe) {
  write_file(directory / "v.txt", "a 1 2\nb 3 4\n");
  EXPECT_EQ(run("--version && mkfifo pipe && { cat v.txt > pipe & } && '" ROWMILL_TOOL "' convert pipe out.npy").status,
            0);
  EXPECT_EQ(load_npy(directory / "out.npy").data()[3], 4);
}

TEST_F(ToolTest, QuantizesAndTells) {
  save_vectors(directory / "a.safetensors", Table(3, 2, {.initializer = Initializer::constant(1.00390625F)}));
  EXPECT_EQ(run("quantize a.safetensors b.safetensors --format bf16").status, 0);
  const auto info = run_json("info b.safetensors");
  EXPECT_EQ(info["kind"], "safetensors");
  EXPECT_EQ(info["tensors"][0]["dtype"], "BF16");
  EXPECT_EQ(info["tensors"][0]["shape"], (std::vector<int>{3, 2}));
  EXPECT_EQ(load_vectors(directory / "b.safetensors").table.data<Bf16>()[0].bits, 0x3F80) << "a tie goes to even";
  const Result npy = run("convert b.safetensors b.npy");
  EXPECT_EQ(npy.status, 1);
  EXPECT_NE(npy.output.find("safetensors"), std::string::npos) << npy.output;
  EXPECT_EQ(run("convert b.safetensors b.npy --format f32").status, 0);
  EXPECT_EQ(run_json("info b.npy")["rows"], 3);
  EXPECT_NE(run("info b.npy").output.find("rows        3\n"), std::string::npos);
}

TEST_F(ToolTest, QuantisesRows) {
  const Table floats(20, 9, {.initializer = Initializer::normal(0, 1), .seed = 5});
  Vocabulary words;
  for (std::int64_t r = 0; r < 20; ++r) words.add("word" + std::to_string(r));
  save_vectors(directory / "f.safetensors", floats, words);
  for (const Format format : {Format::int8, Format::int4, Format::int2}) {
    const std::string name(format_name(format));
    ASSERT_EQ(run("quantize f.safetensors q.safetensors --format " + name).status, 0);
    Table codes(20, 9, {.format = format});
    convert(floats, codes);
    const WordVectors loaded = load_vectors(directory / "q.safetensors");
    EXPECT_TRUE(same_bits(loaded.table, codes.view()));
    EXPECT_EQ(loaded.words[7], "word7");
    const nlohmann::json info = run_json("info q.safetensors");
    for (const auto& tensor : info["tensors"]) {
      const bool is_table = tensor["name"] == "vectors";
      EXPECT_EQ(tensor.value("format", ""), is_table ? name : "");
      EXPECT_EQ(tensor.value("dim", 0), is_table ? 9 : 0);
    }
    EXPECT_NE(run("info q.safetensors").output.find("(" + name + ", dim 9)"), std::string::npos);
    EXPECT_EQ(run("verify q.safetensors").status, 0);
    // From codes everything is as from the floats that they stand for.
    ASSERT_EQ(run("convert q.safetensors w.npy --format f32").status, 0);
    Table widened(20, 9);
    convert(codes, widened);
    EXPECT_TRUE(same_bits(load_npy(directory / "w.npy"), widened.view()));
    EXPECT_EQ(run("nearest q.safetensors word3 -k 4").output, run("nearest w.npy word3 -k 4").output);
    EXPECT_EQ(run("convert q.safetensors q.bin && '" ROWMILL_TOOL "' convert q.bin b.npy").status, 0);
    EXPECT_TRUE(same_bits(load_npy(directory / "b.npy"), widened.view()));
  }
  // 16 and 64 bits, which .npy has too.
  for (const Format format : {Format::f16, Format::f64}) {
    const std::string name(format_name(format));
    Table other(20, 9, {.format = format});
    convert(floats, other);
    ASSERT_EQ(run("convert f.safetensors o.npy --format " + name).status, 0);
    EXPECT_TRUE(same_bits(load_npy(directory / "o.npy"), other.view()));
    EXPECT_EQ(run_json("info o.npy")["format"], name);
    EXPECT_EQ(run("verify o.npy").status, 0);
    ASSERT_EQ(run("convert o.npy o.safetensors").status, 0);
    EXPECT_EQ(load_vectors(directory / "o.safetensors").words[7], "word7");
    ASSERT_EQ(run("convert o.npy w.npy --format f32").status, 0);
    EXPECT_EQ(run("nearest o.safetensors word3 -k 4").output, run("nearest w.npy word3 -k 4").output);
  }

  // The floats of a split table.
  Table upper(20, 9, {.format = Format::bf16});
  Table low(20, 9, {.format = Format::low16});
  split(floats, upper, low);
  SafetensorsContents halves;
  halves.add("t", upper).add("t.low", low);
  save_safetensors(directory / "s.safetensors", halves);
  EXPECT_NE(run("info s.safetensors").output.find("(split16, dim 9)"), std::string::npos);
  ASSERT_EQ(run("convert s.safetensors j.npy --format f32").status, 0);
  EXPECT_TRUE(same_bits(load_npy(directory / "j.npy"), floats.view()));

  const Result npy = run("quantize f.safetensors q.npy --format int8");
  EXPECT_EQ(npy.status, 1);
  EXPECT_NE(npy.output.find("NumPy has no dtype"), std::string::npos) << npy.output;

  Table broken(3, 4, {.format = Format::int8});
  reinterpret_cast<float*>(static_cast<std::byte*>(broken.bytes()) + 2 * 12 + 4)[0] =
      std::numeric_limits<float>::infinity();
  save_vectors(directory / "n.safetensors", broken);
  EXPECT_NE(run("verify n.safetensors").output.find("the first is row 2"), std::string::npos);
}

TEST_F(ToolTest, FindsTheNearestExactly) {
  write_file(directory / "v.txt",
             "king 1 1 0\nman 1 0 0\nwoman 0 0 1\nqueen 0 1 1\ntwo words 0 1 0\nzero 0 0 0\nnan nan 0 0\n");
  const auto words_of = [&](const std::string& arguments) {
    std::vector<std::string> words;
    const auto answer = run_json("nearest v.txt " + arguments);
    for (const auto& neighbour : answer[0]["nearest"]) words.push_back(neighbour["word"]);
    return words;
  };
  EXPECT_EQ(words_of("king - man + woman -k 1"), std::vector<std::string>{"queen"});
  EXPECT_EQ(words_of("'king - man + woman' -k 1"), std::vector<std::string>{"queen"});
  EXPECT_EQ(words_of("man"), (std::vector<std::string>{"king", "woman", "queen", "two words"})) << "ties by row";
  EXPECT_EQ(words_of("'two words' -k 2"), (std::vector<std::string>{"king", "queen"}));
  write_file(directory / "q", "man\nking\n");
  EXPECT_EQ(run_json("nearest v.txt --queries q")[1]["query"], "king");
  const Result unknown = run("nearest v.txt prince");
  EXPECT_EQ(unknown.status, 1);
  EXPECT_EQ(unknown.output, "rowmill: the word 'prince' is not in the vocabulary\n");
  EXPECT_EQ(run("nearest v.txt king - zero").output, "rowmill: the vector of 'zero' has no direction: it is zero\n");
  EXPECT_EQ(run("nearest v.txt nan").output,
            "rowmill: the vector of 'nan' has no direction: it holds NaN or infinity\n");
  save_vectors(directory / "n.npy", Table(2, 2));
  EXPECT_NE(run("nearest n.npy a").output.find("no words"), std::string::npos);
}

TEST_F(ToolTest, VerifiesFiles) {
  Table table(5, 2);
  save_npy(directory / "good.npy", table);
  EXPECT_EQ(run("verify good.npy").status, 0);
  table.data()[7] = std::numeric_limits<float>::infinity();
  save_npy(directory / "bad.npy", table);
  const Result bad = run("verify bad.npy");
  EXPECT_EQ(bad.status, 1);
  EXPECT_NE(bad.output.find("1 rows hold NaN or infinity, the first is row 3"), std::string::npos) << bad.output;
  write_file(directory / "cut.npy", read_file(directory / "good.npy").substr(0, 150));
  EXPECT_EQ(run("verify cut.npy").status, 1);
}

TEST_F(ToolTest, ErrorsAreOneLineAndTheOldFileStays) {
  write_file(directory / "old.npy", "old");
  const Result missing = run("convert none.txt old.npy");
  EXPECT_EQ(missing.status, 1);
  EXPECT_EQ(missing.output, "rowmill: none.txt: cannot be opened: No such file or directory\n");
  write_file(directory / "v.txt", "a 1 2\nb 1 x\n");
  EXPECT_EQ(run("convert v.txt old.npy").output,
            "rowmill: v.txt: at byte 6: number 2 of 2 is 'x', which is no number that a float can be\n");
  EXPECT_EQ(read_file(directory / "old.npy"), "old");
  EXPECT_NE(run("").status, 0);
  EXPECT_NE(run("info").status, 0);
  EXPECT_EQ(run("--help").status, 0);
  for (const char* const command : {"info", "convert", "quantize", "nearest", "verify", "bench"}) {
    const Result help = run(std::string(command) + " --help");
    EXPECT_EQ(help.status, 0);
    EXPECT_NE(help.output.find("Examples:"), std::string::npos) << command;
  }
  write_file(directory / "good.txt", "a 1 2\n");
  EXPECT_NE(run("info good.txt >/dev/full").output.find("standard output: cannot be written"), std::string::npos);
  EXPECT_NE(run("info good.txt >&-").output.find("standard output: cannot be written"), std::string::npos);
  for (const char* const errors : {"/dev/full", "&-"}) {
    EXPECT_EQ(run(std::string("info nothing.txt 2>") + errors).status, 1) << errors;
  }
  std::filesystem::create_symlink("loop.words.txt", directory / "loop.words.txt");
  save_npy(directory / "table.npy", Table(1, 1));
  std::filesystem::rename(directory / "table.npy", directory / "loop.npy");
  for (const std::string command : {"info loop.words.txt", "nearest loop.npy a"}) {
    EXPECT_EQ(run(command).output, "rowmill: loop.words.txt: cannot be opened: Too many levels of symbolic links\n");
  }
  EXPECT_EQ(run("convert nothing.txt none/o.npy").output,
            "rowmill: none/o.npy: cannot be written: No such file or directory\n");
  EXPECT_EQ(run("bench --rows 1000 --dim 8 --ids 100 --seconds 0.01 --operation adam").status, 0);
}

// Names, and never the bytes that stand for them in the program.
TEST_F(ToolTest, HelpAndErrorsNameTheChoices) {
  for (const char* const command : {"info", "convert", "quantize", "nearest", "train-vectors", "verify", "bench"}) {
    const Result help = run(std::string(command) + " --help");
    EXPECT_TRUE(std::ranges::all_of(help.output, [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); }))
        << command;
  }
  for (const auto& [arguments, choices] : std::vector<std::pair<std::string, std::string>>{
           {"info v.txt --header no", "--header: no not in {absent,automatic,present}"},
           {"info v.txt --header 1", "--header: 1 not in {absent,automatic,present}"},
           {"verify v.txt --invalid-utf8 x", "--invalid-utf8: x not in {keep,refuse,replace}"},
           {"convert v.txt o.npy --format i8", "--format: i8 not in {bf16,f16,f32,f64,int2,int4,int8}"},
           {"quantize v.txt o.npy --format f32", "--format: f32 not in {bf16,f16,int2,int4,int8}"},
           {"train-vectors t -o o.npy --model x", "--model: x not in {cbow,skip-gram}"},
           {"train-vectors t -o o.npy --format x", "--format: x not in {binary,glove,npy,safetensors,text}"}}) {
    const Result result = run(arguments);
    EXPECT_NE(result.status, 0) << arguments;
    EXPECT_NE(result.output.find(choices), std::string::npos) << result.output;
  }
}

TEST_F(ToolTest, WholeNumbersAreDecimal) {
  write_file(directory / "v.txt", "a 1 2 3 4 5 6 7 8 9 10\n");
  EXPECT_EQ(run_json("info v.txt --dim 010")["dim"], 10);
  for (const auto& [arguments, what] : std::vector<std::pair<std::string, std::string>>{
           {"train-vectors v.txt -o o.npy --seed -1", "--seed: '-1' is no whole number of 0 .. 18446744073709551615"},
           {"train-vectors v.txt -o o.npy --seed 18446744073709551616", "--seed: '18446744073709551616' is no whole"},
           {"train-vectors v.txt -o o.npy --dim 0x10", "--dim: '0x10' is no whole"},
           {"info v.txt --dim -1", "--dim: '-1' is no whole number of 0 .. 16777216"},
           {"nearest v.txt a -k 0", "--count: '0' is no whole number of 1 .. 1000000"},
           {"--threads 4097 info v.txt", "--threads: '4097' is no whole number of 0 .. 4096"},
           {"bench --rows 0", "--rows: '0' is no whole number of 1 .. "},
           {"bench --seconds -1", "--seconds"}}) {
    const Result result = run(arguments);
    EXPECT_NE(result.status, 0) << arguments;
    EXPECT_NE(result.output.find(what), std::string::npos) << result.output;
  }
}

// An option that a file or a command has no use for is an error.
TEST_F(ToolTest, NoOptionIsIgnored) {
  const Table table(2, 3);
  const Vocabulary words(std::vector<std::string>{"a", "b"});
  for (const char* const name : {"v.safetensors", "v.npy", "v.bin", "v.txt"}) {
    save_vectors(directory / name, table, words);
  }
  write_file(directory / "q", "a\n");
  struct Case {
    std::string option;
    std::vector<std::string> files;  // that have no use for it
    std::string what;
  };
  for (const auto& [option, files, what] :
       {Case{"--tensor vectors", {"v.npy", "v.bin", "v.txt", "-"}, "--tensor is for safetensors files only"},
        Case{"--dim 3", {"v.safetensors", "v.npy", "v.bin"}, "--dim is for text only"},
        Case{"--header present", {"v.safetensors", "v.npy", "v.bin"}, "--header is for text only"},
        Case{"--invalid-utf8 refuse", {"v.safetensors", "v.npy"}, "--invalid-utf8 is for text and word2vec's"}}) {
    for (const std::string& file : files) {
      for (const std::string command :
           {"info FILE", "verify FILE", "nearest FILE a", "convert FILE o.npy", "quantize FILE o.npy --format f16"}) {
        std::string arguments = command;
        arguments.replace(arguments.find("FILE"), 4, file);
        const Result result = run(arguments + " " + option + " < v.txt");
        EXPECT_NE(result.status, 0) << arguments << " " << option;
        const bool one_table = command[0] != 'i' && command[0] != 'v';  // the others look at all
        EXPECT_NE(result.output.find(option[2] == 't' && !one_table ? "not expected: vectors --tensor" : what),
                  std::string::npos)
            << arguments << ": " << result.output;
      }
    }
  }
  for (const auto& [arguments, what] : std::vector<std::pair<std::string, std::string>>{
           {"info v.safetensors --tensor vectors", "not expected: vectors --tensor"},
           {"nearest v.txt b --queries q", "WORD excludes --queries"},
           {"train-vectors q -o o.npy --checkpoint-seconds 5", "--checkpoint-seconds requires --checkpoint"},
           {"bench --operation gather --bag 5", "--bag: is an option of --operation pool"},
           {"bench --operation pool --rows 9 --ids 7", "--ids is 7; it must be a multiple of --bag, 20"}}) {
    const Result result = run(arguments);
    EXPECT_NE(result.status, 0) << arguments;
    EXPECT_NE(result.output.find(what), std::string::npos) << result.output;
  }
  EXPECT_FALSE(std::filesystem::exists(directory / "o.npy"));
  // The library says the same of its own.
  LoadVectorsOptions options{.tensor = "vectors"};
  EXPECT_EQ(load_vectors(directory / "v.safetensors", options).words.size(), 2);
  EXPECT_THROW((void)load_vectors(directory / "v.npy", options), Error);
  EXPECT_THROW(MappedTable(directory / "v.npy", {.tensor = "vectors"}), Error);
}

// Numbers lose nothing on their way into a format that has no room for what they were made.
TEST_F(ToolTest, FormatsThatTheOutputLacksAreRefused) {
  write_file(directory / "v.txt", "king 1 2\nman 3 4\n");
  for (const std::string output : {"o.bin", "o.txt", "o.vec.gz", "o.glove"}) {
    for (const std::string format : {"int8", "int4", "int2", "bf16", "f16"}) {
      for (const std::string command : {"quantize", "convert"}) {
        const Result result = run(command + " v.txt " + output + " --format " + format);
        EXPECT_EQ(result.status, 1) << output << format;
        EXPECT_EQ(result.output, "rowmill: " + output + ": word vectors hold float32 only; --format " + format +
                                     " needs a name that ends in .safetensors" +
                                     (format == "f16" ? " or .npy\n" : "\n"));
      }
    }
    EXPECT_EQ(run("convert v.txt " + output + " --format f32").status, 0);
  }
  EXPECT_EQ(run("convert v.txt o2.txt --format f64").status, 1);
  EXPECT_EQ(run("convert v.txt o.npy --format bf16").status, 1);
  EXPECT_FALSE(std::filesystem::exists(directory / "o.npy"));
  const Result own = run("convert o.txt o.words.txt && \"$rowmill\" convert o.words.txt o.npy");
  EXPECT_EQ(own.status, 1);
  EXPECT_EQ(own.output, "rowmill: o.words.txt: is the input; the words of o.npy would take its place\n");
  EXPECT_EQ(run("train-vectors o.words.txt -o o.npy").output,
            "rowmill: o.words.txt: is an input, and is not written over\n");
}

// What can't be mapped is loaded.
TEST_F(ToolTest, FindsTheNearestInEveryTableThatCanBeRead) {
  const Table table(9, 3, {.initializer = Initializer::normal(0, 1), .seed = 4});
  Vocabulary words;
  for (int r = 0; r < 9; ++r) words.add("w" + std::to_string(r));
  save_vectors(directory / "v.npy", table, words);
  const std::string expected = run("nearest v.npy w3").output;
  ASSERT_EQ(std::ranges::count(expected, '\n'), 8) << expected;

  save_words(directory / "big.words.txt", words);
  std::string bytes = read_file(directory / "v.npy");
  bytes.replace(bytes.find("<f4"), 3, ">f4");
  for (std::size_t i = bytes.size() - 9 * 3 * 4; i < bytes.size(); i += 4) {
    std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(i), bytes.begin() + static_cast<std::ptrdiff_t>(i) + 4);
  }
  write_file(directory / "big.npy", bytes);
  EXPECT_EQ(run("nearest big.npy w3").output, expected);

  // A safetensors file of others: the table begins at an odd byte.
  save_vectors(directory / "v.safetensors", table, words);
  bytes = read_file(directory / "v.safetensors");
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  bytes.insert(8 + length, 1, ' ');
  ++length;
  std::memcpy(bytes.data(), &length, sizeof length);
  write_file(directory / "odd.safetensors", bytes);
  EXPECT_THROW(MappedTable(directory / "odd.safetensors"), FileError);
  EXPECT_EQ(run("nearest odd.safetensors w3").output, expected);

  // Of a split table the floats.
  Table upper(9, 3, {.format = Format::bf16});
  Table low(9, 3, {.format = Format::low16});
  split(table, upper, low);
  SafetensorsContents halves;
  halves.add("t", upper).add("t.low", low).add_words("t", words);
  save_safetensors(directory / "split.safetensors", halves);
  EXPECT_EQ(run("nearest split.safetensors w3").output, expected);
  EXPECT_EQ(run("convert split.safetensors s.npy && \"$rowmill\" nearest s.npy w3").output, expected);

  write_file(directory / "cut.npy", bytes.substr(0, 100));
  EXPECT_EQ(run("nearest cut.npy w3").status, 1);
  write_file(directory / "q", "w1\n\nw99\n");
  EXPECT_EQ(run("nearest v.npy --queries q").output, "rowmill: q: line 3: the word 'w99' is not in the vocabulary\n");
}

TEST_F(ToolTest, VerifySaysWhatIsDamaged) {
  const Table table(3, 2);
  save_vectors(directory / "v.safetensors", table, Vocabulary(std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(run_json("verify v.safetensors")["tables"][0]["words"], 3);
  const std::string good = read_file(directory / "v.safetensors");
  std::string bytes = good;
  // Where words begin: 0, 1, 2, 3 becomes 0, 5, 2, 3.
  const char begin[] = "\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2";
  bytes[bytes.find(std::string_view(begin, sizeof begin - 1)) + 8] = 5;
  write_file(directory / "words.safetensors", bytes);
  const std::string damaged =
      "the words of table 'vectors' are damaged: their beginnings must start with 0, never fall";
  for (const char* const command : {"verify words.safetensors", "convert words.safetensors o.npy"}) {
    const Result result = run(command);
    EXPECT_EQ(result.status, 1);
    EXPECT_TRUE(result.output.starts_with("rowmill: words.safetensors: at byte ")) << result.output;
    EXPECT_NE(result.output.find(damaged), std::string::npos) << result.output;
  }
  // A beginning that says nothing: the name says what was expected.
  bytes = good;
  bytes[7] = '\x7F';
  write_file(directory / "length.safetensors", bytes);
  EXPECT_NE(run("verify length.safetensors").output.find("a safetensors header of "), std::string::npos);
  write_file(directory / "no.npy", "NUMPY no more");
  EXPECT_NE(run("verify no.npy").output.find("the beginning of a .npy file"), std::string::npos);
  save_npy(directory / "t.npy", table);
  const Result npy =
      run("convert v.safetensors h.safetensors --format bf16 && \"$rowmill\" convert h.safetensors o.npy");
  EXPECT_EQ(npy.output, "rowmill: save_npy: NumPy has no dtype for a table of format bf16: save it as safetensors\n");
}

// Each command that writes, each kind of file, and each signal: it comes as soon as the temporary file is there. Where
// the file is whole before, on a busy machine, it is tried again.
TEST_F(ToolTest, AnInterruptLeavesNothing) {
  Vocabulary words;
  for (std::int64_t r = 0; r < 250000; ++r) words.add(std::to_string(r));
  save_vectors(directory / "in.safetensors", Table(250000, 64), words, {.sync = false});
  for (const auto& [command, out, signal, status] : std::vector<std::tuple<std::string, std::string, std::string, int>>{
           {"convert in.safetensors out.npy", "out.npy", "TERM", SIGTERM},
           {"convert in.safetensors out.safetensors", "out.safetensors", "INT", SIGINT},
           {"convert in.safetensors out.bin", "out.bin", "INT", SIGINT},
           {"convert in.safetensors out.txt", "out.txt", "TERM", SIGTERM},
           {"quantize in.safetensors out.safetensors --format bf16", "out.safetensors", "HUP", SIGHUP}}) {
    bool stopped = false;
    for (int attempt = 0; attempt < 20 && !stopped; ++attempt) {
      write_file(directory / out, "old");
      // A shell without job control starts its children with SIGINT ignored; env takes that back.
      const Result result = run_shell("env --default-signal=INT '" ROWMILL_TOOL "' " + command + " & pid=$!; " +
                                      "until set -- ." + out + ".rowmill-* && [ -e \"$1\" ]; do " +
                                      "kill -0 $pid 2>/dev/null || break; done; kill -" + signal + " $pid; wait $pid");
      stopped = read_file(directory / out) == "old";
      EXPECT_TRUE(!stopped || result.status == 128 + status) << command << ": " << result.output;
      std::filesystem::remove(directory / "out.words.txt");
      EXPECT_EQ(directory.names().size(), 2U) << command;
    }
    EXPECT_TRUE(stopped) << command;
    std::filesystem::remove(directory / out);
  }
}

// What a reader of the output does not want is nothing to report.
TEST_F(ToolTest, AReaderThatLeavesEndsItQuietly) {
  std::string lines;
  for (int i = 0; i < 20000; ++i) lines += "word\n";
  write_file(directory / "v.txt", "word 1 2\nother 3 4\n");
  write_file(directory / "queries", lines);
  const Result result =
      run_shell("bash -c 'set -o pipefail; \"" ROWMILL_TOOL "\" nearest v.txt --queries queries | head -n 1'");
  EXPECT_EQ(result.status, 128 + SIGPIPE);
  EXPECT_EQ(std::ranges::count(result.output, '\n'), 1) << result.output;
}

}  // namespace
}  // namespace rowmill::io::test
