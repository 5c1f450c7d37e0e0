// SPDX-License-Identifier: Apache-2.0
#include "rowmill/io/mapped_table.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <random>
#include <thread>

#include "rowmill/convert.hpp"
#include "rowmill/io/npy.hpp"
#include "rowmill/io/safetensors.hpp"
#include "rowmill/io/word_vectors.hpp"
#include "rowmill/output.hpp"
#include "tests/io/support.hpp"
#include "tests/support/isa_test.hpp"

namespace {
enum class Residency : std::uint8_t { real, none, all };
std::atomic<Residency> residency = Residency::real;
std::atomic<std::int64_t> pages_asked = 0;
}  // namespace

// These stand before the C library's.
extern "C" int madvise(void* begin, std::size_t size, int advice) noexcept {
  if (advice == MADV_WILLNEED) pages_asked += static_cast<std::int64_t>(size / 4096);
  return static_cast<int>(::syscall(SYS_madvise, begin, size, advice));
}
extern "C" int mincore(void* begin, std::size_t size, unsigned char* pages) noexcept {
  if (residency == Residency::real) return static_cast<int>(::syscall(SYS_mincore, begin, size, pages));
  std::memset(pages, residency == Residency::all ? 1 : 0, (size + 4095) / 4096);
  return 0;
}

namespace rowmill::io::test {
namespace {

const MappedTableOptions kModes[] = {{.read_ahead = true, .guarded = false},
                                     {.read_ahead = false, .guarded = false},
                                     {.read_ahead = true, .guarded = true},
                                     {.read_ahead = false, .guarded = true}};

/// Makes the system forget what it holds of a file.
void drop_from_cache(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY);
  ::fdatasync(fd);
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  ::close(fd);
}

TEST(MappedTable, ReadsAsATableInMemoryDoes) {
  const TemporaryDirectory directory;
  for (const auto& [rows, dim] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {50, 3}, {3000, 300}, {20, 5000}}) {
    const GuardedTable table = awkward_table(rows, dim);
    save_vectors(directory / "t.npy", table.view());
    save_vectors(directory / "t.safetensors", table.view());
    for (const int threads : {1, 2, 7}) {
      rowmill::test::with_threads(threads, [&, rows_ = rows, dim_ = dim] {
        for (const char* const name : {"t.npy", "t.safetensors"}) {
          drop_from_cache(directory / name);
          for (const MappedTableOptions& options : kModes) {
            const MappedTable mapped(directory / name, options);
            ASSERT_TRUE(same_bits(mapped.view(), table.view()));
            for (const auto& [case_name, ids] : rowmill::test::id_cases(rows_, 700, 3)) {
              Table out(static_cast<std::int64_t>(ids.size()), dim_);
              Table expected(out.rows(), dim_);
              gather(mapped, ids, out);
              gather(table.view(), ids, expected);
              EXPECT_TRUE(same_bits(out, expected.view())) << name << case_name;
              const std::vector<std::int32_t> narrow = rowmill::test::narrow(ids);
              const std::vector<std::int64_t> offsets = {0, 0, out.rows()};
              Table pooled(2, dim_);
              Table expected_pooled(2, dim_);
              pool(mapped, Bags(narrow, offsets), pooled, {.pooling = Pooling::mean});
              pool(table.view(), Bags(narrow, offsets), expected_pooled, {.pooling = Pooling::mean});
              EXPECT_TRUE(rowmill::test::same(pooled, expected_pooled)) << name << case_name;
            }
          }
        }
      });
    }
  }
}

// A page is asked for where it is neither asked for nor resident, as far as the last look at it tells.
TEST(MappedTable, AsksForWhatIsMissingOnly) {
  constexpr auto kLook = std::chrono::milliseconds(25);  // longer than from one look at the cache to the next
  const TemporaryDirectory directory;
  const Table table(100, 1024);  // a row a page, and the header before them
  save_npy(directory / "t.npy", table);
  const std::vector<std::int64_t> ids = {0, 5, 99, 5};
  const auto asked = [&](const MappedTable& mapped) {
    Table out(4, 1024);
    pages_asked = 0;
    gather(mapped, ids, out);
    return pages_asked.load();
  };
  residency = Residency::none;
  const MappedTable mapped(directory / "t.npy");
  EXPECT_EQ(asked(mapped), 6) << "three rows of two pages each";
  std::this_thread::sleep_for(kLook);
  EXPECT_EQ(asked(mapped), 6) << "they were dropped";
  residency = Residency::all;
  std::this_thread::sleep_for(kLook);
  EXPECT_EQ(asked(mapped), 0);
  EXPECT_EQ(asked(MappedTable(directory / "t.npy")), 0);
  residency = Residency::none;
  std::this_thread::sleep_for(kLook);
  EXPECT_EQ(asked(mapped), 6);
  EXPECT_EQ(asked(MappedTable(directory / "t.npy", {.read_ahead = false})), 0);
  residency = Residency::real;
}

