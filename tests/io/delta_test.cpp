// SPDX-License-Identifier: Apache-2.0
#include "rowmill/io/delta.hpp"

#include <random>

#include "rowmill/io/mapped_table.hpp"
#include "rowmill/io/word_vectors.hpp"
#include "tests/io/support.hpp"

namespace rowmill::io::test {
namespace {

constexpr std::int64_t kRows = 500;
constexpr std::int64_t kDim = 12;

using Paths = std::vector<std::filesystem::path>;

/// A training that saves a base and then deltas.
struct Training {
  explicit Training(const OptimizerOptions& options)
      : table(kRows, kDim, {.initializer = Initializer::normal(0, 1), .seed = 9}), optimizer(options, kRows, kDim) {}

  void step() {
    std::mt19937_64 random(static_cast<std::uint64_t>(++steps));
    std::vector<std::int64_t> ids(20);
    for (std::int64_t& id : ids) id = static_cast<std::int64_t>(random() % kRows);
    const Table gradient(20, kDim, {.initializer = Initializer::normal(0, 1), .seed = random()});
    const Plan plan(Ids(ids), kRows);
    optimizer.step(table, plan, gradient);
    touched.mark(plan);
  }

  ChainLink save_base(const std::filesystem::path& path) {
    CheckpointContents contents;
    contents.add("w", table, &optimizer);
    save_checkpoint(path, contents);
    touched.clear();
    return chain_link(CheckpointFile(path));
  }
  ChainLink save_next(const std::filesystem::path& path, const ChainLink& previous) {
    DeltaContents contents;
    contents.add("w", table, touched, &optimizer);
    touched.clear();
    return save_delta(path, contents, previous);
  }

