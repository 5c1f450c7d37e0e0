// SPDX-License-Identifier: Apache-2.0
// Walks the product of all options of pooled lookups. Each case gives the reference's bits, or an Error that says what
// is supported; and each option changes a result somewhere, so that none is ignored.
#include "tests/support/bag_matrix.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <memory>
#include <variant>

#include "kernels/core/override_tuning.hpp"
#include "kernels/reference/reference.hpp"
#include "rowmill/error.hpp"
#include "rowmill/optimizer.hpp"
#include "rowmill/plan.hpp"
#include "rowmill/pool.hpp"
#include "rowmill/sparse_gradient.hpp"
#include "tests/support/data.hpp"
#include "tests/support/isa_test.hpp"

namespace rowmill::test {
namespace {

class BagMatrixTest : public IsaTest {
 protected:
  /// Runs f with several threads even for a few ids.
  template <class F>
  void run_small(F f) const {
    run([&] {
      override_tuning(
          {.parallel_bytes = 1, .parallel_lookup_bytes = 1, .parallel_plan_ids = 1, .shard_ids = 8, .share_bytes = 1});
      f();
    });
  }
};
INSTANTIATE_TEST_SUITE_P(Isa, BagMatrixTest,
                         testing::Combine(testing::ValuesIn(supported_kernels()), testing::Values(1, 3)),
                         isa_test_name);

constexpr std::array<std::int64_t, 5> kMatrixDims = {1, 3, 16, 17, 100};

/// A guarded table of f32, bf16 or f16.
class AnyTable {
 public:
  AnyTable(Format format, std::int64_t rows, std::int64_t dim) : table_(GuardedTable(0, 1)) {
    for_each_float_type([&]<class T>() {
      if (format == format_of<T>) table_ = BasicGuardedTable<T>(rows, dim);
    });
  }
  [[nodiscard]] TableView view() {
    return std::visit([](auto& table) { return table.view(); }, table_);
  }
  [[nodiscard]] bool guards_intact() const {
    return std::visit([](const auto& table) { return bool(table.guards_intact()); }, table_);
  }
  AnyTable& fill(std::uint64_t seed, bool special = false) {
    std::visit([&](auto& table) { table.fill(seed, special); }, table_);
    return *this;
  }

