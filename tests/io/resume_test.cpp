// SPDX-License-Identifier: Apache-2.0
// Training that is resumed has the same bits as training that never stopped: for every optimizer and format, from a
// checkpoint and from a chain of deltas, into a table of the same size and into a larger one.
#include <algorithm>
#include <random>

#include "rowmill/convert.hpp"
#include "rowmill/io/checkpoint.hpp"
#include "rowmill/io/delta.hpp"
#include "tests/io/support.hpp"
#include "tests/support/isa_test.hpp"

namespace rowmill::io::test {
namespace {

constexpr std::int64_t kRows = 150;
constexpr std::int64_t kMoreRows = 170;
constexpr std::int64_t kDim = 19;
constexpr std::uint64_t kSaved = 4;  // steps before the last save
constexpr std::uint64_t kEnd = 7;

struct NamedOptimizer {
  const char* name;
  OptimizerOptions options;
};
const NamedOptimizer kOptimizers[] = {
    {"sgd", SgdOptions{}},
    {"sgd, L2 decay", SgdOptions{.decay = WeightDecay::l2, .weight_decay = 0.01}},
    {"momentum", SgdOptions{.momentum = 0.9}},
    {"nesterov", SgdOptions{.momentum = 0.9, .nesterov = true}},
    {"adagrad", AdagradOptions{.initial_accumulator = 0.1}},
    {"row_wise_adagrad", RowWiseAdagradOptions{.initial_accumulator = 0.1}},
    {"adam", AdamOptions{}},
    {"adamw", adamw()},
    {"partial_row_wise_adam", PartialRowWiseAdamOptions{}},
};

/// How weights and states are stored: every way there is.
struct NamedStorage {
  const char* name;
  Format format;
  StorageOptions storage = {};
};
const StorageOptions kStochastic = {.rounding = Rounding::stochastic, .stream = {.seed = 3, .name = "t"}};
const StorageOptions kSmallStates = {
    .rounding = Rounding::stochastic, .stream = {.seed = 3, .stream = 1, .name = "t"}, .state_format = Format::bf16};
const NamedStorage kStorages[] = {
    {"f32", Format::f32},
    {"bf16", Format::bf16},
    {"f16", Format::f16},
    {"f64", Format::f64, {.state_format = Format::f64}},
    {"bf16, stochastic", Format::bf16, kStochastic},
    {"f16, stochastic", Format::f16, kStochastic},
    {"f32, bf16 states", Format::f32, {.state_format = Format::bf16}},
    {"bf16, bf16 states", Format::bf16, {.state_format = Format::bf16}},
    {"f32, stochastic bf16 states", Format::f32, kSmallStates},
    {"bf16, stochastic bf16 states", Format::bf16, kSmallStates},
    {"f16, stochastic bf16 states", Format::f16, kSmallStates},
    {"split", Format::bf16, {.split = true}},
    {"split, bf16 states", Format::bf16, {.split = true, .state_format = Format::bf16}},
};

Table random_numbers(Format format, std::int64_t rows, std::uint64_t seed) {
  const Table floats(rows, kDim, {.initializer = Initializer::normal(0, 1), .seed = seed});
  Table table(rows, kDim, {.format = format});
  convert(floats, table);
  return table;
}

/// A table and its optimizer, new, or as a program has them that begins again.
struct Training {
  Training(const NamedOptimizer& trained_by, const NamedStorage& stored, std::int64_t rows)
      : table(random_numbers(stored.format, rows, 9)),
        optimizer(trained_by.options, rows, kDim, stored.storage),
        touched(rows) {}

  /// Steps first .. last-1, each with ids and gradients of its own: of the first rows before the save, and of all after
  /// it. The learning rate falls.
  void run(std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t step = first; step < last; ++step) {
      std::mt19937_64 random(step);
      const std::uint64_t rows = step < kSaved ? kRows : static_cast<std::uint64_t>(table.rows());
      std::vector<std::int64_t> ids(100);
      for (std::int64_t& id : ids) id = static_cast<std::int64_t>(random() % rows);
      const Table gradient = random_numbers(table.format() == Format::f64 ? Format::f64 : Format::f32, 100, step);
      const Plan plan(Ids(ids), table.rows());
      optimizer.step(table, plan, gradient);
      optimizer.set_learning_rate(optimizer.learning_rate() * 0.9);
      touched.mark(plan);
    }
  }

