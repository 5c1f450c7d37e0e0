// SPDX-License-Identifier: Apache-2.0
// Files of any kind, which are told by their contents. A part of io_word_vectors_test.
#include "rowmill/io/npy.hpp"
#include "rowmill/io/word_vectors.hpp"
#include "tests/io/support.hpp"
#include "tests/io/words.hpp"

namespace rowmill::io::test {
namespace {

TEST(AnyKind, IsToldByItsContents) {
  const TemporaryDirectory directory;
  const WordVectors vectors = large(100, 4);
  for (const auto& [name, kind] :
       std::vector<std::pair<std::string, FileKind>>{{"v.safetensors", FileKind::safetensors},
                                                     {"v.npy", FileKind::npy},
                                                     {"v.bin", FileKind::word2vec_binary},
                                                     {"v.txt", FileKind::text},
                                                     {"v.vec", FileKind::text},
                                                     {"v.glove", FileKind::text},
                                                     {"v.txt.gz", FileKind::text},
                                                     {"v.vec.gz", FileKind::text},
                                                     {"v.glove.gz", FileKind::text}}) {
    save_vectors(directory / name, vectors.table, vectors.words);
    std::filesystem::rename(directory / name, directory / "unnamed");
    EXPECT_EQ(file_kind(directory / "unnamed"), kind) << name;
    std::filesystem::rename(directory / "unnamed", directory / name);
    const WordVectors loaded = load_vectors(directory / name);
    EXPECT_TRUE(same_bits(loaded.table, vectors.table.view())) << name;
    EXPECT_EQ(strings(loaded.words), strings(vectors.words)) << name;
  }
  save_npy(directory / "alone.npy", vectors.table);
  EXPECT_TRUE(load_vectors(directory / "alone.npy").words.empty());
  for (const char* const name : {"v.xyz", "v.npy.gz", "v.gz"}) {
    EXPECT_THROW(save_vectors(directory / name, vectors.table, vectors.words), Error) << name;
  }
  EXPECT_THROW(save_vectors(directory / "v.txt", vectors.table), Error) << "text needs words";
  save_words(directory / "v.words.txt", Vocabulary(Words{"one"}));
  expect_file_error(ErrorCode::bad_file, directory / "v.words.txt", "1 words for the 100 rows",
                    [&] { (void)load_vectors(directory / "v.npy"); });
}

// The second word of the first line is not ASCII, as the bytes of a binary vector are not.
TEST(AnyKind, TextMayBeginWithSeveralWords) {
  const TemporaryDirectory directory;
  write_file(directory / "t",
             "1 2\nfin de si\xc3\xa8"
             "cle 1 2\n");
  EXPECT_EQ(strings(load_vectors(directory / "t").words), Words{"fin de si\xc3\xa8"
                                                                "cle"});
  write_file(directory / "t", "1 2\nd\xc3\xa9j\xc3\xa0 \xc3\xa9t\xc3\xa9 1 2\n");
  EXPECT_EQ(strings(load_vectors(directory / "t").words), Words{"d\xc3\xa9j\xc3\xa0 \xc3\xa9t\xc3\xa9"});
}

// Editors put one before a text. What would then not come back is not written.
TEST(AnyKind, AByteOrderMarkIsNoPartOfTheText) {
  const TemporaryDirectory directory;
  for (const std::string text : {"2 2\na 1 2\nb 3 4\n", "a 1 2\nb 3 4\n"}) {
    write_file(directory / "t", "\xEF\xBB\xBF" + text);
    const WordVectors loaded = load_vectors(directory / "t");
    EXPECT_EQ(strings(loaded.words), (Words{"a", "b"}));
    EXPECT_EQ(loaded.table.data()[3], 4);
  }
  write_file(directory / "t",
             "\xEF\xBB\xBF"
             "a 1 2\nb 3 x\n");
  expect_file_error(ErrorCode::bad_file, directory / "t", "at byte 9: ", [&] { (void)load_vectors(directory / "t"); });
  write_file(directory / "w",
             "\xEF\xBB\xBF"
             "a\nb\n");
  EXPECT_EQ(strings(load_words(directory / "w")), (Words{"a", "b"}));

  const Table table(1, 2);
  const Vocabulary mark(
      Words{"\xEF\xBB\xBF"
            "a"});
  save_vectors(directory / "m.txt", table, mark);
  EXPECT_EQ(strings(load_vectors(directory / "m.txt").words), strings(mark));
  EXPECT_THROW(save_vectors(directory / "m.glove", table, mark), Error);
  EXPECT_THROW(save_vectors(directory / "m.npy", table, mark), Error);
  EXPECT_THROW(save_words(directory / "m", Vocabulary(Words{"a\r"})), Error);
  save_vectors(directory / "e.txt", Table(0, 2));
  EXPECT_EQ(load_vectors(directory / "e.txt").table.rows(), 0);
}

// Of one name, whatever stood there before: with words, and without.
TEST(AnyKind, ANpyFileHasItsOwnWordsOrNone) {
  const TemporaryDirectory directory;
  const WordVectors old = large(100, 4);
  const Table table(100, 4);
  const auto path = directory / "v.npy";
  save_vectors(path, old.table, old.words);
  save_vectors(path, table);
  EXPECT_TRUE(load_vectors(path).words.empty());
  EXPECT_EQ(directory.names(), std::vector<std::string>{"v.npy"});
  save_vectors(path, old.table, old.words);
  save_npy(path, table);
  EXPECT_TRUE(load_vectors(path).words.empty());
  EXPECT_EQ(directory.names(), std::vector<std::string>{"v.npy"});

  // A link to words goes, and not the words.
  save_words(directory / "list", old.words);
  std::filesystem::create_symlink("list", directory / "v.words.txt");
  EXPECT_EQ(load_vectors(path).words.size(), 100);
  save_vectors(path, table);
  EXPECT_TRUE(load_vectors(path).words.empty());
  EXPECT_EQ(load_words(directory / "list").size(), 100);

  // Nothing is lost by a save that fails.
  save_vectors(path, old.table, old.words);
  EXPECT_THROW(save_vectors(path, Table(1, 1, {.format = Format::bf16})), Error);
  EXPECT_THROW(save_vectors(path, table, Vocabulary(std::vector<std::string>(100, "a\n"))), Error);
  EXPECT_EQ(strings(load_vectors(path).words), strings(old.words));
  EXPECT_TRUE(same_bits(load_vectors(path).table, old.table.view()));
  std::filesystem::create_directory(directory / "d.words.txt");
  expect_file_error(ErrorCode::io_error, directory / "d.words.txt", "Is a directory",
                    [&] { save_npy(directory / "d.npy", table); });
  EXPECT_FALSE(std::filesystem::exists(directory / "d.npy"));

  // Files of other names have words of their own.
  save_npy(directory / "v.other", table);
  EXPECT_EQ(load_vectors(path).words.size(), 100);
  EXPECT_EQ(words_path("a/v.npy"), "a/v.words.txt");
  EXPECT_EQ(words_path("a/v.other"), "a/v.other.words.txt");
  EXPECT_EQ(words_path("a/v"), "a/v.words.txt");
}

}  // namespace
}  // namespace rowmill::io::test
