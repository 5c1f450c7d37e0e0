// SPDX-License-Identifier: Apache-2.0
// Tables of float64 and integers: lookups, scatter_add, conversions and first values, against plain loops that share no
// code with the library.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "rowmill/convert.hpp"
#include "rowmill/gather.hpp"
#include "rowmill/plan.hpp"
#include "rowmill/pool.hpp"
#include "rowmill/scatter_add.hpp"
#include "rowmill/table.hpp"
#include "tests/exact/exact_data.hpp"

namespace rowmill::test {
namespace {

constexpr std::int64_t kWidths[] = {1, 3, 17};

template <class T>
class ExactFormat : public testing::Test {};
using Types = testing::Types<double, std::int64_t, std::int32_t, std::int16_t, std::int8_t, std::uint8_t>;
TYPED_TEST_SUITE(ExactFormat, Types);

template <class T>
ExactTable<T> plain_gather(const ExactTable<T>& table, Ids ids, OutOfRange policy) {
  ExactTable<T> out(ids.size(), table.view().dim());
  for (std::int64_t i = 0; i < ids.size(); ++i) {
    const auto row = plain_row(ids[i], table.view().rows(), policy);
    for (std::int64_t c = 0; c < table.view().dim(); ++c) out.at(i, c) = row ? table.at(*row, c) : T{0};
  }
  return out;
}

TYPED_TEST(ExactFormat, Gather) {
  for_each_thread_count([] {
    for (const std::int64_t dim : kWidths) {
      const auto table = ExactTable<TypeParam>(kRows, dim).fill(1, true);
      for (const OutOfRange policy : kPolicies) {
        const std::vector<std::int64_t> ids = ids_for(policy, kRows, 400, 2);
        const std::vector<std::int32_t> narrow(ids.begin(), ids.end());
        for (const Ids& each : {Ids(ids), Ids(narrow), Ids::strided(ids.data(), 100, 3), Ids(ids.data(), 0)}) {
          ExactTable<TypeParam> out(each.size(), dim);
          gather(table.view(), each, out.view(), {.out_of_range = policy});
          EXPECT_TRUE(same(out, plain_gather(table, each, policy)));
        }
      }
    }
  });
}

std::vector<std::int32_t> plain_winners(const auto& table, const Bags& bags, const PoolOptions& options) {
  std::vector<std::int32_t> winners;
  for (std::int64_t b = 0; b < bags.size(); ++b) {
    const auto positions = plain_positions(bags, b, table.view().rows(), options.out_of_range);
    for (std::int64_t c = 0; c < table.view().dim(); ++c) {
      std::size_t best = 0;
      for (std::size_t k = 1; k < positions.size(); ++k) {
        if (plain_takes(plain_term(table, positions[k], c), plain_term(table, positions[best], c))) best = k;
      }
      const bool none = positions.empty() || !positions[best].row;
      winners.push_back(none ? -1 : static_cast<std::int32_t>(positions[best].i - bags.begin(b)));
    }
  }
  return winners;
}

TYPED_TEST(ExactFormat, SumsAndMaxima) {
  for_each_thread_count([] {
    for (const std::int64_t dim : kWidths) {
      const auto table = ExactTable<TypeParam>(kRows, dim).fill(4, true);
      for (const OutOfRange policy : kPolicies) {
        for_each_bags(policy, [&](const Bags& bags) {
          for (const Pooling pooling : {Pooling::sum, Pooling::max}) {
            const PoolOptions options{.pooling = pooling, .out_of_range = policy};
            ExactTable<TypeParam> out(bags.size(), dim);
            pool(table.view(), bags, out.view(), options);
            EXPECT_TRUE(same(out, plain_pool(table, bags, options)));
            if (pooling != Pooling::max) continue;
            std::vector<std::int32_t> winners(static_cast<std::size_t>(bags.size() * dim), 77);
            find_winners(table.view(), bags, winners, options);
            EXPECT_EQ(winners, plain_winners(table, bags, options));
          }
        });
      }
    }
  });
}

std::vector<float> plain_weight_gradients(const ExactTable<double>& table, const Bags& bags,
                                          const ExactTable<double>& gradient, const PoolOptions& options) {
  const std::int64_t dim = table.view().dim();
  std::vector<float> result(static_cast<std::size_t>(bags.ids().size()), 0.0F);
  const std::vector<std::int32_t> winners =
      options.pooling == Pooling::max ? plain_winners(table, bags, options) : std::vector<std::int32_t>();
  for (std::int64_t b = 0; b < bags.size(); ++b) {
    const auto positions = plain_positions(bags, b, table.view().rows(), options.out_of_range);
    std::vector<double> dots;
    double total = 0;
    for (const PlainPosition& p : positions) {
      std::vector<double> terms;
      for (std::int64_t c = 0; c < dim; ++c) {
        const bool lost = !winners.empty() && winners[static_cast<std::size_t>(b * dim + c)] != p.i - bags.begin(b);
        terms.push_back(lost ? 0 : gradient.at(b, c) * (p.row ? table.at(*p.row, c) : 0.0));
      }
      const double x = p.weight * (dots.emplace_back(plain_lane_sum(terms)));
      total = dots.size() == 1 ? x : total + x;
    }
    const double divisor = plain_divisor(bags, positions, options);
    const double f = divisor == 0 ? 0 : 1 / divisor;
    const bool divided = options.pooling == Pooling::mean || options.pooling == Pooling::sqrtn;
    for (std::size_t k = 0; k < positions.size(); ++k) {
      double d = dots[k];
      if (f == 0) {
        d = 0;
      } else if (divided && options.divisor == Divisor::weights && bags.has_weights()) {
        d = options.pooling == Pooling::mean ? (d - total * f) * f : (d - (positions[k].weight * f) * (total * f)) * f;
      } else if (divided) {
        d = f * d;
      }
      result[static_cast<std::size_t>(positions[k].i)] = static_cast<float>(d);
    }
  }
  return result;
}

TEST(ExactDoubles, EveryPooling) {
  for_each_thread_count([] {
    for (const std::int64_t dim : {3, 17}) {
      const auto table = ExactTable<double>(kRows, dim).fill(5, dim == 17);
      for (const OutOfRange policy : kPolicies) {
        for_each_bags(policy, [&](const Bags& plain) {
          const std::vector<float> weights = weights_for(plain, -0.7F);
          const auto gradient = ExactTable<double>(plain.size(), dim).fill(6);
          for (const Bags& bags : {plain, plain.with_weights(weights)}) {
            for (const Pooling pooling : {Pooling::sum, Pooling::mean, Pooling::sqrtn, Pooling::max}) {
              for (const Divisor divisor : {Divisor::count, Divisor::weights}) {
                if (divisor == Divisor::weights && (pooling == Pooling::sum || pooling == Pooling::max)) continue;
                const PoolOptions options{.pooling = pooling, .out_of_range = policy, .divisor = divisor};
                ExactTable<double> out(bags.size(), dim);
                pool(table.view(), bags, out.view(), options);
                EXPECT_TRUE(same(out, plain_pool(table, bags, options)));
                std::vector<float> gradients(static_cast<std::size_t>(bags.ids().size()), 55.0F);
                pool_weight_gradients(table.view(), bags, gradient.view(), gradients, options);
                const auto expected = plain_weight_gradients(table, bags, gradient, options);
                for (std::size_t i = 0; i < expected.size(); ++i) {
                  ASSERT_TRUE(same_element(gradients[i], expected[i])) << "weight " << i;
                }
              }
            }
          }
        });
      }
    }
  });
}

TEST(ExactDoubles, ADivisorOfZeroMakesZeros) {
  const auto table = ExactTable<double>(kRows, 3).fill(7);
  const std::vector<std::int64_t> ids = {1, 2};
  const std::vector<float> weights = {2, -2};
  ExactTable<double> out(1, 3);
  pool(table.view(), Bags(ids, 1, 2).with_weights(weights), out.view(),
       {.pooling = Pooling::mean, .divisor = Divisor::weights});
  for (std::int64_t c = 0; c < 3; ++c) EXPECT_TRUE(same_element(out.at(0, c), 0.0));
}

template <class T>
ExactTable<T> plain_scatter_add(ExactTable<T> table, Ids ids, const ExactTable<T>& values, OutOfRange policy) {
  for (std::int64_t i = 0; i < ids.size(); ++i) {
    const auto row = plain_row(ids[i], table.view().rows(), policy);
    for (std::int64_t c = 0; row && c < table.view().dim(); ++c) {
      table.at(*row, c) = plain_sum(table.at(*row, c), values.at(i, c));
    }
  }
  return table;
}

TYPED_TEST(ExactFormat, ScatterAdd) {
  for_each_thread_count([] {
    for (const std::int64_t dim : kWidths) {
      const auto start = ExactTable<TypeParam>(kRows, dim).fill(8);
      for (const OutOfRange policy : kPolicies) {
        const std::vector<std::int64_t> ids = ids_for(policy, kRows, 500, 9);
        const auto values = ExactTable<TypeParam>(500, dim).fill(10, true);
        const auto expected = plain_scatter_add(start, ids, values, policy);
        auto table = start;
        scatter_add(table.view(), ids, values.view(), {.out_of_range = policy});
        EXPECT_TRUE(same(table, expected));
        auto planned = start;
        scatter_add(planned.view(), Plan(ids, kRows, policy), values.view());
        EXPECT_TRUE(same(planned, expected)) << "with a plan";
      }
    }
  });
}

TEST(ExactDoubles, ScatterAddOfBags) {
  for_each_thread_count([] {
    constexpr std::int64_t kDim = 3;
    const auto start = ExactTable<double>(kRows, kDim).fill(11);
    for (const OutOfRange policy : {OutOfRange::zero, OutOfRange::skip}) {
      for_each_bags(policy, [&](const Bags& plain) {
        const std::vector<float> weights = weights_for(plain, 0.6F);
        const auto values = ExactTable<double>(plain.size(), kDim).fill(12);
        for (const Bags& bags : {plain, plain.with_weights(weights)}) {
          for (const Pooling pooling : {Pooling::sum, Pooling::mean, Pooling::sqrtn, Pooling::max}) {
            const PoolOptions options{.pooling = pooling, .out_of_range = policy};
            std::vector<std::int32_t> winners;
            if (pooling == Pooling::max) winners = plain_winners(start, bags, options);
            auto expected = start;
            for (std::int64_t b = 0; b < bags.size(); ++b) {
              for (const PlainPosition& p : plain_positions(bags, b, kRows, policy)) {
                for (std::int64_t c = 0; p.row && c < kDim; ++c) {
                  const bool lost =
                      pooling == Pooling::max && winners[static_cast<std::size_t>(b * kDim + c)] != p.i - bags.begin(b);
                  expected.at(*p.row, c) += lost ? 0 : plain_contribution(bags, b, p, options, values.at(b, c));
                }
              }
            }
            auto table = start;
            scatter_add(
                table.view(),
                Plan(bags, kRows,
                     {.out_of_range = policy, .double_coefficients = true, .pooling = pooling, .winners = winners}),
                values.view());
            EXPECT_TRUE(same(table, expected));
          }
        }
      });
    }
  });
}

TEST(ExactIntegers, ScatterAddOfBags) {
  const std::vector<std::int64_t> ids = {0, 3, 3, 1, 0, 2};
  const Bags bags(ids, 3, 2);
  const auto values = ExactTable<std::int16_t>(3, 5).fill(13);
  const auto start = ExactTable<std::int16_t>(4, 5).fill(14);
  auto expected = start;
  for (std::int64_t i = 0; i < 6; ++i) {
    for (std::int64_t c = 0; c < 5; ++c) {
      std::int16_t& x = expected.at(ids[static_cast<std::size_t>(i)], c);
      x = plain_sum(x, values.at(i / 2, c));
    }
  }
  auto table = start;
  scatter_add(table.view(), Plan(bags, 4), values.view());
  EXPECT_TRUE(same(table, expected));
}

/// x rounded to a format of `bits` bits whose smallest positive value is 2^least: by long double, whose 64 bits hold
/// the quotient exactly.
double plain_round(double x, int bits, int least, double infinity_from) {
  if (std::isnan(x) || std::isinf(x) || x == 0) return x;
  int exponent = 0;
  (void)std::frexp(x, &exponent);
  const int unit = std::max(exponent - bits, least);
  const long double scaled = std::scalbn(static_cast<long double>(x), -unit);
  const auto rounded = static_cast<double>(std::scalbn(std::nearbyint(scaled), unit));
  return std::fabs(rounded) >= infinity_from ? std::copysign(HUGE_VAL, x) : std::copysign(rounded, x);
}

/// Doubles beside the values of a 16-bit format: half way between two of them, and a last bit off.
ExactTable<double> doubles_to_round() {
  std::mt19937_64 random(15);
  auto from = ExactTable<double>(40, 50).fill(16, true);
  for (std::int64_t r = 0; r < 40; ++r) {
    for (std::int64_t c = 0; c < 50; ++c) {
      if (random() % 4 == 0) continue;
      const auto bits = static_cast<std::uint16_t>(random());
      const double x =
          r % 2 == 0 ? static_cast<float>(Bf16::from_bits(bits)) : static_cast<float>(F16::from_bits(bits));
      const double next = r % 2 == 0 ? static_cast<float>(Bf16::from_bits(static_cast<std::uint16_t>(bits + 1)))
                                     : static_cast<float>(F16::from_bits(static_cast<std::uint16_t>(bits + 1)));
      const double half = x / 2 + next / 2;
      const double kinds[] = {half, std::nextafter(half, HUGE_VAL), std::nextafter(half, -HUGE_VAL), x};
      from.at(r, c) = kinds[random() % 4];
    }
  }
  return from;
}

TEST(ExactDoubles, ConvertRoundsOnce) {
  const ExactTable<double> from = doubles_to_round();
  for_each_thread_count([&] {
    ExactTable<float> f32(40, 50);
    ExactTable<Bf16> bf16(40, 50);
    ExactTable<F16> f16(40, 50);
    ExactTable<double> same_format(40, 50);
    convert(from.view(), f32.view());
    convert(from.view(), bf16.view());
    convert(from.view(), f16.view());
    convert(from.view(), same_format.view());
    EXPECT_TRUE(same(same_format, from));
    for (std::int64_t r = 0; r < 40; ++r) {
      for (std::int64_t c = 0; c < 50; ++c) {
        const double x = from.at(r, c);
        ASSERT_TRUE(same_element(double{f32.at(r, c)}, plain_round(x, 24, -149, 0x1p128))) << x;
        ASSERT_TRUE(same_element(double{static_cast<float>(bf16.at(r, c))}, plain_round(x, 8, -133, 0x1p128))) << x;
        ASSERT_TRUE(same_element(double{static_cast<float>(f16.at(r, c))}, plain_round(x, 11, -24, 0x1p16))) << x;
      }
    }
    // And back, exactly.
    ExactTable<double> wide(40, 50);
    convert(f32.view(), wide.view());
    for (std::int64_t i = 0; i < 2000; ++i) {
      ASSERT_TRUE(same_element(wide.at(i / 50, i % 50), double{f32.at(i / 50, i % 50)}));
    }
    convert(bf16.view(), wide.view());
    for (std::int64_t i = 0; i < 2000; ++i) {
      ASSERT_TRUE(same_element(wide.at(i / 50, i % 50), double{static_cast<float>(bf16.at(i / 50, i % 50))}));
    }
    convert(f16.view(), wide.view());
    for (std::int64_t i = 0; i < 2000; ++i) {
      ASSERT_TRUE(same_element(wide.at(i / 50, i % 50), double{static_cast<float>(f16.at(i / 50, i % 50))}));
    }
    EXPECT_TRUE(wide.guards_intact() && f32.guards_intact() && bf16.guards_intact() && f16.guards_intact());
  });
}

TYPED_TEST(ExactFormat, TablesStartWithTheirValues) {
  constexpr Format kFormat = format_of<TypeParam>;
  for_each_thread_count([] {
    ExactTable<TypeParam> table(9, 7);
    initialize(table.view(), Initializer::zeros());
    for (std::int64_t i = 0; i < 63; ++i) ASSERT_TRUE(same_element(table.at(i / 7, i % 7), TypeParam{0}));
    initialize(table.view(), Initializer::constant(100));
    for (std::int64_t i = 0; i < 63; ++i) ASSERT_EQ(table.at(i / 7, i % 7), TypeParam{100});
    EXPECT_TRUE(table.guards_intact());
  });
  const Table made(5, 3, {.initializer = Initializer::constant(7), .format = kFormat});
  const Table copy = made.clone();
  EXPECT_EQ(copy.view().format(), kFormat);
  EXPECT_EQ(copy.view().template row<TypeParam>(4)[2], TypeParam{7});
}

TEST(ExactDoubles, RandomValuesAreThoseOfFloat32) {
  for (const Initializer& initializer : {Initializer::uniform(-0.3F, 0.7F), Initializer::normal(1, 2)}) {
    const Table floats(50, 13, {.name = "t", .initializer = initializer, .seed = 5});
    const Table doubles(50, 13, {.name = "t", .initializer = initializer, .seed = 5, .format = Format::f64});
    for (std::int64_t r = 0; r < 50; ++r) {
      for (std::size_t c = 0; c < 13; ++c) {
        ASSERT_EQ(doubles.view().row<double>(r)[c], double{floats.view().row(r)[c]});
      }
    }
  }
}

TEST(ExactErrors, LookupsSayWhatIsSupported) {
  ExactTable<double> doubles(4, 3);
  ExactTable<std::int32_t> integers(4, 3);
  ExactTable<float> floats(4, 3);
  const std::vector<std::int64_t> ids = {0, 1, 2, 3};
  const std::vector<float> weights = {1, 1, 1, 1};
  const Bags bags(ids, 4, 1);
  expect_error([&] { gather(doubles.view(), ids, floats.view()); },
               "rowmill: gather: out (4 x 3) has format f32; supported: f64");
  expect_error([&] { gather(integers.view(), ids, doubles.view()); },
               "rowmill: gather: out (4 x 3) has format f64; supported: i32");
  EXPECT_THROW(gather(floats.view(), ids, doubles.view()), Error);
  expect_error([&] { pool(doubles.view(), bags, floats.view()); },
               "rowmill: pool: out (4 x 3) has format f32; supported: f64");
  EXPECT_THROW(pool(floats.view(), bags, doubles.view()), Error);
  ExactTable<std::int32_t> out(4, 3);
  expect_error([&] { pool(integers.view(), bags, out.view(), {.pooling = Pooling::mean}); },
               "rowmill: pool: table (4 x 3) has format i32, which has no mean; supported: sum, max");
  expect_error([&] { pool(integers.view(), bags, out.view(), {.pooling = Pooling::sqrtn}); },
               "rowmill: pool: table (4 x 3) has format i32, which has no sqrtn; supported: sum, max");
  expect_error([&] { pool(integers.view(), bags.with_weights(weights), out.view()); },
               "rowmill: pool: table (4 x 3) has format i32, which has no weights; supported: bags without weights");
  std::vector<std::int32_t> winners(12);
  expect_error(
      [&] { find_winners(integers.view(), bags.with_weights(weights), winners, {.pooling = Pooling::max}); },
      "rowmill: find_winners: table (4 x 3) has format i32, which has no weights; supported: bags without weights");
  std::vector<float> gradients(4);
  expect_error([&] { pool_weight_gradients(doubles.view(), bags, floats.view(), gradients, {}); },
               "rowmill: pool_weight_gradients: gradient (4 x 3) has format f32; supported: f64");
  EXPECT_THROW(pool_weight_gradients(integers.view(), bags, floats.view(), gradients, {}), Error);
  EXPECT_TRUE(out.guards_intact() && floats.guards_intact());
}

TEST(ExactErrors, UpdatesSayWhatIsSupported) {
  auto doubles = ExactTable<double>(4, 3).fill(17);
  auto integers = ExactTable<std::uint8_t>(4, 3).fill(18);
  ExactTable<float> floats(4, 3);
  const std::vector<std::int64_t> ids = {0, 1, 2, 3};
  const std::vector<float> weights = {1, 1, 1, 1};
  const Bags bags(ids, 4, 1);
  const ExactTable<double> before = doubles;
  const ExactTable<std::uint8_t> integers_before = integers;
  expect_error([&] { scatter_add(doubles.view(), ids, floats.view()); },
               "rowmill: scatter_add: values (4 x 3) has format f32; supported: f64");
  EXPECT_THROW(scatter_add(floats.view(), ids, doubles.view()), Error);
  const Plan of_floats(bags, 4, {.pooling = Pooling::mean});
  expect_error([&] { scatter_add(doubles.view(), of_floats, ExactTable<double>(4, 3).view()); },
               "rowmill: scatter_add: table (4 x 3) has format f64, but the plan has the coefficients of its mean or "
               "sqrtn in float; set PlanOptions::double_coefficients");
  for (const Plan& plan :
       {Plan(bags, 4, {.double_coefficients = true, .pooling = Pooling::sqrtn}), Plan(bags.with_weights(weights), 4)}) {
    expect_error([&] { scatter_add(integers.view(), plan, ExactTable<std::uint8_t>(4, 3).view()); },
                 "rowmill: scatter_add: table (4 x 3) has format u8, but the plan is of weights, a mean or sqrtn; "
                 "supported: sum and max without weights");
  }
  EXPECT_TRUE(same(doubles, before));
  EXPECT_TRUE(same(integers, integers_before));
}

TEST(ExactErrors, ConversionsNameBothFormats) {
  ExactTable<double> doubles(4, 16);
  ExactTable<std::int64_t> integers(4, 16);
  ExactTable<float> floats(4, 16);
  std::vector<std::uint8_t> bytes(4 * 24);
  const TableView codes(bytes.data(), Format::int8, 4, 16, 24);
  expect_error([&] { convert(integers.view(), floats.view()); },
               "rowmill: convert: from (4 x 16) has format i64 and to (4 x 16) has format f32; i64 can be converted "
               "into no other");
  expect_error(
      [&] { convert(doubles.view(), integers.view()); },
      "rowmill: convert: from (4 x 16) has format f64 and to (4 x 16) has format i64; f64 can be converted into f32, "
      "bf16, f16");
  expect_error(
      [&] { convert(doubles.view(), codes); },
      "rowmill: convert: from (4 x 16) has format f64 and to (4 x 16) has format int8; f64 can be converted into f32, "
      "bf16, f16");
  expect_error(
      [&] { convert(codes, doubles.view()); },
      "rowmill: convert: from (4 x 16) has format int8 and to (4 x 16) has format f64; int8 can be converted into "
      "f32, bf16, f16, int4, int2");
  expect_error([&] { convert(floats.view(), TableView(bytes.data(), Format::low16, 4, 16, 16)); },
               "rowmill: convert: from (4 x 16) has format f32 and to (4 x 16) has format low16; f32 can be converted "
               "into bf16, f16, int8, int4, int2, f64");
}

TEST(ExactErrors, InitializersSayWhatIsSupported) {
  ExactTable<std::int8_t> table(4, 3);
  const std::string start = "rowmill: initialize: table (4 x 3) has format i8, which ";
  const std::string end = "; supported: zeros, constant";
  expect_error([&] { initialize(table.view(), Initializer::uniform(0, 1)); }, start + "has no uniform values" + end);
  expect_error([&] { initialize(table.view(), Initializer::normal(0, 1)); }, start + "has no normal values" + end);
  for (const auto& wrong : {std::pair(0.5F, "0.5"), {128.0F, "128"}, {-129.0F, "-129"}}) {
    expect_error([&] { initialize(table.view(), Initializer::constant(wrong.first)); },
                 start + "does not have the value " + wrong.second + end);
  }
  initialize(table.view(), Initializer::constant(-128));
  EXPECT_EQ(table.at(3, 2), -128);
  ExactTable<std::int64_t> large(1, 1);
  initialize(large.view(), Initializer::constant(-0x1p63F));
  EXPECT_EQ(large.at(0, 0), std::numeric_limits<std::int64_t>::min());
  EXPECT_THROW(initialize(large.view(), Initializer::constant(0x1p63F)), Error);
  EXPECT_THROW(Table(1, 1, {.initializer = Initializer::constant(-1), .format = Format::u8}), Error);
}

}  // namespace
}  // namespace rowmill::test
