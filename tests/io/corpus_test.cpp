// SPDX-License-Identifier: Apache-2.0
#include "rowmill/io/corpus.hpp"

#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <thread>

#include "io/corpus/word_table.hpp"
#include "tests/io/support.hpp"
#include "tests/support/isa_test.hpp"

namespace rowmill::io::test {
namespace {

namespace fs = std::filesystem;
using rowmill::test::with_threads;

constexpr std::string_view kWhiteSpace = " \t\n\v\f\r";

std::vector<std::int32_t> numbers_of(const Corpus& corpus) {
  std::vector<std::int32_t> numbers(static_cast<std::size_t>(corpus.size()));
  EXPECT_EQ(corpus.read(0, numbers), corpus.size());
  return numbers;
}

std::vector<std::string> words_of(const Corpus& corpus) {
  std::vector<std::string> words;
  for (std::int64_t i = 0; i < corpus.words().size(); ++i) words.emplace_back(corpus.words()[i]);
  return words;
}

Corpus corpus_of(const fs::path& file, CorpusOptions options = {}) { return Corpus(std::span(&file, 1), options); }

/// What Corpus promises, by plain loops.
struct Expected {
  Expected(const std::vector<std::string>& files, const CorpusOptions& options) {
    std::vector<std::vector<std::string>> sentences(1);
    for (const std::string& file : files) {
      std::string word;
      const auto end_word = [&] {
        if (!word.empty()) sentences.back().push_back(std::exchange(word, {}));
      };
      for (const char c : file) {
        if (kWhiteSpace.find(c) == std::string_view::npos) {
          word += c;
          continue;
        }
        end_word();
        if (c == '\n') sentences.emplace_back();
      }
      end_word();
      sentences.emplace_back();
    }
    std::map<std::string, std::int64_t> count;
    std::vector<std::string> order;
    for (const auto& sentence : sentences) {
      for (const std::string& word : sentence) {
        if (++count[word] == 1) order.push_back(word);
      }
    }
    std::ranges::stable_sort(order, [&](const auto& a, const auto& b) { return count[a] > count[b]; });
    std::map<std::string, std::int32_t> number;
    for (const std::string& word : order) {
      if (count[word] < options.min_count) break;
      if (options.max_words > 0 && static_cast<std::int64_t>(words.size()) == options.max_words) break;
      number[word] = static_cast<std::int32_t>(words.size());
      words.push_back(word);
      counts.push_back(count[word]);
    }
    for (const auto& sentence : sentences) {
      const std::size_t before = numbers.size();
      for (const std::string& word : sentence) {
        if (number.contains(word)) numbers.push_back(number[word]);
      }
      if (numbers.size() > before) numbers.push_back(kSentenceEnd);
    }
  }