TEST(MappedTable, KeepsThePoliciesAndTheErrors) {
  const TemporaryDirectory directory;
  const GuardedTable table = awkward_table(40, 6);
  save_npy(directory / "t.npy", table.view());
  const std::vector<std::int64_t> ids = {-1, 3, 40, -40, 39, std::numeric_limits<std::int64_t>::min()};
  for (const MappedTableOptions& options : kModes) {
    const MappedTable mapped(directory / "t.npy", options);
    for (const OutOfRange policy : {OutOfRange::clip, OutOfRange::zero}) {
      Table out(6, 6);
      Table expected(6, 6);
      gather(mapped, ids, out, {.out_of_range = policy});
      gather(table.view(), ids, expected, {.out_of_range = policy});
      EXPECT_TRUE(same_bits(out, expected.view()));
    }
    Table out(6, 6, {.initializer = Initializer::constant(7)});
    for (const OutOfRange policy : {OutOfRange::error, OutOfRange::wrap_negative}) {
      EXPECT_THROW(gather(mapped, ids, out, {.out_of_range = policy}), IdError);
    }
    EXPECT_THROW(gather(mapped, std::vector<std::int64_t>{1, 2}, out), Error) << "six rows of output for two ids";
    EXPECT_EQ(out.data()[0], 7);
    EXPECT_THROW(gather(mapped, Ids(static_cast<const std::int32_t*>(nullptr), 6), out), Error);
  }
}