  Table table;
  Optimizer optimizer;
  TouchedRows touched{kRows};
  int steps = 0;
};

TEST(Delta, AChainRestoresTheSameBits) {
  const TemporaryDirectory directory;
  for (const OptimizerOptions& options :
       {OptimizerOptions(SgdOptions{}), OptimizerOptions(AdamOptions{}), OptimizerOptions(RowWiseAdagradOptions{})}) {
    Training training(options);
    training.step();
    ChainLink link = training.save_base(directory / "0");
    Paths files = {directory / "0"};
    for (int i = 1; i <= 3; ++i) {
      training.step();
      if (i == 2) {
        training.table.data()[7] = 42;  // what no plan knows of
        training.touched.mark(std::vector<std::int64_t>{0});
      }
      files.push_back(directory / std::to_string(i));
      link = training.save_next(files.back(), link);
      EXPECT_EQ(link.number, i);
      EXPECT_LT(std::filesystem::file_size(files.back()), std::filesystem::file_size(files.front()));
      const ChainLink read = chain_link(CheckpointFile(files.back()));
      EXPECT_EQ(read.base, link.base);
      EXPECT_EQ(read.checksum, link.checksum);

      Table table(kRows, kDim);
      Optimizer optimizer(options, kRows, kDim);
      restore_chain(files, "w", table, &optimizer);
      EXPECT_TRUE(same_bits(table, training.table.view()));
      EXPECT_EQ(optimizer.step_count(), training.optimizer.step_count());
      for (std::size_t s = 0; s < optimizer.state().size(); ++s) {
        EXPECT_TRUE(same_bits(optimizer.state()[s], training.optimizer.state()[s]));
      }
    }
  }
}

TEST(Delta, TablesOfEveryFormatAreRestored) {
  const TemporaryDirectory directory;
  for (const Format format : kAllFormats) {
    const Table saved = random_bytes(format, 40, 7);
    CheckpointContents base;
    base.add("w", saved);
    save_checkpoint(directory / "0", base, {.sync = false});
    Table changed = saved.clone();
    TouchedRows touched(40);
    touched.mark(std::vector<std::int64_t>{3, 39});
    const std::int64_t row = row_elements(format, 7) * element_size(format);
    auto* const bytes = static_cast<unsigned char*>(changed.bytes());
    for (const std::int64_t r : {3, 39}) bytes[r * row + row - 1] ^= 1U;
    DeltaContents delta;
    delta.add("w", changed, touched);
    save_delta(directory / "1", delta, chain_link(CheckpointFile(directory / "0")), {.sync = false});

    Table table = random_bytes(format == Format::u8 ? Format::i8 : format, 50, 7);
    const Paths files = {directory / "0", directory / "1"};
    if (format == Format::u8) {
      EXPECT_THROW(restore_chain(files, "w", table), Error) << "another format";
      continue;
    }
    const Table before = table.clone();
    restore_chain(files, "w", table);
    const auto rows = [&](const Table& of, std::int64_t first, std::int64_t count) {
      return ConstTableView(static_cast<const std::byte*>(of.bytes()) + first * row, format, count, 7,
                            row_elements(format, 7));
    };
    EXPECT_TRUE(same_bits(rows(table, 0, 40), changed.view())) << format_name(format);
    EXPECT_TRUE(same_bits(rows(table, 40, 10), rows(before, 40, 10))) << format_name(format);
    EXPECT_TRUE(same_bits(CheckpointFile(directory / "0").load_table("w"), saved.view()));
  }
}

TEST(Delta, AChainThatIsWrongIsRefusedAndNothingChanges) {
  const TemporaryDirectory directory;
  Training training{AdamOptions{}};
  const ChainLink base = training.save_base(directory / "0");
  training.step();
  const ChainLink first = training.save_next(directory / "1", base);
  training.step();
  training.save_next(directory / "2", first);
  training.step();
  const ChainLink other = training.save_base(directory / "other");
  training.step();
  training.save_next(directory / "other1", other);

  Table table(kRows, kDim, {.initializer = Initializer::constant(7)});
  Optimizer optimizer(AdamOptions{}, kRows, kDim);
  const auto refused = [&](const Paths& names, const char* file, std::string_view what) {
    Paths files;
    for (const auto& name : names) files.push_back(directory.path() / name);
    expect_file_error(ErrorCode::bad_file, directory / file, what,
                      [&] { restore_chain(files, "w", table, &optimizer); });
  };
  refused({"0", "2"}, "2", "does not follow");
  refused({"0", "2", "1"}, "2", "does not follow");
  refused({"0", "1", "1"}, "1", "does not follow");
  refused({"0", "other1"}, "other1", "belongs to the chain of");
  refused({"1", "2"}, "1", "expected the base");
  refused({"0", "1", "other"}, "other", "expected a delta");
  EXPECT_EQ(table.data()[0], 7);
  EXPECT_EQ(optimizer.step_count(), 0);

  // Its rows alone are no table.
  const auto path = directory / "1";
  const CheckpointFile delta(path);
  expect_file_error(ErrorCode::bad_file, path, "is a delta", [&] { (void)delta.load_table("w"); });
  expect_file_error(ErrorCode::bad_file, path, "is a delta", [&] { delta.restore("w", table); });
  expect_file_error(ErrorCode::bad_file, path, "is a delta", [&] { (void)load_vectors(path, {.tensor = "w"}); });
  expect_file_error(ErrorCode::bad_file, path, "is a delta", [&] { MappedTable(path, {.tensor = "w"}); });
  DeltaContents contents;
  contents.add("w", table, training.touched);
  EXPECT_THROW(save_delta(directory / "none", contents, ChainLink{}), Error);
  EXPECT_FALSE(std::filesystem::exists(directory / "none"));
}

TEST(Delta, DamageAndWrongRowsAreRefused) {
  const TemporaryDirectory directory;
  Training training{AdamOptions{}};
  const ChainLink base = training.save_base(directory / "0");
  training.step();
  training.save_next(directory / "1", base);
  const Paths files = {directory / "0", directory / "1"};
  Table table(kRows, kDim, {.initializer = Initializer::constant(7)});
  std::string damaged = read_file(files[1]);
  const auto place = static_cast<std::size_t>(SafetensorsFile(files[1]).tensor("w").begin);
  damaged[place] = static_cast<char>(damaged[place] ^ 1);
  write_file(files[1], damaged);
  expect_file_error(ErrorCode::bad_file, files[1], "is damaged", [&] { restore_chain(files, "w", table); });
  EXPECT_EQ(table.data()[0], 7);

  expect_file_error(ErrorCode::bad_file, files[1], "restore_chain",
                    [&] { CheckpointFile(files[1]).restore("w", table); });
  Table small(10, kDim);
  EXPECT_THROW(restore_chain(files, "w", small), Error);
  EXPECT_THROW(restore_chain({}, "w", table), Error);
}

TEST(TouchedRows, CountsEachRowOnce) {
  TouchedRows touched(130);
  touched.mark(std::vector<std::int32_t>{129, 0, 64, 0});
  EXPECT_EQ(touched.touched(), (std::vector<std::int64_t>{0, 64, 129}));
  touched.mark(Plan(std::vector<std::int64_t>{5, 5}, 130));
  EXPECT_EQ(touched.touched(), (std::vector<std::int64_t>{0, 5, 64, 129}));
  EXPECT_THROW(touched.mark(std::vector<std::int64_t>{130}), IdError);
  EXPECT_THROW(touched.mark(Plan(std::vector<std::int64_t>{5}, 131)), Error);
  touched.mark_all();
  EXPECT_EQ(touched.touched().size(), 130U);
  touched.clear();
  EXPECT_TRUE(touched.touched().empty());
  EXPECT_THROW(TouchedRows(-1), Error);
}

}  // namespace
}  // namespace rowmill::io::test