 private:
  std::variant<GuardedTable, GuardedBf16Table, GuardedF16Table> table_;
};

/// What a result is, in short.
class Digest {
 public:
  void add(const TableView& view) {
    for (std::int64_t r = 0; r < view.rows(); ++r) {
      for (std::size_t c = 0; c < static_cast<std::size_t>(view.dim()); ++c) add(element(view, r, c));
    }
  }
  void add(float x) { add(std::isnan(x) ? 0x7FC00000U : std::bit_cast<std::uint32_t>(x)); }
  void add(std::uint32_t word) { value_ = (value_ ^ word) * 0x100000001B3U; }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xCBF29CE484222325U;
};
constexpr std::uint64_t kRefused = 0;

/// The message of the Error that f throws; nothing if it throws none.
template <class F>
std::string refusal(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

/// Whether a refusal, or none, is what the case calls for, and says what is supported.
bool expected(const std::string& message, const Case& of, Batch::Choice choice) {
  const auto says = [&](const char* text) { return message.find(text) != std::string::npos; };
  if (of.has_wrong_divisor()) return says("mean") && says("sqrtn");
  if (choice == Batch::Choice::common && of.policy() == OutOfRange::error) return says("-2") && says("0 to 10");
  return message.empty();
}

bool same_values(std::span<const float> a, std::span<const float> b) { return std::ranges::equal(a, b, same_bits); }

/// A table of each format and dim, and a gradient for its bags. Of 17 columns with NaN, infinities and denormals.
AnyTable& table_of(Format format, std::int64_t dim) {
  static std::map<std::pair<Format, std::int64_t>, std::unique_ptr<AnyTable>> tables;
  auto& table = tables[{format, dim}];
  if (!table) {
    table = std::make_unique<AnyTable>(format, Batch::kRows, dim);
    table->fill(1, dim == 17);
  }
  return *table;
}
TableView gradient_of(std::int64_t bags, std::int64_t dim) {
  static std::map<std::int64_t, std::unique_ptr<AnyTable>> gradients;
  auto& gradient = gradients[dim];
  constexpr std::int64_t kMostBags = 11;
  if (!gradient) {
    gradient = std::make_unique<AnyTable>(Format::f32, kMostBags, dim);
    gradient->fill(2, dim == 17);
  }
  const TableView all = gradient->view();
  return {all.data(), bags, dim, all.row_stride()};
}

// The two sides of a comparison.
struct Library {
  static void pool(const ConstTableView& table, const Bags& bags, const TableView& out, const PoolOptions& options) {
    rowmill::pool(table, bags, out, options);
  }
  static void find_winners(const ConstTableView& table, const Bags& bags, std::span<std::int32_t> winners,
                           const PoolOptions& options) {
    rowmill::find_winners(table, bags, winners, options);
  }
  static void pool_weight_gradients(const ConstTableView& table, const Bags& bags, const ConstTableView& gradient,
                                    std::span<float> out, const PoolOptions& options) {
    rowmill::pool_weight_gradients(table, bags, gradient, out, options);
  }
};
struct Reference {
  static constexpr auto pool = reference::pool;
  static constexpr auto find_winners = reference::find_winners;
  static constexpr auto pool_weight_gradients = reference::pool_weight_gradients;
};

/// A digest of what pool, find_winners and pool_weight_gradients give.
template <class Side>
std::uint64_t look_up(const Case& of, std::int64_t dim, Batch& batch) {
  const Bags bags = batch.bags();
  const auto [format, out_format] = kFormats[static_cast<std::size_t>(of[Option::formats])];
  const TableView table = table_of(format, dim).view();
  const PoolOptions options = of.pool_options();
  Digest digest;

  AnyTable out(out_format, bags.size(), dim);
  Side::pool(table, bags, out.view(), options);
  EXPECT_TRUE(out.guards_intact()) << of.text();
  digest.add(out.view());

  constexpr std::size_t kGuards = 8;
  if (of.pooling() == Pooling::max) {
    const auto size = static_cast<std::size_t>(bags.size() * dim);
    std::vector<std::int32_t> winners(size + kGuards, 77);
    Side::find_winners(table, bags, std::span(winners).first(size), options);
    for (const std::int32_t winner : winners) digest.add(static_cast<std::uint32_t>(winner));
  }

  const auto ids = static_cast<std::size_t>(bags.ids().size());
  std::vector<float> gradients(ids + kGuards, 77.0F);
  Side::pool_weight_gradients(table, bags, gradient_of(bags.size(), dim), std::span(gradients).first(ids), options);
  for (const float x : gradients) digest.add(x);
  return digest.value();
}

/// The library's digest; kRefused if it refuses the case, where it must.
std::uint64_t look_up_or_refuse(const Case& of, std::int64_t dim, Batch::Choice choice) {
  Batch batch(of, choice);
  std::uint64_t digest = kRefused;
  const std::string message = refusal([&] { digest = look_up<Library>(of, dim, batch); });
  EXPECT_TRUE(expected(message, of, choice)) << of.text() << "dim " << dim << ": " << message;
  return digest;
}

/// Any two values of an option give different results, with some values of the others, where neither is refused, the
/// policy `error` apart. But the same bags in another layout, and ids of another type, give the same.
void expect_none_ignored(const Product& product, const std::vector<std::uint64_t>& digests) {
  std::int64_t stride = 1;
  for (const Option::Name option : product.options()) {
    const std::int64_t values = kOptionValues[option];
    const auto digest = [&](std::int64_t i) { return digests[static_cast<std::size_t>(i)]; };
    for (std::int64_t a = 0; a < values; ++a) {
      for (std::int64_t b = a + 1; b < values; ++b) {
        bool differs = false;
        for (std::int64_t i = 0; i < product.size() && !differs; ++i) {
          const std::int64_t other = i + (b - a) * stride;
          if (i / stride % values != a) continue;
          const bool refused = digest(i) == kRefused || digest(other) == kRefused;
          if (refused && (option != Option::policy || a != 0)) continue;
          differs = digest(i) != digest(other);
        }
        const bool alike = option == Option::id_type || (option == Option::layout && b < 3);
        EXPECT_EQ(differs, !alike) << kOptionNames[option] << " " << a << " and " << b;
      }
    }
    stride *= values;
  }
}

const Product& lookup_options() {
  static const Product product = {Option::id_type, Option::layout,  Option::policy,  Option::padding,
                                  Option::weights, Option::divisor, Option::pooling, Option::formats};
  return product;
}

TEST_P(BagMatrixTest, LookupsEqualTheReferenceOrAreRefused) {
  run_small([] {
    static std::vector<std::uint64_t> wanted(static_cast<std::size_t>(lookup_options().size()), kRefused);
    for (std::int64_t i = 0; i < lookup_options().size(); ++i) {
      const Case of = lookup_options()[i];
      const std::int64_t dim = kMatrixDims[static_cast<std::size_t>(i) % kMatrixDims.size()];
      const std::uint64_t digest = look_up_or_refuse(of, dim, Batch::Choice::fitting);
      std::uint64_t& by_reference = wanted[static_cast<std::size_t>(i)];
      if (digest != kRefused && by_reference == kRefused) {
        Batch batch(of);
        by_reference = look_up<Reference>(of, dim, batch);
      }
      ASSERT_EQ(digest, by_reference) << of.text() << "dim " << dim;
    }
  });
}

TEST(BagMatrix, NoOptionOfALookupIsIgnored) {
  std::vector<std::uint64_t> digests;
  for (std::int64_t i = 0; i < lookup_options().size(); ++i) {
    digests.push_back(look_up_or_refuse(lookup_options()[i], 3, Batch::Choice::common));
  }
  expect_none_ignored(lookup_options(), digests);
}

// ---- gradients and steps
// ----------------------------------------------------------------------------------------------

const Product& bag_options() {
  static const Product product = {Option::id_type, Option::layout,  Option::policy, Option::padding,
                                  Option::weights, Option::divisor, Option::pooling};
  return product;
}
const Product& step_options() {
  static const Product product = {Option::by_frequency, Option::clip_value, Option::clip_row_norm,
                                  Option::clip_global_norm, Option::skip_nonfinite};
  return product;
}

GradientOptions gradient_options(const Case& of) {
  GradientOptions options{.scale_grad_by_freq = of.has(Option::by_frequency),
                          .skip_nonfinite = of.has(Option::skip_nonfinite)};
  if (of.has(Option::clip_value)) options.clip_value = 0.5;
  if (of.has(Option::clip_row_norm)) options.clip_row_norm = 0.25;
  if (of.has(Option::clip_global_norm)) options.clip_global_norm = 0.1;
  return options;
}

OptimizerOptions optimizer_options(const Case& of) {
  static const std::array<OptimizerOptions, 8> kAll = {
      SgdOptions{.learning_rate = 0.1},
      SgdOptions{.learning_rate = 0.1, .momentum = 0.9},
      SgdOptions{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true},
      AdagradOptions{.learning_rate = 0.1, .initial_accumulator = 0.5},
      RowWiseAdagradOptions{.learning_rate = 0.1, .initial_accumulator = 0.5},
      AdamOptions{.learning_rate = 0.01},
      PartialRowWiseAdamOptions{.learning_rate = 0.01},
      AdamOptions{.learning_rate = 0.01, .decay = WeightDecay::decoupled, .weight_decay = 0.3}};
  return kAll[static_cast<std::size_t>(of[Option::optimizer])];
}

/// A batch, its plan, and the reference's sums; none where the plan is refused.
class Backward {
 public:
  Backward(const Case& of, std::int64_t dim, Batch::Choice choice = Batch::Choice::fitting)
      : batch_(of, choice), bags_(batch_.bags()), gradient_(gradient_of(bags_.size(), dim)) {
    const TableView table = table_of(Format::f32, dim).view();
    if (of.pooling() == Pooling::max) {
      winners_.resize(static_cast<std::size_t>(bags_.size() * dim));
      const bool bad_ids = choice == Batch::Choice::common && of.policy() == OutOfRange::error;
      if (!bad_ids) reference::find_winners(table, bags_, winners_, of.pool_options());
    }
    const std::string message = refusal([&] {
      plan_.build(bags_, Batch::kRows,
                  {.out_of_range = of.policy(), .pooling = of.pooling(), .divisor = of.divisor(), .winners = winners_});
    });
    EXPECT_TRUE(expected(message, of, choice)) << of.text() << message;
    refused_ = !message.empty();
    if (!refused_) sums_ = reference::row_gradients(bags_, Batch::kRows, of.pool_options(), winners_, gradient_);
  }
  Backward(const Backward&) = delete;
  Backward& operator=(const Backward&) = delete;

  [[nodiscard]] bool refused() const { return refused_; }

  /// The sums, sparse and dense, with the options of `of`, beside the reference; a digest of the dense ones.
  std::uint64_t check_sums(const Case& of, const std::string& text) {
    const GradientOptions options = gradient_options(of);
    AnyTable dense(Format::f32, Batch::kRows, gradient_.dim());
    const std::string message =
        refusal([&] { dense_gradient(plan_, std::span(&gradient_, 1), dense.view(), options); });
    EXPECT_TRUE(dense.guards_intact()) << text;
    if (of.has(Option::skip_nonfinite)) {
      EXPECT_NE(message.find("step"), std::string::npos) << text << message;
      EXPECT_FALSE(refusal([&] { sparse_.build(plan_, gradient_, options); }).empty()) << text;
      return kRefused;
    }
    EXPECT_EQ(message, "") << text;
    std::vector<reference::RowGradient> sums = sums_;
    EXPECT_TRUE(reference::apply(options, sums));
    sparse_.build(plan_, gradient_, options);
    EXPECT_EQ(sparse_.rows().size(), sums.size()) << text;
    AnyTable wanted(Format::f32, Batch::kRows, gradient_.dim());
    for (std::int64_t row = 0; row < Batch::kRows; ++row) std::ranges::fill(wanted.view().row(row), 0.0F);
    for (std::size_t k = 0; k < std::min(sums.size(), sparse_.rows().size()); ++k) {
      EXPECT_EQ(sparse_.rows()[k], sums[k].row) << text;
      EXPECT_TRUE(same_values(sparse_.values().row(static_cast<std::int64_t>(k)), sums[k].g)) << text;
      std::ranges::copy(sums[k].g, wanted.view().row(sums[k].row).begin());
    }
    EXPECT_TRUE(same(dense.view(), wanted.view())) << text;
    Digest digest;
    digest.add(dense.view());
    return digest.value();
  }

  /// Two steps, beside the reference; a digest of the weights.
  std::uint64_t check_steps(const Case& of, const std::string& text) {
    const GradientOptions options = gradient_options(of);
    const Format format = kFormats[static_cast<std::size_t>(of[Option::formats])].first;
    const std::int64_t dim = gradient_.dim();
    Optimizer optimizer(optimizer_options(of), Batch::kRows, dim);
    Optimizer wanted_optimizer(optimizer_options(of), Batch::kRows, dim);  // whose state the reference updates
    const std::vector<TableView> state(wanted_optimizer.state().begin(), wanted_optimizer.state().end());
    AnyTable weights(format, Batch::kRows, dim);
    weights.fill(20);
    AnyTable wanted = weights;
    std::int64_t counted = 0;
    for (std::int64_t t = 1; t <= 2; ++t) {
      optimizer.step(weights.view(), plan_, gradient_, options);
      std::vector<reference::RowGradient> sums = sums_;
      if (!reference::apply(options, sums)) continue;
      reference::optimizer_step(optimizer_options(of), ++counted, wanted.view(), state, std::move(sums));
    }
    EXPECT_EQ(optimizer.step_count(), counted) << text;
    EXPECT_EQ(optimizer.skipped_steps(), 2 - counted) << text;
    EXPECT_TRUE(same(weights.view(), wanted.view())) << text;
    EXPECT_TRUE(weights.guards_intact()) << text;
    for (std::size_t i = 0; i < state.size(); ++i) EXPECT_TRUE(same(optimizer.state()[i], state[i])) << text;
    Digest digest;
    digest.add(weights.view());
    return digest.value();
  }

 private:
  Batch batch_;
  Bags bags_;
  ConstTableView gradient_;
  std::vector<std::int32_t> winners_;
  Plan plan_;
  SparseGradient sparse_;
  bool refused_ = false;
  std::vector<reference::RowGradient> sums_;
};

// The instruction sets and thread counts share the cases out, so that each is walked once. Optimizers and formats of
// the table take turns, and every fourth case makes steps.
TEST_P(BagMatrixTest, GradientsAndStepsEqualTheReferenceOrAreRefused) {
  run_small([] {
    const Product formats_and_optimizers = {Option::optimizer, Option::formats};
    const auto isas = supported_kernels();
    const std::int64_t isa = std::ranges::find(isas, std::get<0>(GetParam())) - isas.begin();
    const std::int64_t share = 2 * isa + (std::get<1>(GetParam()) == 1 ? 0 : 1);
    const std::int64_t shares = 2 * std::ssize(isas);
    for (std::int64_t i = 0; i < bag_options().size(); ++i) {
      if (scattered(i) % shares != share) continue;
      const Case bags = bag_options()[i];
      const std::int64_t dim = kMatrixDims[static_cast<std::size_t>(scattered(i) / shares) % kMatrixDims.size()];
      Backward backward(bags, dim);
      if (backward.refused()) continue;
      for (std::int64_t k = 0; k < step_options().size(); ++k) {
        Case of = step_options()[k];
        const Case turn = formats_and_optimizers[scattered(i * step_options().size() + k) % 16];
        of.set(Option::optimizer, turn[Option::optimizer]);
        of.set(Option::formats, turn[Option::formats]);
        const std::string text = bags.text() + of.text() + "dim " + std::to_string(dim);
        backward.check_sums(of, text);
        if (scattered(i + k) % 4 == 0) backward.check_steps(of, text);
        if (testing::Test::HasFailure()) return;
      }
    }
  });
}

TEST(BagMatrix, NoOptionOfAGradientIsIgnored) {
  const Product product = {Option::by_frequency,     Option::clip_value, Option::clip_row_norm,
                           Option::clip_global_norm, Option::policy,     Option::padding,
                           Option::weights,          Option::divisor,    Option::pooling};
  std::vector<std::uint64_t> digests;
  for (std::int64_t i = 0; i < product.size(); ++i) {
    Backward backward(product[i], 3, Batch::Choice::common);
    digests.push_back(backward.refused() ? kRefused : backward.check_sums(product[i], product[i].text()));
  }
  expect_none_ignored(product, digests);
}

TEST(BagMatrix, NoOptionOfAStepIsIgnored) {
  constexpr std::int64_t kDimWithNan = 17;
  const Product product = {Option::optimizer,     Option::by_frequency,     Option::clip_value,
                           Option::clip_row_norm, Option::clip_global_norm, Option::skip_nonfinite};
  std::vector<std::uint64_t> digests;
  for (std::int64_t i = 0; i < product.size(); ++i) {
    Backward backward(product[i], kDimWithNan);
    digests.push_back(backward.check_steps(product[i], product[i].text()));
  }
  expect_none_ignored(product, digests);
}

// One row that threads share by its blocks.
TEST_P(BagMatrixTest, HotRowsEqualTheReference) {
  run_small([] {
    constexpr std::int64_t kBags = 250;  // three blocks
    constexpr std::int64_t kLength = 10;
    std::vector<std::int32_t> ids(kBags * kLength, 3);
    std::vector<float> weights;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (i % 7 == 0) ids[i] = static_cast<std::int32_t>(i % 11);
      weights.push_back(static_cast<float>(i % 13) / 8 - 0.25F);
    }
    const Product product = {Option::weights, Option::divisor, Option::pooling, Option::by_frequency};
    constexpr std::int64_t kDim = 17;
    const GuardedTable table = GuardedTable(Batch::kRows, kDim).fill(1);
    const GuardedTable gradient = GuardedTable(kBags, kDim).fill(2);
    for (std::int64_t i = 0; i < product.size(); ++i) {
      const Case of = product[i];
      if (of.has_wrong_divisor()) continue;
      Bags bags(ids, kBags, kLength);
      if (of.has(Option::weights)) bags = bags.with_weights(weights);
      std::vector<std::int32_t> winners(of.pooling() == Pooling::max ? static_cast<std::size_t>(kBags * kDim) : 0);
      if (!winners.empty()) find_winners(table.view(), bags, winners, of.pool_options());
      const Plan plan(bags, Batch::kRows, {.pooling = of.pooling(), .divisor = of.divisor(), .winners = winners});
      ASSERT_FALSE(plan.hot_segments().empty());
      GuardedTable actual = table;
      GuardedTable wanted = table;
      Optimizer optimizer(SgdOptions{}, Batch::kRows, kDim);
      optimizer.step(actual.view(), plan, gradient.view(), gradient_options(of));
      auto sums = reference::row_gradients(bags, Batch::kRows, of.pool_options(), winners, gradient.view());
      ASSERT_TRUE(reference::apply(gradient_options(of), sums));
      reference::optimizer_step(SgdOptions{}, 1, wanted.view(), {}, std::move(sums));
      ASSERT_TRUE(same(actual.view(), wanted.view())) << of.text();
    }
  });
}

}  // namespace
}  // namespace rowmill::test