TEST(MappedTable, HoldsEveryFormatAndWords) {
  const TemporaryDirectory directory;
  const Table half = every_bf16();
  Vocabulary words;
  for (std::int64_t r = 0; r < 256; ++r) words.add(std::to_string(r));
  SafetensorsContents contents;
  const Table nothing(0, 3);
  const Table other(2, 2);
  contents.add("half", half).add_words("half", words).add("empty", nothing).add("other", other);
  save_safetensors(directory / "t", contents);
  const MappedTable mapped(directory / "t", {.tensor = "half"});
  EXPECT_EQ(mapped.format(), Format::bf16);
  EXPECT_TRUE(same_bits(mapped.view(), half.view()));
  EXPECT_EQ(mapped.load_words()[255], "255");
  mapped.populate();

  const MappedTable empty(directory / "t", {.tensor = "empty", .guarded = true});
  EXPECT_EQ(empty.rows(), 0);
  empty.populate();
  Table out(0, 3);
  gather(empty, std::vector<std::int64_t>{}, out);
  Table one(1, 3);
  EXPECT_THROW(gather(empty, std::vector<std::int64_t>{0}, one), IdError);

  const Table floats(3, 2);
  save_vectors(directory / "w.npy", floats, Vocabulary(std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(MappedTable(directory / "w.npy").load_words()[2], "c");
}

TEST(MappedTable, EveryFormatIsReadInPlace) {
  const TemporaryDirectory directory;
  const Table floats(70, 19, {.initializer = Initializer::normal(0, 1), .seed = 4});
  const std::vector<std::int64_t> ids = {69, 0, 3, 3, 41};
  for (const Format format : {Format::f16, Format::f64, Format::int8, Format::int4, Format::int2}) {
    const Format out_format = format == Format::f64 ? Format::f64 : Format::f32;
    Table codes(70, 19, {.format = format});
    convert(floats, codes);
    SafetensorsContents contents;
    contents.add("codes", codes);
    save_safetensors(directory / "q", contents);
    for (const MappedTableOptions& options : kModes) {
      const MappedTable mapped(directory / "q", options);
      EXPECT_EQ(mapped.dim(), 19);
      EXPECT_TRUE(same_bits(mapped.view(), codes.view()));
      Table out(5, 19, {.format = out_format});
      Table expected(5, 19, {.format = out_format});
      gather(mapped, ids, out);
      gather(codes, ids, expected);
      EXPECT_TRUE(same_bits(out, expected.view())) << format_name(format);
      pool(mapped, Bags(ids, 1, 5), TableView(out.bytes(), out_format, 1, 19, 19));
      pool(codes, Bags(ids, 1, 5), TableView(expected.bytes(), out_format, 1, 19, 19));
      EXPECT_TRUE(same_bits(out, expected.view())) << format_name(format);
    }
  }
}

TEST(MappedTable, WhatCannotBeUsedInPlaceIsRefused) {
  const TemporaryDirectory directory;
  const auto refused = [&](const char* name, std::string_view what, const MappedTableOptions& options = {}) {
    expect_file_error(ErrorCode::bad_file, directory / name, what,
                      [&] { const MappedTable mapped(directory / name, options); });
  };
  for (const auto& [name, descr, order, what] :
       {std::tuple{"b.npy", ">f4", "False", "big-endian"}, std::tuple{"f.npy", "<f4", "True", "column by column"}}) {
    const std::string header =
        std::string("{'descr': '") + descr + "', 'fortran_order': " + order + ", 'shape': (2, 2)}\n";
    write_file(directory / name, std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) +
                                     std::string(1, '\0') + header + std::string(16, '\0'));
    refused(name, what);
  }
  std::string header = R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                       R"("t":{"dtype":"F32","shape":[1,1],"data_offsets":[1,5]}})";
  header.append((4 - header.size() % 4) % 4, ' ');
  std::string length(8, '\0');
  length[0] = static_cast<char>(header.size());
  write_file(directory / "m", length + header + std::string(5, '\0'));
  refused("m", "not aligned");
  refused("m", "a table is [rows, dim]", {.tensor = "a"});
  refused("m", "no tensor 'x'", {.tensor = "x"});
  write_file(directory / "text", "a 1 2\n");
  refused("text", "safetensors header");
}

TEST(MappedTable, AFileThatShrinksIsAnError) {
  const TemporaryDirectory directory;
  const auto path = directory / "t.npy";
  const Table table(10000, 16);
  const std::vector<std::int64_t> ids = {1, 9999};
  for (const MappedTableOptions& options : kModes) {
    save_npy(path, table);
    const MappedTable mapped(path, options);
    Table out(2, 16, {.initializer = Initializer::constant(7)});
    save_npy(path, Table(1, 16));
    gather(mapped, ids, out);  // another file took the name: this one is whole
    EXPECT_EQ(out.data()[0], 0);

    save_npy(path, table);
    const MappedTable shrunk(path, options);
    Table untouched(2, 16, {.initializer = Initializer::constant(7)});
    std::filesystem::resize_file(path, 5000);
    expect_file_error(ErrorCode::io_error, path, "at byte 5000: the file has become shorter",
                      [&] { gather(shrunk, ids, untouched); });
    expect_file_error(ErrorCode::io_error, path, "shorter", [&] { pool(shrunk, Bags(ids, 2, 1), untouched, {}); });
    expect_file_error(ErrorCode::io_error, path, "shorter", [&] { shrunk.populate(); });
    EXPECT_EQ(untouched.data()[0], 7);
  }
}

// The words that stand there after a save are those of its rows.
TEST(MappedTable, AFileThatWasReplacedHasNoWords) {
  const TemporaryDirectory directory;
  for (const char* const name : {"t.npy", "t.safetensors"}) {
    const auto path = directory / name;
    save_vectors(path, Table(2, 3), Vocabulary(std::vector<std::string>{"a", "b"}));
    const MappedTable mapped(path);
    EXPECT_EQ(mapped.load_words()[1], "b");
    save_vectors(path, Table(2, 3), Vocabulary(std::vector<std::string>{"c", "d"}));
    expect_file_error(ErrorCode::io_error, path, "was replaced by another file after it was opened",
                      [&] { (void)mapped.load_words(); });
    EXPECT_EQ(MappedTable(path).load_words()[1], "d");
  }
}

// The file shrinks and grows while it is read: unguarded, that would be SIGBUS.
TEST(MappedTable, GuardedSurvivesAFileThatShrinksMeanwhile) {
  const TemporaryDirectory directory;
  const auto path = directory / "t.npy";
  save_npy(path, Table(40000, 64));
  const auto whole = static_cast<std::int64_t>(std::filesystem::file_size(path));
  const MappedTable mapped(path, {.guarded = true});
  std::atomic<bool> stop = false;
  std::jthread shrinker([&] {
    while (!stop) {
      EXPECT_EQ(::truncate(path.c_str(), 4096), 0);
      EXPECT_EQ(::truncate(path.c_str(), whole), 0);
    }
  });
  std::vector<std::int64_t> ids;
  std::mt19937_64 random(5);
  for (int i = 0; i < 3000; ++i) ids.push_back(static_cast<std::int64_t>(random() % 40001) - 1);
  const Bags bags = Bags(ids, 300, 10).with_padding(-1);
  Table out(300, 64);
  int failed = 0;
  for (int i = 0; i < 200; ++i) {
    try {
      pool(mapped, bags, out);
    } catch (const FileError& error) {
      EXPECT_EQ(error.code(), ErrorCode::io_error);
      ++failed;
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
  }
  stop = true;
  EXPECT_GT(failed, 0);
}

}  // namespace
}  // namespace rowmill::io::test