  std::vector<std::string> words;
  std::vector<std::int64_t> counts;
  std::vector<std::int32_t> numbers;
};

/// Words of 1 to 12 of any bytes but white space, some of them frequent; white space of all kinds, also several.
std::string random_text(std::uint64_t seed, std::size_t bytes) {
  std::mt19937_64 random(seed);
  std::vector<std::string> words;
  for (int i = 0; i < 3000; ++i) {
    std::string word;
    for (std::uint64_t left = 1 + random() % 12; left > 0;) {
      const auto c = static_cast<char>(random() % 256);
      if (kWhiteSpace.find(c) != std::string_view::npos) continue;
      word += c;
      --left;
    }
    words.push_back(word);
  }
  std::string text;
  while (text.size() < bytes) {
    text += words[static_cast<std::size_t>(std::min(random() % words.size(), random() % words.size()))];
    for (std::uint64_t left = 1 + random() % 8 / 7; left > 0; --left) text += kWhiteSpace[random() % 6];
  }
  return text;
}

TEST(Corpus, AgreesWithPlainLoopsAtAnyThreadCount) {
  const TemporaryDirectory directory;
  // Blocks end within words, and at the end of a file.
  const std::vector<std::string> texts = {random_text(1, 2500000),
                                          "",
                                          "last",
                                          std::string(1 << 20, ' '),
                                          random_text(2, (1 << 20) - 3) + "\xFF",
                                          "\n\nword\n"};
  std::vector<fs::path> files;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    files.push_back(directory / std::to_string(i));
    write_file(files.back(), texts[i]);
  }
  for (const CorpusOptions& options : {CorpusOptions{.min_count = 1}, CorpusOptions{.min_count = 20},
                                       CorpusOptions{.min_count = 2, .max_words = 100}}) {
    const Expected expected(texts, options);
    std::uint64_t checksum = 0;
    for (const int threads : {1, 2, 7}) {
      with_threads(threads, [&] {
        const Corpus corpus(files, options);
        EXPECT_EQ(words_of(corpus), expected.words);
        EXPECT_TRUE(std::ranges::equal(corpus.counts(), expected.counts));
        EXPECT_TRUE(numbers_of(corpus) == expected.numbers) << threads << " threads";
        const CorpusStatistics& found = corpus.statistics();
        EXPECT_EQ(found.kept_words, std::accumulate(expected.counts.begin(), expected.counts.end(), std::int64_t{0}));
        EXPECT_EQ(found.sentences, std::ranges::count(expected.numbers, kSentenceEnd));
        std::int64_t bytes = 0;
        for (const std::string& text : texts) bytes += static_cast<std::int64_t>(text.size());
        EXPECT_EQ(found.bytes, bytes);
        if (threads == 1) checksum = corpus.checksum();
        EXPECT_EQ(corpus.checksum(), checksum);
      });
    }
  }
}

TEST(Corpus, SortsByCountThenFirstOccurrence) {
  const TemporaryDirectory directory;
  write_file(directory / "t", "z b a b\na c c\rz q");
  const Corpus corpus = corpus_of(directory / "t", {.min_count = 1});
  EXPECT_EQ(words_of(corpus), (std::vector<std::string>{"z", "b", "a", "c", "q"}));
  EXPECT_EQ(numbers_of(corpus), (std::vector<std::int32_t>{0, 1, 2, 1, -1, 2, 3, 3, 0, 4, -1}));
  EXPECT_EQ(corpus.statistics().words, 9);
  const Corpus three = corpus_of(directory / "t", {.min_count = 2, .max_words = 1});
  EXPECT_EQ(words_of(three), (std::vector<std::string>{"z"}));
  EXPECT_EQ(numbers_of(three), (std::vector<std::int32_t>{0, -1, 0, -1}));
  EXPECT_EQ(three.statistics().distinct_words, 5);
}

TEST(Corpus, ReadsGzipAsFiles) {
  const TemporaryDirectory directory;
  const std::string text = random_text(3, 1200000);
  write_file(directory / "t", text);
  const gzFile gzip = ::gzopen((directory / "t.gz").c_str(), "wb1");
  ::gzwrite(gzip, text.data(), static_cast<unsigned>(text.size()));
  ::gzclose(gzip);
  const Corpus plain = corpus_of(directory / "t");
  EXPECT_EQ(corpus_of(directory / "t.gz").checksum(), plain.checksum());

  std::string cut = read_file(directory / "t.gz");
  write_file(directory / "cut.gz", cut.substr(0, cut.size() / 2));
  expect_file_error(ErrorCode::bad_file, directory / "cut.gz", "cut off", [&] { corpus_of(directory / "cut.gz"); });
}

TEST(Corpus, ReadsANamedPipe) {
  const TemporaryDirectory directory;
  const std::string text = random_text(6, 1200000);
  write_file(directory / "t", text);
  ASSERT_EQ(::mkfifo((directory / "pipe").c_str(), 0600), 0);
  std::thread writer([&] { std::ofstream(directory / "pipe", std::ios::binary) << text; });
  const Corpus corpus = corpus_of(directory / "pipe");
  writer.join();
  EXPECT_EQ(corpus.checksum(), corpus_of(directory / "t").checksum());
}

TEST(Corpus, ReadsAnyPart) {
  const TemporaryDirectory directory;
  write_file(directory / "t", "a b a\nb");
  const Corpus corpus = corpus_of(directory / "t", {.min_count = 1});
  std::vector<std::int32_t> two(2);
  EXPECT_EQ(corpus.read(2, two), 2);
  EXPECT_EQ(two, (std::vector<std::int32_t>{0, -1}));
  EXPECT_EQ(corpus.read(5, two), 1);
  EXPECT_EQ(two.front(), -1);
  EXPECT_EQ(corpus.read(6, two), 0);
  EXPECT_EQ(corpus.read(100, two), 0);
}

TEST(Corpus, TheChecksumTellsTextsApart) {
  const TemporaryDirectory directory;
  std::set<std::uint64_t> checksums;
  // Another order, other sentences, another word, other counts.
  for (const char* const text : {"a b c a b c", "a b c b a c", "a b c\na b c", "a b d a b d", "a b c a b c c"}) {
    write_file(directory / "t", text);
    checksums.insert(corpus_of(directory / "t", {.min_count = 1}).checksum());
  }
  EXPECT_EQ(checksums.size(), 5U);
  // White space makes no difference.
  write_file(directory / "t", "\n a\tb  c a b c \n\n");
  EXPECT_TRUE(checksums.contains(corpus_of(directory / "t", {.min_count = 1}).checksum()));
}

TEST(Corpus, KeepsAndCountsStrayBytes) {
  const TemporaryDirectory directory;
  const std::string nul("n\0l", 3);
  write_file(directory / "t", "caf\xC3\xA9 caf\xE9 " + nul + " " + nul + " plain\x01 rare\xFF");
  const Corpus corpus = corpus_of(directory / "t", {.min_count = 1, .max_words = 4});
  EXPECT_EQ(words_of(corpus), (std::vector<std::string>{nul, "caf\xC3\xA9", "caf\xE9", "plain\x01"}));
  EXPECT_EQ(corpus.statistics().stray_words, 3);
  EXPECT_EQ(corpus.statistics().first_stray_word, 0);
  write_file(directory / "t", "a");
  EXPECT_EQ(corpus_of(directory / "t", {.min_count = 1}).statistics().first_stray_word, -1);
}

TEST(Corpus, TakesALineOf100MB) {
  const TemporaryDirectory directory;
  std::string line;
  for (int i = 0; line.size() < 1000000; ++i) line += std::string(100, static_cast<char>('a' + i % 26)) + ' ';
  std::ofstream file(directory / "t", std::ios::binary);
  for (int i = 0; i < 100; ++i) file << line;
  file.close();
  const Corpus corpus = corpus_of(directory / "t");
  EXPECT_EQ(corpus.words().size(), 26);
  EXPECT_EQ(corpus.statistics().sentences, 1);
  EXPECT_EQ(corpus.statistics().words, 100 * static_cast<std::int64_t>(line.size()) / 101);
}

TEST(Corpus, RefusesWordsThatAreTooLong) {
  const TemporaryDirectory directory;
  const fs::path path = directory / "t";
  const std::string longest(static_cast<std::size_t>(Corpus::kMaxWordBytes), 'x');
  // In a block, at its end, over several blocks.
  for (const std::size_t before : {std::size_t{7}, (std::size_t{1} << 20) - 5, (std::size_t{1} << 20) - 65536}) {
    const std::string start(before, ' ');
    write_file(path, start + longest + " y");
    EXPECT_EQ(corpus_of(path, {.min_count = 1}).words()[0], longest);
    for (const std::size_t more : {std::size_t{1}, std::size_t{3000000}}) {
      write_file(path, start + longest + std::string(more, 'x') + " y");
      expect_file_error(ErrorCode::bad_file, path,
                        "at byte " + std::to_string(before) + ": a word of more than 65536 bytes",
                        [&] { corpus_of(path, {.min_count = 1}); });
    }
  }
}

TEST(Corpus, FindsMissingInputsBeforeItReads) {
  const TemporaryDirectory directory;
  write_file(directory / "t", random_text(4, 100000));
  const auto corpus_with = [&](const fs::path& other) {
    const std::vector<fs::path> files = {directory / "t", other};
    return Corpus(files, {.progress = [](const auto&) { ADD_FAILURE() << "something was read"; }});
  };
  expect_file_error(ErrorCode::io_error, directory / "none", "No such file", [&] { corpus_with(directory / "none"); });
  expect_file_error(ErrorCode::io_error, directory.path(), "directory", [&] { corpus_with(directory.path()); });
  if (::geteuid() != 0) {
    write_file(directory / "secret", "a");
    fs::permissions(directory / "secret", fs::perms::none);
    expect_file_error(ErrorCode::io_error, directory / "secret", "denied", [&] { corpus_with(directory / "secret"); });
  }
}

template <class F>
void expect_error(std::string_view what, F f) {
  try {
    f();
    ADD_FAILURE() << "no error; expected one about: " << what;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_NE(std::string_view(error.what()).find(what), std::string_view::npos) << error.what();
  }
}

TEST(Corpus, RefusesWhatIsNoText) {
  const TemporaryDirectory directory;
  const fs::path path = directory / "t";
  const std::string bzip2 = "BZh91AY&SY\x01\x02";
  for (const auto& [start, kind] : std::map<std::string, std::string>{{bzip2, "bzcat"},
                                                                      {std::string("\xFD"
                                                                                   "7zXZ\0",
                                                                                   6),
                                                                       "xzcat"},
                                                                      {"\x28\xB5\x2F\xFDx", "zstdcat"},
                                                                      {"PK\x03\x04", "zip"}}) {
    write_file(path, start);
    expect_file_error(ErrorCode::bad_file, path, kind, [&] { corpus_of(path); });
  }
  for (const char* const text : {"", " \n\t\n"}) {
    write_file(path, text);
    expect_error("there are no words", [&] { corpus_of(path); });
  }
  write_file(path, "a b b b");
  expect_error("no word occurs min_count = 4 times; the most frequent, 'b', occurs 3 times",
               [&] { corpus_of(path, {.min_count = 4}); });
  expect_error("min_count = 0", [&] { corpus_of(path, {.min_count = 0}); });
  expect_error("max_words = -1", [&] { corpus_of(path, {.max_words = -1}); });
  expect_error("at least one input", [&] { Corpus({}); });
  const std::vector<fs::path> twice = {"-", path, "-"};
  expect_error("only once", [&] { Corpus{twice}; });
}

TEST(Corpus, LeavesNoFile) {
  const TemporaryDirectory directory;
  const TemporaryDirectory temporary;
  write_file(directory / "t", "a b c d");
  ASSERT_EQ(::setenv("TMPDIR", temporary.path().c_str(), 1), 0);
  {
    const Corpus corpus = corpus_of(directory / "t", {.min_count = 1});
    EXPECT_EQ(temporary.names().size(), 0U) << "while the corpus is used";
    EXPECT_EQ(numbers_of(corpus).size(), 5U);
  }
  ASSERT_EQ(::setenv("TMPDIR", (directory / "none").c_str(), 1), 0);
  expect_file_error(ErrorCode::io_error, directory / "none/rowmill-corpus-XXXXXX", "TMPDIR",
                    [&] { corpus_of(directory / "t"); });
  ASSERT_EQ(::unsetenv("TMPDIR"), 0);
  EXPECT_EQ(corpus_of(directory / "t", {.min_count = 1, .temporary_directory = temporary.path()}).size(), 5);
}

TEST(Corpus, ProgressMayStopIt) {
  const TemporaryDirectory directory;
  write_file(directory / "t", random_text(5, 3000000));
  struct Enough {};
  for (const int threads : {1, 3}) {
    with_threads(threads, [&] {
      int calls = 0;
      EXPECT_THROW(corpus_of(directory / "t", {.progress =
                                                   [&](const CorpusStatistics& now) {
                                                     EXPECT_GT(now.words, 0);
                                                     if (++calls == 2) throw Enough{};
                                                   }}),
                   Enough);
      EXPECT_EQ(calls, 2);
    });
  }
}

TEST(WordTable, KeepsWordsThatAreMadeToCollide) {
  // More words of one slot than are probed: the rest stand in the tree, also after the table has grown.
  constexpr std::uint32_t kSlots = 1 << 14;
  std::vector<std::string> words;
  for (int i = 0; words.size() < 200; ++i) {
    const std::string word = "w" + std::to_string(i);
    if (hash_of(word) % kSlots == 5) words.push_back(word);
  }
  WordTable table;
  const auto word_of = [&](std::int32_t number) { return std::string_view(words[static_cast<std::size_t>(number)]); };
  const auto check = [&] {
    for (std::size_t i = 0; i < words.size(); ++i) {
      ASSERT_EQ(table.number_of(words[i], hash_of(words[i]), word_of), static_cast<std::int32_t>(i)) << words[i];
    }
    EXPECT_EQ(table.size(), static_cast<std::int32_t>(words.size()));
  };
  check();
  check();
  for (int i = 0; i < 20000; ++i) words.push_back("v" + std::to_string(i));
  check();
  check();
  table.clear();
  EXPECT_EQ(table.size(), 0);
  check();
}

}  // namespace
}  // namespace rowmill::io::test
