// SPDX-License-Identifier: Apache-2.0
// Element offsets are 64-bit: a table whose rows lie more than 2^31 elements apart gives what a contiguous one gives.
#include "rowmill/rowmill.hpp"
#include "tests/support/data.hpp"
#include "tests/support/isa_test.hpp"
#include "tests/support/pages.hpp"

namespace rowmill::test {
namespace {

class FarTest : public IsaTest {};
ROWMILL_INSTANTIATE_ISA_TEST(FarTest);

constexpr std::int64_t kCount = 3000;
constexpr std::int64_t kDim = 100;

/// The same values far apart and contiguous, and ids of all rows.
struct Tables {
  FarTable far{kDim};
  GuardedTable packed = GuardedTable(3, kDim).fill(60);
  GuardedTable values = GuardedTable(kCount, kDim).fill(61);
  std::vector<std::int64_t> ids = id_cases(3, kCount, 62)[4].ids;

  Tables() {
    for (std::int64_t r = 0; r < 3; ++r) std::ranges::copy(packed.view().row(r), far.view().row(r).begin());
  }
};

TEST_P(FarTest, Gather) {
  run([] {
    const Tables t;
    GuardedTable out(kCount, kDim);
    GuardedTable expected(kCount, kDim);
    gather(t.packed.view(), t.ids, expected.view());
    gather(t.far.view(), t.ids, out.view());
    EXPECT_TRUE(same(out.view(), expected.view()));
    gather(t.far.view(), narrow(t.ids), out.view());
    EXPECT_TRUE(same(out.view(), expected.view()));
    const FarTable far_out(kDim);
    gather(t.packed.view(), std::vector<std::int32_t>{2, 0, 1}, far_out.view());
    EXPECT_TRUE(std::ranges::equal(far_out.view().row(2), t.packed.view().row(1)));
  });
}

TEST_P(FarTest, ScatterAdd) {
  run([] {
    Tables t;
    scatter_add(t.packed.view(), t.ids, t.values.view());
    scatter_add(t.far.view(), t.ids, t.values.view());
    EXPECT_TRUE(same(t.far.view(), t.packed.view()));
    const std::vector<std::int32_t> all = {0, 1, 2};
    const FarTable far_values(kDim);
    std::ranges::fill(far_values.view().row(2), 1.0F);
    const float before = t.packed.view().row(2)[0];
    scatter_add(t.packed.view(), all, far_values.view());
    EXPECT_EQ(t.packed.view().row(2)[0], before + 1);
  });
}

TEST_P(FarTest, Pool) {
  run([] {
    const Tables t;
    GuardedTable out(kCount / 3, kDim);
    GuardedTable expected(kCount / 3, kDim);
    pool(t.packed.view(), Bags(t.ids, kCount / 3, 3), expected.view());
    const Bags bags(t.ids, kCount / 3, 3);
    pool(t.far.view(), bags, out.view());
    EXPECT_TRUE(same(out.view(), expected.view()));

    const PoolOptions max{.pooling = Pooling::max};
    pool(t.packed.view(), bags, expected.view(), max);
    pool(t.far.view(), bags, out.view(), max);
    EXPECT_TRUE(same(out.view(), expected.view()));
    std::vector<std::int32_t> winners(static_cast<std::size_t>(bags.size() * kDim));
    auto expected_winners = winners;
    find_winners(t.packed.view(), bags, expected_winners, max);
    find_winners(t.far.view(), bags, winners, max);
    EXPECT_EQ(winners, expected_winners);
    std::vector<float> of_weights(static_cast<std::size_t>(kCount));
    auto expected_of_weights = of_weights;
    pool_weight_gradients(t.packed.view(), bags, out.view(), expected_of_weights, max);
    pool_weight_gradients(t.far.view(), bags, out.view(), of_weights, max);
    EXPECT_EQ(of_weights, expected_of_weights);
  });
}

TEST_P(FarTest, QuantizedRows) {
  run([] {
    const Tables t;
    const std::int64_t stride = t.far.view().row_stride() * element_size(Format::f32);
    const TableView far(t.far.view().bytes(), Format::int8, 3, kDim, stride);
    Table packed(3, kDim, {.format = Format::int8});
    convert(t.packed.view(), far);
    convert(t.packed.view(), packed);
    GuardedTable out(kCount, kDim);
    GuardedTable expected(kCount, kDim);
    gather(packed, t.ids, expected.view());
    gather(far, t.ids, out.view());
    EXPECT_TRUE(same(out.view(), expected.view()));
    GuardedTable pooled(kCount / 3, kDim);
    GuardedTable expected_pooled(kCount / 3, kDim);
    for (const Pooling pooling : {Pooling::sum, Pooling::max}) {
      pool(packed, Bags(t.ids, kCount / 3, 3), expected_pooled.view(), {.pooling = pooling});
      pool(far, Bags(t.ids, kCount / 3, 3), pooled.view(), {.pooling = pooling});
      EXPECT_TRUE(same(pooled.view(), expected_pooled.view()));
    }
  });
}

TEST_P(FarTest, Step) {
  run([] {
    Tables t;
    const Plan plan(t.ids, 3);
    Optimizer(AdamOptions{}, 3, kDim).step(t.packed.view(), plan, t.values.view());
    Optimizer(AdamOptions{}, 3, kDim).step(t.far.view(), plan, t.values.view());
    EXPECT_TRUE(same(t.far.view(), t.packed.view()));
    const Plan each(std::vector<std::int32_t>{0, 1, 2}, 3);
    const FarTable far_gradient(kDim);
    std::ranges::fill(far_gradient.view().row(2), 1.0F);
    const float before = t.packed.view().row(2)[0];
    Optimizer(SgdOptions{.learning_rate = 1}, 3, kDim).step(t.packed.view(), each, far_gradient.view());
    EXPECT_EQ(t.packed.view().row(2)[0], before - 1);
  });
}

TEST_P(FarTest, Renormalize) {
  run([] {
    Tables t;
    renormalize(t.packed.view(), t.ids, {.max_norm = 0.5});
    renormalize(t.far.view(), t.ids, {.max_norm = 0.5});
    EXPECT_TRUE(same(t.far.view(), t.packed.view()));
  });
}

TEST_P(FarTest, Initialize) {
  run([] {
    const FarTable far(kDim);
    GuardedTable packed(3, kDim);
    for (const Initializer& initializer : {Initializer::uniform(-1, 1), Initializer::normal(0, 1)}) {
      initialize(far.view(), initializer);
      initialize(packed.view(), initializer);
      EXPECT_TRUE(same(far.view(), packed.view()));
    }
  });
}

}  // namespace
}  // namespace rowmill::test
