// SPDX-License-Identifier: Apache-2.0
#include "rowmill/io/checkpoint.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <span>
#include <thread>

#include "rowmill/io/delta.hpp"
#include "tests/io/support.hpp"

namespace rowmill::io::test {
namespace {

constexpr std::int64_t kRows = 300;
constexpr std::int64_t kDim = 24;

/// Steps first .. last-1 of a training, each with ids and gradients of its own.
void train(Table& table, Optimizer& optimizer, std::uint64_t first, std::uint64_t last) {
  for (std::uint64_t step = first; step < last; ++step) {
    std::mt19937_64 random(step);
    std::vector<std::int64_t> ids(200);
    for (std::int64_t& id : ids) id = static_cast<std::int64_t>(random() % kRows);
    const Table gradient(200, kDim, {.initializer = Initializer::normal(0, 1), .seed = step});
    optimizer.step(table, Plan(Ids(ids), kRows), gradient);
  }
}

Table initial(std::int64_t rows = kRows) {
  return Table(rows, kDim, {.initializer = Initializer::normal(0, 1), .seed = 9});
}

TEST(Checkpoint, ALargerTableIsFilledAtItsBeginning) {
  const TemporaryDirectory directory;
  Table table = initial();
  Optimizer optimizer(AdamOptions{}, kRows, kDim);
  train(table, optimizer, 0, 3);
  CheckpointContents contents;
  contents.add("words", table, &optimizer);
  save_checkpoint(directory / "c", contents);
  Table larger(kRows + 7, kDim, {.initializer = Initializer::constant(5)});
  Optimizer larger_optimizer(AdamOptions{}, kRows + 7, kDim);
  CheckpointFile(directory / "c").restore("words", larger, &larger_optimizer);
  EXPECT_TRUE(same_bits(ConstTableView(larger.data(), kRows, kDim), table.view()));
  EXPECT_EQ(larger.data()[kRows * kDim], 5);
  EXPECT_EQ(larger_optimizer.state()[0].row(kRows)[0], 0);
}

TEST(Checkpoint, HoldsSeveralTablesWordsValuesAndMetadata) {
  const TemporaryDirectory directory;
  const Table table = initial(3);
  const Table half = every_bf16();
  const std::vector<std::int64_t> generator = {1, -2, 3};
  const std::vector<double> place = {0.25};
  const Vocabulary words(std::vector<std::string>{"x", "y", "z"});
  CheckpointContents contents;
  contents.metadata = {{"epoch", "7"}};
  contents.add("a", table).add("half", half).add_words("a", words);
  contents.add_values("generator", generator).add_values("place", place);
  const std::string checksum = save_checkpoint(directory / "c", contents);
  const CheckpointFile file(directory / "c");
  EXPECT_EQ(file.checksum(), checksum);
  file.verify();
  EXPECT_TRUE(same_bits(file.load_table("half"), half.view()));
  EXPECT_EQ(file.file().load_words("a")[2], "z");
  EXPECT_EQ(file.values<std::int64_t>("generator"), generator);
  EXPECT_EQ(file.values<double>("place"), place);
  EXPECT_EQ(file.file().metadata().at("epoch"), "7");
  contents.metadata = {{"rowmill.epoch", "7"}};
  EXPECT_THROW(save_checkpoint(directory / "d", contents), Error);
}

TEST(Checkpoint, EveryChangedByteIsNoticed) {
  const TemporaryDirectory directory;
  Table table(3, 2, {.initializer = Initializer::constant(1)});
  const Optimizer optimizer(AdamOptions{}, 3, 2);
  CheckpointContents contents;
  contents.add("w", table, &optimizer);
  save_checkpoint(directory / "whole", contents);
  const std::string whole = read_file(directory / "whole");
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 4);
    write_file(directory / "c", damaged);
    try {
      CheckpointFile(directory / "c").verify();
      ADD_FAILURE() << "byte " << i << " was changed, and nobody noticed";
    } catch (const FileError& error) {
      EXPECT_EQ(error.code(), ErrorCode::bad_file) << error.what();
    }
  }
  expect_every_truncation_refused(directory / "c", whole, [&] { CheckpointFile(directory / "c").verify(); });
  // The last byte belongs to a tensor: nothing is restored.
  std::string damaged = whole;
  const std::size_t value = damaged.rfind(std::string_view("\x00\x00\x80\x3f", 4));
  damaged[value] = 1;
  write_file(directory / "c", damaged);
  Table untouched(3, 2, {.initializer = Initializer::constant(7)});
  Optimizer untouched_optimizer(AdamOptions{}, 3, 2);
  expect_file_error(ErrorCode::bad_file, directory / "c", "tensor 'w' is damaged",
                    [&] { CheckpointFile(directory / "c").restore("w", untouched, &untouched_optimizer); });
  EXPECT_EQ(untouched.data()[0], 7);
}