  Table table;
  Optimizer optimizer;
  TouchedRows touched;
};

void expect_same(Training& actual, Training& expected, const std::string& what) {
  EXPECT_TRUE(same_bits(actual.table, expected.table.view())) << what;
  ASSERT_EQ(actual.optimizer.state().size(), expected.optimizer.state().size());
  for (std::size_t s = 0; s < expected.optimizer.state().size(); ++s) {
    EXPECT_TRUE(same_bits(actual.optimizer.state()[s], expected.optimizer.state()[s])) << what << ", state " << s;
  }
  EXPECT_EQ(actual.optimizer.step_count(), expected.optimizer.step_count()) << what;
  EXPECT_EQ(actual.optimizer.learning_rate(), expected.optimizer.learning_rate()) << what;
}

/// Whether there is anything that is rounded at random, where that is asked for: else the combination is an error.
bool exists(const NamedOptimizer& trained_by, const NamedStorage& stored) {
  if (stored.format != Format::f32 || stored.storage.rounding != Rounding::stochastic) return true;
  const Optimizer optimizer(trained_by.options, 1, 1, stored.storage);
  return std::ranges::any_of(optimizer.state(), [](const auto& state) { return state.format() == Format::bf16; });
}

/// Calls f(new_training, rows of the training that goes on, what it is) for every optimizer and way to store what it
/// trains; new_training(rows) makes one.
template <class F>
void for_each_case(F f) {
  for (const NamedOptimizer& trained_by : kOptimizers) {
    for (const NamedStorage& stored : kStorages) {
      if (!exists(trained_by, stored)) continue;
      for (const std::int64_t rows : {kRows, kMoreRows}) {
        f([&](std::int64_t count) { return Training(trained_by, stored, count); }, rows,
          std::string(trained_by.name) + ", " + stored.name + ", " + std::to_string(rows) + " rows");
      }
    }
  }
}

TEST(Resume, FromACheckpoint) {
  for_each_case([&](const auto& new_training, std::int64_t rows, const std::string& name) {
    const TemporaryDirectory directory;  // some file systems write a file to the disk when another takes its place
    Training whole = new_training(rows);
    whole.run(0, kEnd);

    Training saved = new_training(kRows);
    saved.run(0, kSaved);
    CheckpointContents contents;
    contents.add("t", saved.table, &saved.optimizer);
    save_checkpoint(directory / "c", contents, {.sync = false});

    for (const int threads : {1, 7}) {
      rowmill::test::with_threads(threads, [&] {
        Training resumed = new_training(rows);
        CheckpointFile(directory / "c").restore("t", resumed.table, &resumed.optimizer);
        resumed.run(kSaved, kEnd);
        expect_same(resumed, whole, name);
      });
    }
  });
}

TEST(Resume, FromAChainOfDeltas) {
  for_each_case([&](const auto& new_training, std::int64_t rows, const std::string& name) {
    const TemporaryDirectory directory;  // some file systems write a file to the disk when another takes its place
    Training whole = new_training(rows);
    whole.run(0, kEnd);

    Training saved = new_training(kRows);
    saved.run(0, kSaved - 3);
    CheckpointContents contents;
    contents.add("t", saved.table, &saved.optimizer);
    save_checkpoint(directory / "0", contents, {.sync = false});
    saved.touched.clear();
    std::vector<std::filesystem::path> files = {directory / "0"};
    ChainLink link = chain_link(CheckpointFile(files[0]));
    for (std::uint64_t step = kSaved - 3; step < kSaved; ++step) {
      saved.run(step, step + 1);
      files.push_back(directory / std::to_string(step));
      DeltaContents delta;
      delta.add("t", saved.table, saved.touched, &saved.optimizer);
      link = save_delta(files.back(), delta, link, {.sync = false});
      saved.touched.clear();
    }

    Training resumed = new_training(rows);
    restore_chain(files, "t", resumed.table, &resumed.optimizer);
    resumed.run(kSaved, kEnd);
    expect_same(resumed, whole, name);
  });
}

// Another way to round would go on, with other bits.
TEST(Resume, OtherStorageOptionsAreRefused) {
  const TemporaryDirectory directory;
  const StorageOptions cases[] = {
      {},
      {.split = true},
      {.state_format = Format::bf16},
      {.overflow = Overflow::error},
      kStochastic,
      kSmallStates,
      {.rounding = Rounding::stochastic, .stream = {.seed = 4, .name = "t"}},
      {.rounding = Rounding::stochastic, .stream = {.seed = 3, .name = "u"}},
      {.rounding = Rounding::stochastic, .stream = {.seed = 3, .name = "t"}, .first_row = 1},
      {.rounding = Rounding::stochastic, .stream = {.seed = 3, .name = "t"}, .first_column = 16}};
  Table table(4, 3, {.format = Format::bf16});
  for (std::size_t saved = 0; saved < std::size(cases); ++saved) {
    const Optimizer optimizer(AdamOptions{}, 4, 3, cases[saved]);
    CheckpointContents contents;
    contents.add("t", table, &optimizer);
    save_checkpoint(directory / "c", contents, {.sync = false});
    const CheckpointFile file(directory / "c");
    for (std::size_t other = 0; other < std::size(cases); ++other) {
      Optimizer restored(AdamOptions{}, 4, 3, cases[other]);
      if (saved == other) {
        file.restore("t", table, &restored);
      } else {
        expect_file_error(ErrorCode::bad_file, directory / "c", "was saved with the storage options",
                          [&] { file.restore("t", table, &restored); });
      }
    }
  }
}

// Other hyperparameters would go on with other bits, too; who wants them sets them afterwards.
TEST(Resume, OtherHyperparametersAreRefused) {
  const TemporaryDirectory directory;
  constexpr WeightDecay kL2 = WeightDecay::l2;
  const std::vector<std::vector<OptimizerOptions>> kinds = {
      {SgdOptions{.momentum = 0.5}, SgdOptions{.momentum = 0.25}, SgdOptions{.momentum = 0.5, .nesterov = true},
       SgdOptions{.momentum = 0.5, .decay = kL2, .weight_decay = 0.5}},
      {AdagradOptions{}, AdagradOptions{.epsilon = 0.1}, AdagradOptions{.decay = kL2}},
      {RowWiseAdagradOptions{}, RowWiseAdagradOptions{.epsilon = 0.1}},
      {AdamOptions{}, AdamOptions{.beta1 = 0.5}, AdamOptions{.beta2 = 0.5}, AdamOptions{.epsilon = 1},
       adamw(0.001, 0.1), adamw(0.001, 0.2), AdamOptions{.decay = kL2, .weight_decay = 0.1}},
      {PartialRowWiseAdamOptions{}, PartialRowWiseAdamOptions{.beta1 = 0.5}, PartialRowWiseAdamOptions{.epsilon = 1}}};
  const auto path = directory / "c";
  const auto delta_path = directory / "d";
  for (const std::vector<OptimizerOptions>& cases : kinds) {
    for (std::size_t saved = 0; saved < cases.size(); ++saved) {
      Table table(4, 3);
      Optimizer optimizer(cases[saved], 4, 3);
      optimizer.set_learning_rate(0.125);
      CheckpointContents contents;
      contents.add("t", table, &optimizer);
      save_checkpoint(path, contents, {.sync = false});
      const CheckpointFile file(path);
      TouchedRows touched(4);
      DeltaContents delta;
      delta.add("t", table, touched, &optimizer);
      save_delta(delta_path, delta, chain_link(file), {.sync = false});
      for (std::size_t other = 0; other < cases.size(); ++other) {
        Optimizer restored(cases[other], 4, 3);
        if (saved == other) {
          file.restore("t", table, &restored);
          EXPECT_EQ(restored.learning_rate(), 0.125);
          continue;
        }
        expect_file_error(ErrorCode::bad_file, path, "was saved with the hyperparameters",
                          [&] { file.restore("t", table, &restored); });
        EXPECT_NE(restored.learning_rate(), 0.125);
        const std::vector<std::filesystem::path> chain = {path, delta_path};
        expect_file_error(ErrorCode::bad_file, delta_path, "was saved with the hyperparameters",
                          [&] { restore_chain(chain, "t", table, &restored); });
      }
    }
  }
  // An initial value has no effect any more.
  Table table(4, 3);
  Optimizer optimizer(AdagradOptions{.initial_accumulator = 0.5}, 4, 3);
  CheckpointContents contents;
  contents.add("t", table, &optimizer);
  save_checkpoint(path, contents, {.sync = false});
  Optimizer restored(AdagradOptions{}, 4, 3);
  const CheckpointFile file(path);
  file.restore("t", table, &restored);
  EXPECT_EQ(restored.state()[0].row(0)[0], 0.5F);
  EXPECT_EQ(file.file().metadata().at("rowmill.options.t"), "epsilon=1e-10 decay=none");
}

}  // namespace
}  // namespace rowmill::io::test
