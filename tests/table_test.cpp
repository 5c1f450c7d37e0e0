// SPDX-License-Identifier: Apache-2.0
#include "rowmill/table.hpp"

#include <cmath>
#include <cstring>
#include <set>

#include "tests/support/data.hpp"
#include "tests/support/isa_test.hpp"

namespace rowmill::test {
namespace {

class InitializeTest : public IsaTest {};
ROWMILL_INSTANTIATE_ISA_TEST(InitializeTest);

/// FNV-1a over the bits: pins the values that a seed gives.
std::uint64_t hash(const ConstTableView& table) {
  std::uint64_t h = 0xCBF29CE484222325U;
  for (std::int64_t r = 0; r < table.rows(); ++r) {
    for (const float x : table.row(r)) h = (h ^ std::bit_cast<std::uint32_t>(x)) * 0x100000001B3U;
  }
  return h;
}

TEST_P(InitializeTest, GivesTheSameBitsEverywhere) {
  run([] {
    const auto hash_of = [](const Initializer& initializer, std::int64_t dim) {
      return hash(Table(3000, dim, {.name = "words", .initializer = initializer, .seed = 7}).view());
    };
    EXPECT_EQ(hash_of(Initializer::uniform(-1, 2), 256), 7267083380533006081U);
    EXPECT_EQ(hash_of(Initializer::uniform(-1, 2), 3), 15931138860375794216U);
    EXPECT_EQ(hash_of(Initializer::normal(1, 2), 17), 17410802649589223054U);
  });
}

TEST_P(InitializeTest, FillsExactlyTheTable) {
  run([] {
    for (const std::int64_t dim : kDims) {
      for (const Initializer& initializer :
           {Initializer::zeros(), Initializer::constant(3), Initializer::uniform(0, 1), Initializer::normal(0, 1)}) {
        GuardedTable strided(37, dim);
        initialize(strided.view(), initializer, {.seed = 3, .name = "t"});
        EXPECT_TRUE(strided.guards_intact());
        const Table table(37, dim, {.name = "t", .initializer = initializer, .seed = 3});
        EXPECT_TRUE(same(strided.view(), table.view())) << "the stride must not matter";
      }
    }
  });
}

// The same random numbers as a table of floats, each rounded once; several tasks fill the larger table.
template <class T>
void expect_rounded_once() {
  for (const auto& [rows, dim] : {std::pair<std::int64_t, std::int64_t>(37, 5), {3, 3001}, {30'000, 100}}) {
    for (const Initializer& initializer : {Initializer::zeros(), Initializer::constant(1.0F / 3),
                                           Initializer::uniform(-1, 2), Initializer::normal(1, 2)}) {
      if (rows > 37 && initializer.kind == Initializer::Kind::normal) continue;  // which takes long
      const auto make = [&, r = rows, d = dim](Format format) {
        return Table(r, d, {.name = "t", .initializer = initializer, .seed = 3, .format = format});
      };
      const Table floats = make(Format::f32);
      const Table halves = make(format_of<T>);
      ASSERT_EQ(halves.view().format(), format_of<T>);
      for (std::int64_t i = 0; i < rows * dim; ++i) {
        std::uint16_t expected = T(floats.data()[i]).bits;
        // A uniform value is never the upper bound: it is the largest below where rounding would make it so.
        if (initializer.kind == Initializer::Kind::uniform && expected == T(2.0F).bits) --expected;
        ASSERT_EQ(halves.data<T>()[i].bits, expected) << i;
      }
      const Table copy = halves.clone();
      ASSERT_EQ(copy.format(), format_of<T>);
      ASSERT_EQ(std::memcmp(copy.bytes(), halves.bytes(), static_cast<std::size_t>(rows * dim) * sizeof(T)), 0);
    }
  }
}

TEST_P(InitializeTest, RoundsOnceTo16Bits) {
  run([] {
    expect_rounded_once<Bf16>();
    expect_rounded_once<F16>();
  });
}

template <class T>
void expect_nothing_between_rows() {
  constexpr std::uint16_t kGuard = 0xABCD;
  for (const Initializer& initializer :
       {Initializer::constant(3), Initializer::uniform(0, 1), Initializer::normal(0, 1)}) {
    std::vector<T> elements(5 * 7, T::from_bits(kGuard));
    initialize(TableView(elements.data() + 1, 4, 5, 7), initializer, {});
    for (std::size_t i = 0; i < elements.size(); ++i) {
      const bool in_row = i >= 1 && i < 1 + 4 * 7 && (i - 1) % 7 < 5;
      EXPECT_EQ(elements[i].bits != kGuard, in_row) << i;
    }
  }
}

TEST_P(InitializeTest, WritesNothingBetweenRowsOf16Bits) {
  run([] {
    expect_nothing_between_rows<Bf16>();
    expect_nothing_between_rows<F16>();
  });
}

/// Zeros too, which are bytes.
TEST_P(InitializeTest, WritesZerosBetweenNoRows) {
  run([] {
    std::vector<F16> elements(40, F16(1.0F));
    initialize(TableView(elements.data() + 1, 4, 5, 7), Initializer::zeros(), {});
    for (std::size_t i = 0; i < elements.size(); ++i) {
      const bool in_row = i >= 1 && i < 1 + 4 * 7 && (i - 1) % 7 < 5;
      EXPECT_EQ(static_cast<float>(elements[i]), in_row ? 0 : 1) << i;
    }
  });
}

/// What lies beyond the largest F16 is infinity; but a uniform value is below its upper bound.
TEST_P(InitializeTest, OverflowsF16AsIeee754) {
  run([] {
    const auto first_of = [](const Initializer& initializer) {
      const Table table(1, 64, {.initializer = initializer, .format = Format::f16});
      return static_cast<float>(table.data<F16>()[0]);
    };
    EXPECT_EQ(first_of(Initializer::constant(65519)), 65504);
    EXPECT_EQ(first_of(Initializer::constant(65520)), std::numeric_limits<float>::infinity());
    EXPECT_EQ(first_of(Initializer::constant(-1e30F)), -std::numeric_limits<float>::infinity());
    EXPECT_EQ(first_of(Initializer::normal(1e6F, 1)), std::numeric_limits<float>::infinity());
    EXPECT_EQ(first_of(Initializer::uniform(65000, 1e6F)), 65504);
    EXPECT_EQ(first_of(Initializer::constant(0x1p-24F)), 0x1p-24F);
  });
}

// Where floats lie far apart, rounding would make the sum the upper bound.
TEST_P(InitializeTest, UniformNeverReachesItsUpperBound) {
  run([] {
    for (const auto& [low, high] :
         {std::pair(100.0F, 101.0F), {1e8F, 1e8F + 16}, {-101.0F, -100.0F}, {-1e-45F, 0.0F}}) {
      const auto values_of = [&, l = low, h = high](Format format) {
        return Table(2000, 256, {.initializer = Initializer::uniform(l, h), .seed = 1, .format = format});
      };
      const Table floats = values_of(Format::f32);
      const Table halves = values_of(Format::bf16);
      const Table f16 = values_of(Format::f16);
      float most = low;
      for (std::int64_t i = 0; i < 2000 * 256; ++i) {
        ASSERT_GE(floats.data()[i], low) << i;
        ASSERT_LT(floats.data()[i], high) << i;
        most = std::max(most, floats.data()[i]);
        ASSERT_TRUE(high - low != 1 || static_cast<float>(halves.data<Bf16>()[i]) < high) << i;
        ASSERT_TRUE(high - low != 1 || static_cast<float>(f16.data<F16>()[i]) < high) << i;
      }
      EXPECT_EQ(most, std::nextafter(high, low)) << "the largest float below it occurs";
    }
    const Table constant(20, 20, {.initializer = Initializer::uniform(3, 3)});
    for (std::int64_t i = 0; i < 400; ++i) ASSERT_EQ(constant.data()[i], 3);
  });
}

// Known answers of the authors' Random123 library (kat_vectors, philox4x32 10).
TEST(Philox, GivesTheKnownAnswers) {
  using Words = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox4x32_10({0, 0, 0, 0}, {0, 0}), (Words{0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8}));
  constexpr std::uint32_t kOnes = 0xFFFFFFFF;
  EXPECT_EQ(philox4x32_10({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Words{0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD}));
  EXPECT_EQ(philox4x32_10({0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344}, {0xA4093822, 0x299F31D0}),
            (Words{0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1}));
}

struct Moments {
  double mean = 0, variance = 0, min = 1e30, max = -1e30;
};

Moments moments(const Table& table) {
  Moments m;
  const auto n = static_cast<double>(table.rows() * table.dim());
  for (std::int64_t i = 0; i < table.rows() * table.dim(); ++i) {
    const double x = static_cast<double>(table.data()[i]);
    m.mean += x / n;
    m.min = std::min(m.min, x);
    m.max = std::max(m.max, x);
  }
  for (std::int64_t i = 0; i < table.rows() * table.dim(); ++i) {
    m.variance += std::pow(static_cast<double>(table.data()[i]) - m.mean, 2) / n;
  }
  return m;
}

TEST(Initializer, HasTheMomentsItPromises) {
  const Moments uniform = moments(Table(1000, 100, {.initializer = Initializer::uniform(-1, 3)}));
  EXPECT_NEAR(uniform.mean, 1, 0.02);
  EXPECT_NEAR(uniform.variance, 16.0 / 12, 0.02);
  EXPECT_GE(uniform.min, -1);
  EXPECT_LE(uniform.max, 3);

  const Moments normal = moments(Table(1000, 100, {.initializer = Initializer::normal(5, 2)}));
  EXPECT_NEAR(normal.mean, 5, 0.03);
  EXPECT_NEAR(normal.variance, 4, 0.06);
  EXPECT_GT(normal.max, 5 + 2 * 3.5);

  const double limit = std::sqrt(3.0 / 256);
  const Moments trax = moments(Table(1000, 256, {.initializer = Initializer::scaled_uniform_fan_out(256)}));
  EXPECT_NEAR(trax.min, -limit, 1e-5);
  EXPECT_NEAR(trax.max, limit, 1e-5);
  EXPECT_NEAR(trax.variance, 1.0 / 256, 5e-5);
}

TEST(Initializer, SeparatesTables) {
  const auto make = [](const char* name, std::uint64_t seed, std::uint64_t stream) {
    return hash(Table(10, 10, {.name = name, .initializer = Initializer::uniform(0, 1), .seed = seed, .stream = stream})
                    .view());
  };
  const std::set<std::uint64_t> hashes = {make("a", 1, 0), make("b", 1, 0), make("a", 2, 0), make("a", 1, 1)};
  EXPECT_EQ(hashes.size(), 4U);
  EXPECT_EQ(make("a", 1, 0), make("a", 1, 0));
}

TEST(TableTest, MovesAndClones) {
  Table table(1000, 1000, {.name = "big", .initializer = Initializer::uniform(0, 1)});
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(table.data()) % (1 << 21), 0U) << "large tables lie on huge pages";
  Table copy = table.clone();
  EXPECT_TRUE(same(copy.view(), table.view()));
  copy.data()[0] = 5;
  EXPECT_NE(table.data()[0], 5);
  const float* data = table.data();
  const ConstTableView view = table.view();
  const Table moved = std::move(table);
  EXPECT_EQ(moved.data(), data);
  EXPECT_EQ(moved.view().name(), "big");
  EXPECT_EQ(view.name().data(), moved.name().data()) << "a view's name moves with the table";
  EXPECT_EQ(table.rows(), 0);  // NOLINT(bugprone-use-after-move): is what is tested
  EXPECT_EQ(table.clone().rows(), 0);
  EXPECT_EQ(Table().clone().rows(), 0);
}

}  // namespace
}  // namespace rowmill::test
