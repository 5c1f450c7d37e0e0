// SPDX-License-Identifier: Apache-2.0
// Bad input gets one clear error with the numbers in it, and nothing is changed.
#include <functional>
#include <limits>
#include <new>
#include <stdexcept>

#include "kernels/core/checks.hpp"
#include "layers/c_interface/call.hpp"
#include "rowmill/c.h"
#include "rowmill/rowmill.hpp"
#include "tests/support/data.hpp"
#include "tests/support/failure.hpp"
#include "tests/support/isa_test.hpp"

// The sanitizers read these: without them, they end a program that asks for more memory than any system has.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }
extern "C" const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() { return "allocator_may_return_null=1"; }

namespace rowmill::test {
namespace {

using std::numeric_limits;

class BadCall : public testing::Test {
 protected:
  GuardedTable table_ = GuardedTable(10, 4).fill(1);
  GuardedTable other_ = GuardedTable(3, 4).fill(2);
  const GuardedTable table_before_ = table_;
  const GuardedTable other_before_ = other_;
  const std::vector<std::int32_t> ids_ = {1, 2, 3};

  void TearDown() override {
    EXPECT_TRUE(same(table_.view(), table_before_.view()));
    EXPECT_TRUE(same(other_.view(), other_before_.view()));
    EXPECT_TRUE(table_.guards_intact());
    EXPECT_TRUE(other_.guards_intact());
  }
};

TEST_F(BadCall, LengthsOfBags) {
  const std::vector<std::int64_t> before(4, -7);
  std::vector<std::int64_t> offsets = before;
  const auto make = [&](const std::vector<std::int32_t>& lengths, std::span<std::int64_t> to) {
    return [&, lengths, to] { (void)Bags::from_lengths(ids_, lengths, to); };
  };
  expect_failure(make({1, -1, 3}, offsets), ErrorCode::invalid_argument,
                 "rowmill: bags: lengths[1] = -1; it must be 0 to 2, the ids that are left");
  expect_failure(make({1, 1, 2}, offsets), ErrorCode::invalid_argument,
                 "rowmill: bags: lengths[2] = 2; it must be 0 to 1, the ids that are left");
  expect_failure(make({1, 1}, offsets), ErrorCode::shape_mismatch,
                 "rowmill: bags: lengths (2) sum to 2; there are 3 ids");
  expect_failure(make({1, 1, 1}, std::span(offsets).first(3)), ErrorCode::shape_mismatch,
                 "rowmill: bags: offsets (3) must have at least 4 elements: one more than there are lengths");
  expect_failure([&] { (void)Bags::from_lengths(ids_, Ids(offsets.data(), 3), offsets); }, ErrorCode::overlap,
                 "rowmill: bags: offsets (4) shares memory with lengths (3)");
  expect_failure([&] { (void)Bags::from_lengths(ids_, Ids(static_cast<std::int32_t*>(nullptr), 3), offsets); },
                 ErrorCode::invalid_argument, "rowmill: bags: lengths (3) has a null pointer");
  EXPECT_EQ(offsets, before);
}

TEST_F(BadCall, IdOutOfRange) {
  for (const std::int32_t bad : {-1, 10, numeric_limits<std::int32_t>::max()}) {
    const std::vector<std::int32_t> ids = {9, 0, bad};
    const std::string message =
        "ids[2] = " + std::to_string(bad) + " is out of range for the table of 10 rows (allowed: 0 to 9)";
    expect_failure([&] { gather(table_.view(), ids, other_.view()); }, ErrorCode::id_out_of_range,
                   "rowmill: gather: " + message);
    expect_failure([&] { scatter_add(table_.view(), ids, other_.view()); }, ErrorCode::id_out_of_range,
                   "rowmill: scatter_add: " + message);
    expect_failure([&] { const Plan plan(ids, 10); }, ErrorCode::id_out_of_range, "rowmill: plan: " + message);
  }
  try {
    gather(table_.view(), std::vector<std::int64_t>{0, -11, 4}, other_.view(),
           {.out_of_range = OutOfRange::wrap_negative});
    FAIL();
  } catch (const IdError& e) {
    EXPECT_EQ(e.position(), 1);
    EXPECT_EQ(e.value(), -11);
    EXPECT_NE(std::string(e.what()).find("(allowed: -10 to 9)"), std::string::npos) << e.what();
  }
}

TEST_F(BadCall, OptionsThatAreNoneOfTheirEnum) {
  const auto policy = static_cast<OutOfRange>(9);
  const auto message = [](auto f) { return failure_of(f).message; };
  EXPECT_EQ(message([&] { gather(table_.view(), ids_, other_.view(), {.out_of_range = policy}); }),
            "rowmill: gather: out_of_range is 9; allowed: 0 to 4");
  EXPECT_EQ(message([&] { gather(table_.view(), ids_, other_.view(), {.stores = static_cast<Stores>(3)}); }),
            "rowmill: gather: stores is 3; allowed: 0 to 2");
  EXPECT_EQ(message([&] { pool(table_.view(), Bags(ids_, 3, 1), other_.view(), {.out_of_range = policy}); }),
            "rowmill: pool: out_of_range is 9; allowed: 0 to 4");
  EXPECT_EQ(message([&] { scatter_add(table_.view(), ids_, other_.view(), {.out_of_range = policy}); }),
            "rowmill: scatter_add: out_of_range is 9; allowed: 0 to 4");
  EXPECT_EQ(message([&] { Plan(ids_, 10, {.out_of_range = policy}); }),
            "rowmill: plan: out_of_range is 9; allowed: 0 to 4");
  EXPECT_EQ(message([&] { Embedding({.rows = 10, .dim = 4, .out_of_range = policy}); }),
            "rowmill: embedding: out_of_range is 9; allowed: 0 to 4");
  EXPECT_EQ(message([&] { EmbeddingBag({.rows = 10, .dim = 4, .out_of_range = policy}); }),
            "rowmill: embedding_bag: out_of_range is 9; allowed: 0 to 4");
}

TEST_F(BadCall, ClipInAnEmptyTable) {
  const TableView empty(nullptr, 0, 4);
  const std::string message =
      "ids[0] = 1 is out of range for the table of 0 rows (allowed: none, the table has no rows)";
  expect_failure([&] { gather(empty, ids_, other_.view(), {.out_of_range = OutOfRange::clip}); },
                 ErrorCode::id_out_of_range, "rowmill: gather: " + message);
  expect_failure([&] { scatter_add(empty, ids_, other_.view(), {.out_of_range = OutOfRange::clip}); },
                 ErrorCode::id_out_of_range, "rowmill: scatter_add: " + message);
}

TEST_F(BadCall, ShapesThatDisagree) {
  GuardedTable wide(3, 5);
  expect_failure([&] { gather(table_.view(), ids_, wide.view()); }, ErrorCode::shape_mismatch,
                 "rowmill: gather: out (3 x 5) must be 3 x 4: ids.size() x the table's dim");
  expect_failure([&] { gather(table_.view(), std::vector<std::int32_t>{1}, other_.view()); }, ErrorCode::shape_mismatch,
                 "rowmill: gather: out (3 x 4) must be 1 x 4: ids.size() x the table's dim");
  expect_failure([&] { scatter_add(table_.view(), std::vector<std::int32_t>{1}, other_.view()); },
                 ErrorCode::shape_mismatch,
                 "rowmill: scatter_add: values (3 x 4) must be 1 x 4: ids.size() x the table's dim");
  const Plan plan(ids_, 11);
  expect_failure([&] { scatter_add(table_.view(), plan, other_.view()); }, ErrorCode::shape_mismatch,
                 "rowmill: scatter_add: the plan is for tables of 11 rows; table (10 x 4) has another number");
  Optimizer sgd(SgdOptions{}, 10, 4);
  expect_failure([&] { sgd.step(table_.view(), plan, other_.view()); }, ErrorCode::shape_mismatch,
                 "rowmill: sgd: the plan is for tables of 11 rows; table (10 x 4) has another number");
  expect_failure([&] { sgd.step(table_.view(), Plan(std::vector<std::int32_t>{1}, 10), other_.view()); },
                 ErrorCode::shape_mismatch, "rowmill: sgd: the gradients have 3 rows; the plan's ids or bags need 1");
  expect_failure([&] { sgd.step(wide.view(), plan, other_.view()); }, ErrorCode::shape_mismatch,
                 "rowmill: sgd: weights (3 x 5) must be 10 x 4: the shape this optimizer was made for");
  EXPECT_EQ(sgd.step_count(), 0);
}

TEST_F(BadCall, BadViews) {
  const auto expect_bad_table = [&](const TableView& table, ErrorCode code, const std::string& what) {
    expect_failure([&] { gather(table, ids_, other_.view()); }, code, "rowmill: gather: table " + what);
  };
  expect_bad_table({nullptr, 10, 4}, ErrorCode::invalid_argument, "(10 x 4) has a null pointer");
  expect_bad_table({table_.view().data(), 10, -2}, ErrorCode::invalid_argument,
                   "(10 x -2) has dim -2; it must be at least 0");
  expect_bad_table({table_.view().data(), -1, 4}, ErrorCode::invalid_argument,
                   "(-1 x 4) has a negative number of rows");
  expect_bad_table({table_.view().data(), 10, 4, -4}, ErrorCode::invalid_argument,
                   "(10 x 4) has row stride -4; it must be at least 0");
  expect_bad_table({table_.view().data(), 1LL << 60, 1LL << 10}, ErrorCode::invalid_argument,
                   "(1152921504606846976 x 1024) with row stride 1024 is larger than 2^63 bytes");
  expect_bad_table({table_.view().data(), 0, 1LL << 62}, ErrorCode::invalid_argument,
                   "(0 x 4611686018427387904) has rows that are larger than 2^63 bytes");
  auto* const askew = reinterpret_cast<float*>(reinterpret_cast<char*>(table_.view().data()) + 1);
  expect_bad_table({askew, 2, 4}, ErrorCode::invalid_argument, "(2 x 4) is not aligned to its elements");

  expect_failure([&] { gather(table_.view(), ids_, TableView(other_.view().data(), 3, 4, 3)); }, ErrorCode::overlap,
                 "rowmill: gather: out (3 x 4) has row stride 3: its rows overlap; to be written it needs at least 4");
  expect_failure([&] { gather(table_.view(), Ids(static_cast<std::int32_t*>(nullptr), 3), other_.view()); },
                 ErrorCode::invalid_argument, "rowmill: gather: ids (3) has a null pointer");
  expect_failure([&] { gather(table_.view(), Ids(ids_.data(), -3), other_.view()); }, ErrorCode::invalid_argument,
                 "rowmill: gather: ids (-3) has a negative size");
}

TEST_F(BadCall, FormatsThatAreNotSupported) {
  const auto unknown = static_cast<Format>(99);
  expect_failure([&] { gather(TableView(table_.view().bytes(), unknown, 10, 4, 4), ids_, other_.view()); },
                 ErrorCode::invalid_argument, "rowmill: gather: table (10 x 4) has format 99, which is unknown");
  expect_failure([&] { const Table table(10, 4, {.format = unknown}); }, ErrorCode::invalid_argument,
                 "rowmill: table (10 x 4) has format 99, which is unknown");

  Table gradient(3, 4, {.format = Format::bf16});
  Table codes(3, 4, {.format = Format::int8});
  expect_failure([&] { pool(table_.view(), Bags(ids_, 3, 1), codes); }, ErrorCode::invalid_argument,
                 "rowmill: pool: out (3 x 4) has format int8; supported: f32, bf16, f16");
  expect_failure([&] { scatter_add(table_.view(), ids_, codes); }, ErrorCode::invalid_argument,
                 "rowmill: scatter_add: values (3 x 4) has format int8; supported: f32, bf16, f16");
  Optimizer adam(AdamOptions{}, 10, 4);
  Table integers(3, 4, {.format = Format::i16});
  expect_failure([&] { adam.step(table_.view(), Plan(ids_, 10), integers); }, ErrorCode::invalid_argument,
                 "rowmill: adam: gradient (3 x 4) has format i16; supported: f32, bf16, f16");
}

TEST_F(BadCall, BytesAndOverlapFollowTheFormat) {
  std::vector<Bf16> buffer(30);
  const auto fails_with = [&](const ConstTableView& table, const TableView& out) {
    return failure_of([&] { gather(table, ids_, out); }).message;
  };
  // A table of 2^61 elements is 2^62 bytes of bf16; of floats it would be too large.
  EXPECT_EQ(fails_with({buffer.data(), 1LL << 51, 1LL << 10}, other_.view()).find("is larger"), std::string::npos);
  auto* const askew = reinterpret_cast<Bf16*>(reinterpret_cast<char*>(buffer.data()) + 1);
  EXPECT_EQ(fails_with({askew, 2, 4}, other_.view()), "rowmill: gather: table (2 x 4) is not aligned to its elements");
  EXPECT_EQ(fails_with({buffer.data() + 1, 2, 4}, other_.view()).find("aligned"), std::string::npos);

  const auto overlaps = [&](std::int64_t apart) {
    const TableView a(buffer.data(), 3, 4, 8);
    const TableView b(buffer.data() + apart, 3, 4, 8);
    return !failure_of([&] { check_disjoint("test", "a", a, "b", b); }).message.empty();
  };
  EXPECT_TRUE(overlaps(3));
  EXPECT_FALSE(overlaps(4));
  EXPECT_TRUE(overlaps(5));
}

TEST_F(BadCall, FailedStepIsNotCounted) {
  Optimizer adam(AdamOptions{}, 10, 4);
  expect_failure([&] { adam.step(table_.view(), Plan(ids_, 10), TableView(other_.view().data(), 2, 4)); },
                 ErrorCode::shape_mismatch, "rowmill: adam: the gradients have 2 rows; the plan's ids or bags need 3");
  EXPECT_EQ(adam.step_count(), 0);
}

TEST_F(BadCall, OverlappingViews) {
  const TableView part(table_.view().row(6).data(), 3, 4, table_.view().row_stride());
  expect_failure([&] { gather(table_.view(), ids_, part); }, ErrorCode::overlap,
                 "rowmill: gather: out (3 x 4) shares elements with table (10 x 4)");
  expect_failure([&] { scatter_add(table_.view(), ids_, part); }, ErrorCode::overlap,
                 "rowmill: scatter_add: table (10 x 4) shares elements with values (3 x 4)");
  expect_failure([&] { Optimizer(SgdOptions{}, 10, 4).step(table_.view(), Plan(ids_, 10), part); }, ErrorCode::overlap,
                 "rowmill: sgd: weights (10 x 4) shares elements with gradient (3 x 4)");

  std::vector<std::int32_t> buffer(12);
  auto* const floats = reinterpret_cast<float*>(buffer.data());
  expect_failure([&] { gather(table_.view(), Ids(buffer.data(), 3), TableView(floats, 3, 4)); }, ErrorCode::overlap,
                 "rowmill: gather: out (3 x 4) shares memory with ids (3)");
  Optimizer adam(AdamOptions{}, 10, 4, "words");
  expect_failure([&] { adam.step(adam.state()[0], Plan(ids_, 10), other_.view()); }, ErrorCode::overlap,
                 "rowmill: adam: weights 'words.m' (10 x 4) shares elements with state 'words.m' (10 x 4)");
  std::fill(buffer.begin(), buffer.end(), 0);
  buffer[3] = 3;
  expect_failure([&] { pool(table_.view(), Bags(ids_, Ids(buffer.data(), 4)), TableView(floats, 3, 4)); },
                 ErrorCode::overlap, "rowmill: pool: out (3 x 4) shares memory with offsets (4)");
}

TEST_F(BadCall, Bags) {
  const auto expect_bad_bags = [&](const Bags& bags, ErrorCode code, const std::string& what) {
    expect_failure([&] { pool(table_.view(), bags, other_.view()); }, code, "rowmill: pool: " + what);
    expect_failure([&] { const Plan plan(bags, 10); }, code, "rowmill: plan: " + what);
  };
  const auto offsets = [](std::vector<std::int64_t> list) { return list; };
  const auto late = offsets({1, 1, 2, 3});
  const auto falling = offsets({0, 2, 1, 3});
  const auto beyond = offsets({0, 2, 4, 4});
  const auto early = offsets({0, 1, 2, 2});
  expect_bad_bags({ids_, late}, ErrorCode::invalid_argument, "offsets[0] = 1; it must be 0");
  expect_bad_bags({ids_, falling}, ErrorCode::invalid_argument, "offsets[2] = 1; it must be 2 to 3");
  expect_bad_bags({ids_, beyond}, ErrorCode::invalid_argument, "offsets[2] = 4; it must be 2 to 3");
  expect_bad_bags({ids_, early}, ErrorCode::invalid_argument, "offsets[3] = 2; it must be 3, the number of ids");
  expect_bad_bags({ids_, offsets({})}, ErrorCode::invalid_argument,
                  "offsets (0) must have an element more than there are bags");
  expect_bad_bags({ids_, Ids(static_cast<const std::int32_t*>(nullptr), 4)}, ErrorCode::invalid_argument,
                  "offsets (4) has a null pointer");
  const auto without_last = [&](const std::vector<std::int64_t>& list) {
    return Bags::from_offsets(ids_, list, LastOffset::absent);
  };
  expect_bad_bags(without_last(late), ErrorCode::invalid_argument, "offsets[0] = 1; it must be 0");
  expect_bad_bags(without_last(falling), ErrorCode::invalid_argument, "offsets[2] = 1; it must be 2 to 3");
  expect_bad_bags(without_last(beyond), ErrorCode::invalid_argument, "offsets[2] = 4; it must be 2 to 3");
  expect_bad_bags(without_last({}), ErrorCode::invalid_argument, "offsets (0) have no bag for the ids (3)");
  expect_bad_bags({ids_, 3, 2}, ErrorCode::shape_mismatch, "ids (3) are not 3 bags of 2");
  expect_bad_bags({ids_, -3, -1}, ErrorCode::shape_mismatch, "ids (3) are not -3 bags of -1");

  const std::vector<std::int32_t> bad = {1, 2, 10};
  const auto good = offsets({0, 0, 3, 3});
  expect_bad_bags({bad, good}, ErrorCode::id_out_of_range,
                  "ids[2] (bag 1) = 10 is out of range for the table of 10 rows (allowed: 0 to 9)");
  expect_bad_bags({bad, 3, 1}, ErrorCode::id_out_of_range,
                  "ids[2] (bag 2) = 10 is out of range for the table of 10 rows (allowed: 0 to 9)");
  expect_failure([&] { pool(table_.view(), Bags(ids_, 1, 3), other_.view()); }, ErrorCode::shape_mismatch,
                 "rowmill: pool: out (3 x 4) must be 1 x 4: bags.size() x the table's dim");
  expect_failure([&] { pool(table_.view(), Bags(ids_, 3, 1), TableView(table_.view().row(6).data(), 3, 4, 9)); },
                 ErrorCode::overlap, "rowmill: pool: out (3 x 4) shares elements with table (10 x 4)");
}

TEST_F(BadCall, WeightsPaddingAndPooling) {
  const std::vector<float> two(2);
  const Bags bags(ids_, 3, 1);
  const auto expect_bad = [&](const Bags& bad, const PoolOptions& options, ErrorCode code, const std::string& what) {
    std::vector<float> out(3, 7.0F);
    expect_failure([&] { pool(table_.view(), bad, other_.view(), options); }, code, "rowmill: pool: " + what);
    expect_failure([&] { pool_weight_gradients(table_.view(), bad, other_.view(), out, options); }, code,
                   "rowmill: pool_weight_gradients: " + what);
    EXPECT_EQ(out, std::vector<float>(3, 7.0F));
  };
  expect_bad(bags.with_weights(two), {}, ErrorCode::shape_mismatch, "weights (2) must have 3 values: one for each id");
  expect_bad(bags.with_weights({static_cast<const float*>(nullptr), 3}), {}, ErrorCode::invalid_argument,
             "weights (3) has a null pointer");
  expect_bad(bags, {.pooling = Pooling::sum, .divisor = Divisor::weights}, ErrorCode::invalid_argument,
             "a sum has no divisor; only mean and sqrtn divide by weights");
  expect_bad(bags, {.pooling = Pooling::max, .divisor = Divisor::weights}, ErrorCode::invalid_argument,
             "a max has no divisor; only mean and sqrtn divide by weights");
  const std::vector<std::int64_t> negative = {-1, 2, -2};
  expect_bad(Bags(negative, 3, 1).with_padding(-1), {}, ErrorCode::id_out_of_range,
             "ids[2] (bag 2) = -2 is out of range for the table of 10 rows (allowed: 0 to 9; padding is -1)");
  const TableView out(const_cast<float*>(two.data()), 1, 2);
  expect_failure(
      [&] {
        pool(TableView(table_.view().data(), 10, 2), Bags(ids_, 1, 3).with_weights({two.data() - 1, 3}), out);
      },
      ErrorCode::overlap, "rowmill: pool: out (1 x 2) shares memory with weights (3)");
}

TEST_F(BadCall, WinnersAndGradientsOfWeights) {
  std::vector<std::int32_t> winners(12, -7);
  std::vector<float> out(3);
  const Bags bags(ids_, 3, 1);
  const PoolOptions max{.pooling = Pooling::max};
  expect_failure([&] { find_winners(table_.view(), bags, winners, {}); }, ErrorCode::invalid_argument,
                 "rowmill: find_winners: the pooling must be max: no other has winners");
  expect_failure([&] { find_winners(table_.view(), bags, std::span(winners).first(11), max); },
                 ErrorCode::shape_mismatch,
                 "rowmill: find_winners: winners (11) must be 3 x 4: bags.size() x the table's dim");
  expect_failure(
      [&] {
        find_winners(table_.view(), bags, {static_cast<std::int32_t*>(nullptr), 12}, max);
      },
      ErrorCode::invalid_argument, "rowmill: find_winners: winners (12) has a null pointer");
  expect_failure([&] { find_winners(table_.view(), Bags(Ids(winners.data(), 3), 3, 1), winners, max); },
                 ErrorCode::overlap, "rowmill: find_winners: winners (12) shares memory with ids (3)");
  const std::vector<std::int32_t> bad = {1, 2, 10};
  expect_failure(
      [&] { find_winners(table_.view(), Bags(bad, 3, 1), winners, max); }, ErrorCode::id_out_of_range,
      "rowmill: find_winners: ids[2] (bag 2) = 10 is out of range for the table of 10 rows (allowed: 0 to 9)");
  EXPECT_EQ(winners, std::vector<std::int32_t>(12, -7));
  // Bags that are longer than int32 counts, of one id again and again.
  const auto many = Ids::strided(ids_.data(), (1LL << 31), 0);
  expect_failure([&] { find_winners(TableView(table_.view().data(), 10, 12), Bags(many, 1, 1LL << 31), winners, max); },
                 ErrorCode::invalid_argument,
                 "rowmill: find_winners: bag 0 has 2147483648 ids; a max takes at most 2147483647");

  expect_failure([&] { pool_weight_gradients(table_.view(), bags, other_.view(), std::span(out).first(2), {}); },
                 ErrorCode::shape_mismatch,
                 "rowmill: pool_weight_gradients: out (2) must have 3 values: one for each id");
  expect_failure([&] { pool_weight_gradients(table_.view(), Bags(ids_, 1, 3), other_.view(), out, {}); },
                 ErrorCode::shape_mismatch,
                 "rowmill: pool_weight_gradients: gradient (3 x 4) must be 1 x 4: bags.size() x the table's dim");
  expect_failure([&] { pool_weight_gradients(table_.view(), bags, other_.view(), other_.view().row(0).first(3), {}); },
                 ErrorCode::overlap, "rowmill: pool_weight_gradients: gradient (3 x 4) shares memory with out (3)");
  expect_failure([&] { (void)pool_memory_required(Bags(Ids(), 1LL << 40, 0), 1LL << 40, max); },
                 ErrorCode::invalid_argument, "rowmill: pool: 1099511627776 bags x dim 1099511627776 is not a size");
}

TEST_F(BadCall, OverlapIsJudgedByElement) {
  // Every placement of two small strided views, against a count of shared elements.
  std::vector<float> buffer(80);
  for (std::int64_t stride_a = 2; stride_a <= 7; ++stride_a) {
    for (std::int64_t stride_b = 0; stride_b <= 7; ++stride_b) {
      for (std::int64_t offset = 0; offset < 40; ++offset) {
        const TableView out(buffer.data() + 20, 3, 2, stride_a);
        const ConstTableView table(buffer.data() + offset, 4, 2, stride_b);
        std::vector<bool> used(buffer.size());
        for (std::int64_t r = 0; r < 4; ++r) {
          for (std::int64_t c = 0; c < 2; ++c) used[static_cast<std::size_t>(offset + r * stride_b + c)] = true;
        }
        bool shares = false;
        for (std::int64_t r = 0; r < 3; ++r) {
          for (std::int64_t c = 0; c < 2; ++c) shares |= used[static_cast<std::size_t>(20 + r * stride_a + c)];
        }
        const Failure failure = failure_of([&] { gather(table, ids_, out); });
        ASSERT_EQ(!failure.message.empty(), shares) << stride_a << " " << stride_b << " " << offset;
      }
    }
  }
}

TEST_F(BadCall, OffsetsAreNamedByPosition) {
  const std::vector<std::int64_t> falling = {0, 2, 1, 3};
  try {
    const Plan plan(Bags(ids_, falling), 10);
    FAIL();
  } catch (const PositionError& e) {
    EXPECT_EQ(e.code(), ErrorCode::invalid_argument);
    EXPECT_EQ(e.position(), 2);
    EXPECT_EQ(e.value(), 1);
  }
}

TEST_F(BadCall, OneRowDoesNotOverlapItself) {
  for (const std::int64_t stride : {0, 1}) {
    std::vector<float> row(4);
    const TableView out(row.data(), 1, 4, stride);
    gather(table_.view(), std::vector<std::int32_t>{7}, out);
    EXPECT_TRUE(same(out, {table_.view().row(7).data(), 1, 4}));
    pool(table_.view(), Bags(ids_, 1, 3), out);
    const std::vector<float> sum = row;
    scatter_add(out, std::vector<std::int32_t>{0}, TableView(other_.view().data(), 1, 4));
    for (std::size_t c = 0; c < 4; ++c) EXPECT_EQ(row[c], sum[c] + other_.view().row(0)[c]);
    Optimizer sgd(SgdOptions{.learning_rate = 1}, 1, 4);
    sgd.step(out, Plan(std::vector<std::int32_t>{0}, 1), TableView(other_.view().data(), 1, 4));
    for (std::size_t c = 0; c < 4; ++c) EXPECT_EQ(row[c], sum[c] + other_.view().row(0)[c] - other_.view().row(0)[c]);
    initialize(out, Initializer::constant(2));
    EXPECT_EQ(row, std::vector<float>(4, 2.0F));
  }
  expect_failure(
      [&] {
        gather(table_.view(), std::vector<int>{1, 2}, TableView(other_.view().data(), 2, 4, 0));
      },
      ErrorCode::overlap,
      "rowmill: gather: out (2 x 4) has row stride 0: its rows overlap; to be written it needs at least 4");
}

TEST_F(BadCall, ZeroIdsChangeNoRow) {
  const std::vector<std::int64_t> none;
  gather(table_.view(), none, TableView(nullptr, 0, 4));
  gather(TableView(nullptr, 0, 4), none, TableView(nullptr, 0, 4), {.out_of_range = OutOfRange::clip});
  scatter_add(table_.view(), none, TableView(nullptr, 0, 4));
  Optimizer adam(AdamOptions{}, 10, 4);
  adam.step(table_.view(), Plan(none, 10), ConstTableView(nullptr, 0, 4));
  adam.step(table_.view(), Plan(none, 10), std::span<const ConstTableView>());
  EXPECT_EQ(adam.step_count(), 2) << "as with torch.optim.SparseAdam";
}

TEST(BadTable, IsRefused) {
  expect_failure([] { const Table table(-1, 4); }, ErrorCode::invalid_argument,
                 "rowmill: table (-1 x 4) has a negative number of rows");
  expect_failure([] { const Table table(4, -1, {.name = "words"}); }, ErrorCode::invalid_argument,
                 "rowmill: table 'words' (4 x -1) has dim -1; it must be at least 0");
  expect_failure([] { const Table table(1LL << 40, 1LL << 40); }, ErrorCode::invalid_argument,
                 "rowmill: table (1099511627776 x 1099511627776) is larger than 2^63 bytes");
  expect_failure([] { const Table table(0, 1LL << 62); }, ErrorCode::invalid_argument,
                 "rowmill: table (0 x 4611686018427387904) is larger than 2^63 bytes");
  expect_failure([] { const Table table(1LL << 40, 1LL << 10, {.name = "words"}); }, ErrorCode::out_of_memory,
                 "rowmill: table 'words' (1099511627776 x 1024): the system refused 4503599627370496 bytes of memory");
  const Table empty(0, 4);
  EXPECT_EQ(empty.rows(), 0);
}

TEST(BadTable, InitializersAreChecked) {
  const auto message = [](const Initializer& initializer) {
    return failure_of([&] { const Table table(2, 2, {.initializer = initializer}); }).message;
  };
  EXPECT_EQ(message(Initializer::uniform(1, 0)), "rowmill: initializer: low is 1, above high, 0");
  EXPECT_EQ(message(Initializer::normal(0, -1)), "rowmill: initializer: stddev is -1; it must be at least 0");
  EXPECT_NE(message(Initializer::constant(std::nanf(""))), "");
  EXPECT_NE(message(Initializer::uniform(-3e38F, 3e38F)), "");
}

TEST(CInterface, LetsNoExceptionOut) {
  struct Unheard : std::runtime_error {
    Unheard() : std::runtime_error("unheard of") {}
  };
  EXPECT_EQ(c_interface::call([] { throw Unheard(); }), ROWMILL_UNEXPECTED);
  EXPECT_STREQ(rowmill_last_error_message(), "unheard of");
  EXPECT_EQ(c_interface::call([] { throw std::bad_alloc(); }), ROWMILL_OUT_OF_MEMORY);
  EXPECT_STREQ(rowmill_last_error_message(), "rowmill: the system refused memory");
  EXPECT_EQ(c_interface::call([] { throw 1; }), ROWMILL_UNEXPECTED);
  EXPECT_STREQ(rowmill_last_error_message(), "rowmill: an exception of an unknown type");
}

TEST(BadWorkspace, IsRefusedAndUnchanged) {
  Workspace workspace(100);
  EXPECT_EQ(failure_of([&] { workspace.reserve(std::size_t{1} << 60); }).code, ErrorCode::out_of_memory);
  for (const std::size_t less : {0U, 1U, 62U, 63U, 64U, 1000U}) {  // which are rounded up to a cache line
    const std::size_t bytes = numeric_limits<std::size_t>::max() - less;
    EXPECT_EQ(failure_of([&] { workspace.reserve(bytes); }).code, ErrorCode::out_of_memory) << bytes;
  }
  EXPECT_EQ(workspace.capacity(), 100U);
}

TEST(BadWorkspace, SizesThatOverflowAreTheLargest) {
  constexpr std::int64_t kMost = std::int64_t{1} << 56;
  const std::size_t most = numeric_limits<std::size_t>::max() - 63;
  EXPECT_EQ(sum_gradients_memory_required(kMost, kMost), most);
  const Optimizer sgd(SgdOptions{}, 10, kMost);
  EXPECT_EQ(sgd.memory_required(kMost, 1, GradientOptions{.clip_value = 1.0}), most);
  EXPECT_EQ(failure_of([&] { (void)sgd.memory_required(-1); }).message,
            "rowmill: sgd: id_count is -1; allowed: 0 to 72057594037927936");
  EXPECT_EQ(failure_of([&] { (void)sgd.memory_required(1, -1); }).message,
            "rowmill: sgd: passes is -1; allowed: 0 to 72057594037927936");
  EXPECT_EQ(failure_of([&] { (void)sum_gradients_memory_required(1, -4); }).message,
            "rowmill: sum_gradients: dim is -4; allowed: 0 to 72057594037927936");
}

}  // namespace
}  // namespace rowmill::test
