// SPDX-License-Identifier: Apache-2.0
// renormalize: against the reference bit for bit, on every instruction set and several thread counts; and by its
// meaning.
#include "rowmill/max_norm.hpp"

#include <algorithm>

#include "kernels/reference/reference.hpp"
#include "rowmill/error.hpp"
#include "tests/support/data.hpp"
#include "tests/support/isa_test.hpp"

namespace rowmill::test {
namespace {

constexpr NormType kNorms[] = {NormType::one, NormType::two, NormType::infinity};

class MaxNormTest : public IsaTest {};
ROWMILL_INSTANTIATE_ISA_TEST(MaxNormTest);

template <class T>
void check(std::int64_t rows, std::int64_t dim, Ids ids, const MaxNorm& max_norm, const RenormalizeOptions& options) {
  auto table = BasicGuardedTable<T>(rows, dim).fill(1);
  auto expected = table;
  renormalize(table.view(), ids, max_norm, options);
  reference::renormalize(expected.view(), ids, static_cast<float>(max_norm.max_norm), max_norm.norm,
                         options.out_of_range, options.padding_id);
  EXPECT_TRUE(same(table.view(), expected.view())) << rows << " x " << dim;
  EXPECT_TRUE(table.guards_intact());
}

TEST_P(MaxNormTest, IsTheReference) {
  run([] {
    // Small, and large enough for several threads.
    for (const auto& batch : id_cases(100, 300, 7)) {
      SCOPED_TRACE(batch.name);
      for (const NormType norm : kNorms) {
        check<float>(100, 3, narrow(batch.ids), {.max_norm = 0.5, .norm = norm}, {});
        check<Bf16>(100, 33, batch.ids, {.max_norm = 0.5, .norm = norm}, {});
        check<F16>(100, 33, batch.ids, {.max_norm = 0.5, .norm = norm}, {});
      }
    }
    check<float>(1000, 64, id_cases(1000, 4500, 8).back().ids, {.max_norm = 0.5}, {});
    check<Bf16>(1000, 64, narrow(id_cases(1000, 4500, 9)[4].ids), {.max_norm = 0.5}, {});
    check<F16>(1000, 64, narrow(id_cases(1000, 4500, 9)[4].ids), {.max_norm = 0.5}, {});
  });
}

TEST_P(MaxNormTest, FollowsThePolicyAndThePaddingId) {
  run([] {
    const std::vector<std::int64_t> ids = {-1, 5, 9, 10, 2, -1, 5, 100};
    for (const OutOfRange policy : {OutOfRange::clip, OutOfRange::zero, OutOfRange::skip}) {
      for (const std::optional<std::int64_t> padding : {std::optional<std::int64_t>(), {5}, {9}, {-1}}) {
        check<float>(10, 17, ids, {.max_norm = 0.01}, {.out_of_range = policy, .padding_id = padding});
      }
    }
    const std::vector<std::int64_t> negative = {-1, -10, 4};
    for (const std::optional<std::int64_t> padding : {std::optional<std::int64_t>(), {9}, {-1}}) {
      check<float>(10, 17, negative, {.max_norm = 0.01},
                   {.out_of_range = OutOfRange::wrap_negative, .padding_id = padding});
    }
    // Padding need not be a row.
    check<float>(10, 17, std::vector<int>{3, 77, 77}, {.max_norm = 0.01}, {.padding_id = 77});
  });
}

TEST_P(MaxNormTest, BagsGiveWhatTheirIdsGive) {
  run([] {
    const std::vector<std::int64_t> ids = id_cases(50, 40, 9).back().ids;
    const std::vector<std::int64_t> offsets = {0, 0, 7, 30, 40};
    const std::vector<float> weights(40, 0.0F);  // a row is renormalized whatever its weight
    for (const bool padded : {false, true}) {
      GuardedTable table = GuardedTable(50, 8).fill(3);
      GuardedTable expected = table;
      Bags bags = Bags(ids, offsets).with_weights(weights);
      if (padded) bags = bags.with_padding(ids[3]);
      renormalize(table.view(), bags, {.max_norm = 0.1});
      reference::renormalize(expected.view(), ids, 0.1F, NormType::two, OutOfRange::error,
                             padded ? std::optional(ids[3]) : std::nullopt);
      EXPECT_TRUE(same(table.view(), expected.view()));
    }
  });
}

TEST(MaxNorm, ScalesLongRowsDownAndNoOthers) {
  for (const NormType norm : kNorms) {
    GuardedTable table = GuardedTable(100, 40).fill(5);
    const GuardedTable before = table;
    std::vector<int> even;
    for (int r = 0; r < 100; r += 2) even.push_back(r);
    const auto norm_of = [&](const ConstTableView& view, std::int64_t r) {
      double sum = 0;
      double largest = 0;
      for (const float x : view.row(r)) {
        const double magnitude = std::abs(static_cast<double>(x));
        sum += norm == NormType::two ? magnitude * magnitude : magnitude;
        largest = std::max(largest, magnitude);
      }
      return norm == NormType::one ? sum : norm == NormType::two ? std::sqrt(sum) : largest;
    };
    std::vector<double> norms;
    for (std::int64_t r = 0; r < 100; ++r) norms.push_back(norm_of(table.view(), r));
    std::vector<double> sorted = norms;
    std::ranges::sort(sorted);
    const double most = (sorted[49] + sorted[50]) / 2;
    renormalize(table.view(), even, {.max_norm = most, .norm = norm});
    for (std::int64_t r = 0; r < 100; ++r) {
      const double expected =
          r % 2 == 0 ? std::min(norms[static_cast<std::size_t>(r)], most) : norms[static_cast<std::size_t>(r)];
      EXPECT_NEAR(norm_of(table.view(), r), expected, 1e-5 * expected) << "row " << r;
      if (expected < most || r % 2 == 1) {
        EXPECT_TRUE(same({table.view().row(r).data(), 1, 40}, {before.view().row(r).data(), 1, 40})) << "row " << r;
      }
    }
  }
}

TEST(MaxNorm, LeavesNaNAndScalesInfinityAsTheFormulaSays) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float nan = std::nanf("");
  for (const NormType norm : kNorms) {
    std::vector<float> values = {nan, 5, 6, kInfinity, 5, -6};
    renormalize(TableView(values.data(), 2, 3), std::vector<int>{0, 1}, {.max_norm = 1, .norm = norm});
    EXPECT_TRUE(std::isnan(values[0]));
    EXPECT_EQ(values[1], 5);
    EXPECT_TRUE(std::isnan(values[3]));  // infinity times 1 / infinity
    EXPECT_TRUE(same_bits(values[4], 0.0F));
    EXPECT_TRUE(same_bits(values[5], -0.0F));
  }
}

TEST(MaxNorm, BadInputIsRefusedAndChangesNothing) {
  GuardedTable table = GuardedTable(10, 4).fill(1);
  const GuardedTable before = table;
  const auto expect_failure = [&](auto call, ErrorCode code, const std::string& message) {
    try {
      call();
      FAIL() << message;
    } catch (const Error& e) {
      EXPECT_EQ(e.what(), message);
      EXPECT_EQ(e.code(), code);
    }
    EXPECT_TRUE(same(table.view(), before.view()));
  };
  const std::vector<int> ids = {1, 2, 3};
  for (const double bad : {-1.0, 1e39, std::nan("")}) {
    const std::string text = bad == -1 ? "-1" : bad == 1e39 ? "1e+39" : "nan";
    expect_failure([&] { renormalize(table.view(), ids, {.max_norm = bad}); }, ErrorCode::invalid_argument,
                   "rowmill: renormalize: max_norm is " + text + "; allowed: 0 <= value <= 3.4e38");
  }
  expect_failure([&] { renormalize(table.view(), ids, {.norm = static_cast<NormType>(3)}); },
                 ErrorCode::invalid_argument, "rowmill: renormalize: norm is 3; allowed: 0 to 2");
  expect_failure(
      [&] {
        renormalize(table.view(), std::vector<int>{1, 10}, {.max_norm = 0});
      },
      ErrorCode::id_out_of_range,
      "rowmill: renormalize: ids[1] = 10 is out of range for the table of 10 rows (allowed: 0 to 9)");
  expect_failure(
      [&] {
        renormalize(table.view(), std::vector<int>{1, 11}, {.max_norm = 0}, {.padding_id = 10});
      },
      ErrorCode::id_out_of_range,
      "rowmill: renormalize: ids[1] = 11 is out of range for the table of 10 rows (allowed: 0 to 9; "
      "padding is 10)");
  expect_failure(
      [&] {
        renormalize(table.view(), Bags(std::vector<int>{1, 10}, 2, 1), {.max_norm = 0});
      },
      ErrorCode::id_out_of_range,
      "rowmill: renormalize: ids[1] (bag 1) = 10 is out of range for the table of 10 rows "
      "(allowed: 0 to 9)");
  expect_failure([&] { renormalize(table.view(), Bags(ids, 2, 1), {.max_norm = 0}); }, ErrorCode::shape_mismatch,
                 "rowmill: renormalize: ids (3) are not 2 bags of 1");
  expect_failure([&] { renormalize(table.view(), Bags(ids, 3, 1), {.max_norm = 0}, {.padding_id = 1}); },
                 ErrorCode::invalid_argument,
                 "rowmill: renormalize: padding_id is given beside bags; their own is Bags::with_padding");
  expect_failure([&] { renormalize(TableView(table.view().data(), 2, 4, 3), ids, {}); }, ErrorCode::overlap,
                 "rowmill: renormalize: table (2 x 4) has row stride 3: its rows overlap; to be written it needs at "
                 "least 4");
  expect_failure(
      [&] { renormalize(table.view(), Ids(reinterpret_cast<const std::int32_t*>(table.view().row(2).data()), 3), {}); },
      ErrorCode::overlap, "rowmill: renormalize: table (10 x 4) shares memory with ids (3)");
  EXPECT_THROW((void)renormalize_memory_required(-1), Error);
  renormalize(table.view(), std::vector<int>{}, {.max_norm = 0});
  EXPECT_TRUE(same(table.view(), before.view()));
}

}  // namespace
}  // namespace rowmill::test