TEST(Checkpoint, WhatDoesNotFitIsRefusedAndNothingChanges) {
  const TemporaryDirectory directory;
  Table table = initial();
  Optimizer adam(AdamOptions{}, kRows, kDim);
  train(table, adam, 0, 2);
  CheckpointContents contents;
  contents.add("with", table, &adam).add("without", table);
  save_checkpoint(directory / "c", contents);
  const CheckpointFile file(directory / "c");
  Table out(kRows, kDim, {.initializer = Initializer::constant(7)});
  const auto refused = [&](std::string_view name, Optimizer* optimizer, std::string_view what) {
    expect_file_error(ErrorCode::bad_file, directory / "c", what, [&] { file.restore(name, out, optimizer); });
  };
  Optimizer sgd(SgdOptions{}, kRows, kDim);
  Optimizer fresh(AdamOptions{}, kRows, kDim);
  refused("with", &sgd, "was saved with optimizer 'adam'; expected 'sgd'");
  refused("without", &fresh, "no optimizer");
  refused("other", nullptr, "no tensor 'other'");
  Table small(kRows - 1, kDim);
  EXPECT_THROW(file.restore("with", small), Error);
  Table narrow(kRows, kDim - 1);
  EXPECT_THROW(file.restore("with", narrow), Error);
  Table half(kRows, kDim, {.format = Format::bf16});
  EXPECT_THROW(file.restore("with", half), Error);
  Optimizer short_state(AdamOptions{}, kRows - 1, kDim);
  EXPECT_THROW(file.restore("with", out, &short_state), Error);
  EXPECT_EQ(out.data()[0], 7);
  EXPECT_EQ(fresh.step_count(), 0);

  save_safetensors(directory / "plain", SafetensorsContents().add("t", table));
  expect_file_error(ErrorCode::bad_file, directory / "plain", "no checkpoint",
                    [&] { const CheckpointFile plain(directory / "plain"); });
}

TEST(Checkpoint, AnOptimizerOfAnotherTableIsRefused) {
  const TemporaryDirectory directory;
  const Table table(10, 4);
  for (const auto& [rows, dim] : {std::pair<std::int64_t, std::int64_t>{12, 8}, {12, 4}, {10, 1}, {9, 4}}) {
    for (const OptimizerOptions& options :
         {OptimizerOptions(AdamOptions{}), OptimizerOptions(PartialRowWiseAdamOptions{}),
          OptimizerOptions(AdagradOptions{}), OptimizerOptions(SgdOptions{.momentum = 0.5})}) {
      const Optimizer other(options, rows, dim);
      CheckpointContents contents;
      EXPECT_THROW(contents.add("t", table, &other), Error) << rows << " x " << dim << ' ' << other.name();
      const Optimizer own(options, 10, 4);
      contents.add("t", table, &own);
      save_checkpoint(directory / "c", contents, {.sync = false});
      const CheckpointFile file(directory / "c");
      Table out(10, 4);
      Optimizer restored(options, rows, dim);
      EXPECT_THROW(file.restore("t", out, &restored), Error) << rows << " x " << dim << ' ' << other.name();
    }
  }
}

TEST(Checkpoint, WordsAreAsManyAsRows) {
  const Table table(3, 2);
  const Vocabulary two(std::vector<std::string>{"a", "b"});
  const Vocabulary three(std::vector<std::string>{"a", "b", "c"});
  SafetensorsContents first;
  first.add("t", table);
  EXPECT_THROW(first.add_words("t", two), Error);
  first.add_words("t", three);
  EXPECT_EQ(first.tensors().size(), 3U);
  SafetensorsContents second;
  second.add_words("t", two);
  EXPECT_THROW(second.add("t", table), Error);
  EXPECT_EQ(second.tensors().size(), 2U);
  CheckpointContents contents;
  contents.add("t", table);
  EXPECT_THROW(contents.add_words("t", two), Error);
}

TEST(Checkpoint, WhatIsNotAddedAsAWholeIsNotAdded) {
  const TemporaryDirectory directory;
  const Table table(3, 2);
  const Optimizer adam(AdamOptions{}, 3, 2);
  const std::int64_t number = 1;
  const Vocabulary words(std::vector<std::string>{"a", "b", "c"});
  CheckpointContents contents;
  contents.add_values("t.v", std::span(&number, 1)).add_values("w.words.begin", std::span(&number, 1));
  EXPECT_THROW(contents.add("t", table, &adam), Error);
  EXPECT_THROW(contents.add_words("w", words), Error);
  save_checkpoint(directory / "c", contents);
  EXPECT_EQ(SafetensorsFile(directory / "c").tensors().size(), 2U);

  DeltaContents delta;
  const TouchedRows touched(3);
  delta.add("t.v", table, touched);
  EXPECT_THROW(delta.add("t", table, touched, &adam), Error);
  save_delta(directory / "d", delta, chain_link(CheckpointFile(directory / "c")));
  EXPECT_EQ(SafetensorsFile(directory / "d").tensors().size(), 2U);
}

/// The number that all values of the checkpoint are, or a failure.
float checked_value(const std::filesystem::path& path) {
  const CheckpointFile file(path);
  file.verify();
  const Table table = file.load_table("words");
  const auto size = static_cast<std::size_t>(table.rows() * table.dim());
  EXPECT_EQ(std::ranges::count(std::span(table.data(), size), table.data()[0]),
            std::ssize(std::span(table.data(), size)));
  return table.data()[0];
}

TEST(Checkpoint, SurvivesKillsAtAnyMoment) {
  const TemporaryDirectory directory;
  const std::string path = directory / "c";
  std::mt19937_64 random(17);
  for (int i = 0; i < 200; ++i) {
    int begun[2];
    ASSERT_EQ(::pipe(begun), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::dup2(begun[1], STDOUT_FILENO);
      ::execl(ROWMILL_CHECKPOINT_WRITER, ROWMILL_CHECKPOINT_WRITER, path.c_str(), static_cast<char*>(nullptr));
      ::_exit(1);
    }
    char byte = 0;
    ASSERT_EQ(::read(begun[0], &byte, 1), 1);
    ::close(begun[0]);
    ::close(begun[1]);
    // The first one is left to save twice: then there is always an older checkpoint.
    while (i == 0 && (!std::filesystem::exists(path) || checked_value(path) < 2)) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 20000));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it ended by itself";
    EXPECT_GE(checked_value(path), 1);
    ASSERT_LE(directory.names().size(), 2U) << "what earlier kills left is removed";
  }
}

}  // namespace
}  // namespace rowmill::io::test
