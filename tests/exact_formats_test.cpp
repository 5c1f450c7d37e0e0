// SPDX-License-Identifier: Apache-2.0
// Tables of float64 and integers, against plain loops that share no code with the library.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "rowmill/convert.hpp"
#include "rowmill/embedding_bag.hpp"
#include "rowmill/gather.hpp"
#include "rowmill/max_norm.hpp"
#include "rowmill/optimizer.hpp"
#include "rowmill/plan.hpp"
#include "rowmill/pool.hpp"
#include "rowmill/scatter_add.hpp"
#include "rowmill/sparse_gradient.hpp"
#include "rowmill/table.hpp"
#include "tests/support/exact_data.hpp"
#include "tests/support/isa_test.hpp"

namespace rowmill::test {
namespace {

constexpr std::int64_t kWidths[] = {1, 3, 17};
constexpr std::int64_t kRows = 23;

/// Runs f with several numbers of threads, which share the smallest work too.
template <class F>
void for_each_thread_count(F f) {
  for (const int threads : {1, 2, 7}) {
    SCOPED_TRACE(std::to_string(threads) + " threads");
    with_threads(threads, [&] {
      override_tuning({.parallel_bytes = 1, .parallel_lookup_bytes = 1});
      f();
    });
  }
}

template <class T>
class ExactFormat : public testing::Test {};
using Types = testing::Types<double, std::int64_t, std::int32_t, std::int16_t, std::int8_t, std::uint8_t>;
TYPED_TEST_SUITE(ExactFormat, Types);

/// Integers wrap around.
template <class T>
T plain_sum(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
  } else {
    return a + b;
  }
}

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

template <class T>
T plain_term(const ExactTable<T>& table, const PlainPosition& p, std::int64_t c) {
  const T x = p.row ? table.at(*p.row, c) : T{0};
  if constexpr (std::is_same_v<T, double>) return p.weight * x;
  return x;
}

/// Whether a max takes x after best.
template <class T>
bool plain_takes(T x, T best) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(best)) return false;
    if (std::isnan(x)) return true;
  }
  return x > best;
}

template <class T>
ExactTable<T> plain_pool(const ExactTable<T>& table, const Bags& bags, const PoolOptions& options) {
  ExactTable<T> out(bags.size(), table.view().dim());
  for (std::int64_t b = 0; b < bags.size(); ++b) {
    const auto positions = plain_positions(bags, b, table.view().rows(), options.out_of_range);
    for (std::int64_t c = 0; c < table.view().dim(); ++c) {
      T result{0};
      for (std::size_t k = 0; k < positions.size(); ++k) {
        const T x = plain_term(table, positions[k], c);
        if (k == 0) {
          result = x;
        } else if (options.pooling != Pooling::max) {
          result = plain_sum(result, x);
        } else if (plain_takes(x, result)) {
          result = x;
        }
      }
      const double by = plain_divisor(bags, positions, options);
      if (by != 1) result = by == 0 ? T{0} : static_cast<T>(static_cast<double>(result) / by);
      out.at(b, c) = result;
    }
  }
  return out;
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

/// Bags of every kind: of offsets, empty ones, long ones, with padding and without.
template <class F>
void for_each_bags(OutOfRange policy, F f) {
  const std::vector<std::int64_t> ids = ids_for(policy, kRows, 150, 3);
  const std::vector<std::int32_t> narrow(ids.begin(), ids.end());
  const std::vector<std::int64_t> offsets = {0, 0, 1, 4, 4, 20, 90, 149, 150, 150};
  for (const Bags& bags : {Bags(ids, offsets), Bags(narrow, 30, 5), Bags(Ids::strided(ids.data() + 1, 60, 2), 20, 3),
                           Bags(Ids(ids.data(), 0), 4, 0)}) {
    f(bags);
    f(bags.with_padding(5));
    if (policy != OutOfRange::error) f(bags.with_padding(-2));
  }
}

std::vector<float> weights_for(const Bags& bags, float first) {
  std::vector<float> weights;
  for (std::int64_t i = 0; i < bags.ids().size(); ++i) {
    weights.push_back(first + 0.37F * static_cast<float>(i % 11) - 0.1F * static_cast<float>(i % 3));
  }
  return weights;
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

/// What position p of bag b adds to its row in column c.
double plain_contribution(const Bags& bags, std::int64_t b, const PlainPosition& p, const PoolOptions& options,
                          double g) {
  if (options.pooling == Pooling::sum || options.pooling == Pooling::max) return p.weight * g;
  const auto positions = plain_positions(bags, b, kRows, options.out_of_range);
  const double divisor = plain_divisor(bags, positions, options);
  const double factor = divisor == 0 ? 0 : 1 / divisor;
  return (factor == 0 ? 0 : p.weight * factor) * g;
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

template <class F>
void expect_error(F f, const std::string& message, ErrorCode code = ErrorCode::invalid_argument) {
  try {
    f();
    ADD_FAILURE() << "no error; expected: " << message;
  } catch (const Error& e) {
    EXPECT_EQ(e.what(), message);
    EXPECT_EQ(e.code(), code);
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

TEST(ExactErrors, ConversionsSayWhatIsSupported) {
  ExactTable<double> doubles(4, 16);
  ExactTable<std::int64_t> integers(4, 16);
  ExactTable<float> floats(4, 16);
  std::vector<std::uint8_t> bytes(4 * 24);
  const TableView codes(bytes.data(), Format::int8, 4, 16, 24);
  expect_error([&] { convert(integers.view(), floats.view()); },
               "rowmill: convert: from (4 x 16) has format i64; supported: f32, bf16, f16, f64");
  expect_error([&] { convert(doubles.view(), integers.view()); },
               "rowmill: convert: to (4 x 16) has format i64; supported: f32, bf16, f16, f64");
  expect_error([&] { convert(doubles.view(), codes); },
               "rowmill: convert: to (4 x 16) has format int8; supported: f32, bf16, f16, f64");
  expect_error([&] { convert(codes, doubles.view()); },
               "rowmill: convert: from (4 x 16) has format int8; supported: f32, bf16, f16, f64");
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

/// The gradients of f64 of rows, by plain loops: over several passes of bags, in blocks of 1,024.
struct PlainGradients {
  std::vector<std::int64_t> rows;  // in order of first occurrence
  std::vector<std::vector<std::vector<double>>> contributions;

  void add(std::int64_t row, std::vector<double> x) {
    const auto found = std::find(rows.begin(), rows.end(), row);
    if (found == rows.end()) {
      rows.push_back(row);
      contributions.push_back({std::move(x)});
    } else {
      contributions[static_cast<std::size_t>(found - rows.begin())].push_back(std::move(x));
    }
  }

  [[nodiscard]] std::vector<std::vector<double>> sums() const {
    std::vector<std::vector<double>> result;
    for (const auto& terms : contributions) {
      std::vector<double> total;
      for (std::size_t block = 0; block < terms.size(); block += 1024) {
        std::vector<double> sum = terms[block];
        for (std::size_t k = block + 1; k < std::min(block + 1024, terms.size()); ++k) {
          for (std::size_t c = 0; c < sum.size(); ++c) sum[c] += terms[k][c];
        }
        for (std::size_t c = 0; c < sum.size(); ++c) sum[c] = block == 0 ? sum[c] : total[c] + sum[c];
        total = sum;
      }
      result.push_back(total);
    }
    return result;
  }
};

double plain_norm(const std::vector<double>& g) {
  std::vector<double> squares;
  for (const double x : g) squares.push_back(x * x);
  return plain_lane_sum(squares);
}

/// What options do to finished sums. Returns false for a step that is skipped.
bool plain_guard(std::vector<std::vector<double>>& sums, const PlainGradients& gradients, const GradientOptions& o) {
  bool finite = true;
  double total = 0;
  for (std::size_t k = 0; k < sums.size(); ++k) {
    for (double& x : sums[k]) {
      if (o.scale_grad_by_freq) x = x / static_cast<double>(gradients.contributions[k].size());
      finite = finite && std::isfinite(x);
      if (o.clip_value && x > *o.clip_value) x = *o.clip_value;
      if (o.clip_value && x < -*o.clip_value) x = -*o.clip_value;
    }
    const double norm = std::sqrt(plain_norm(sums[k]));
    if (o.clip_row_norm && norm > *o.clip_row_norm) {
      for (double& x : sums[k]) x = x * (*o.clip_row_norm / norm);
    }
    total = k == 0 ? plain_norm(sums[k]) : total + plain_norm(sums[k]);  // fewer than 1,024 rows
  }
  if (o.clip_global_norm && std::sqrt(total) > *o.clip_global_norm) {
    for (auto& row : sums) {
      for (double& x : row) x = x * (*o.clip_global_norm / std::sqrt(total));
    }
  }
  return finite || !o.skip_nonfinite;
}

/// A row's weights and states, and step t of each formula.
struct PlainRow {
  std::vector<double> w, first, second;  // states: momentum, accumulator; m and v
};

void plain_update(PlainRow& r, std::vector<double> g, const OptimizerOptions& options, int t) {
  const auto decay = [&](double lr, WeightDecay kind, double rate) {
    for (std::size_t c = 0; c < g.size(); ++c) {
      if (kind == WeightDecay::l2) g[c] = g[c] + rate * r.w[c];
      if (kind == WeightDecay::decoupled) r.w[c] = r.w[c] * (1 - lr * rate);
    }
  };
  std::visit([&](const auto& o) { decay(o.learning_rate, o.decay, o.weight_decay); }, options);
  const double mean = plain_norm(g) / static_cast<double>(g.size());
  for (std::size_t c = 0; c < g.size(); ++c) {
    double& w = r.w[c];
    if (const auto* o = std::get_if<SgdOptions>(&options)) {
      if (o->momentum == 0) {
        w = w - o->learning_rate * g[c];
      } else {
        r.first[c] = o->momentum * r.first[c] + g[c];
        w = w - o->learning_rate * (o->nesterov ? g[c] + o->momentum * r.first[c] : r.first[c]);
      }
    } else if (const auto* a = std::get_if<AdagradOptions>(&options)) {
      r.first[c] = r.first[c] + g[c] * g[c];
      w = w - a->learning_rate * g[c] / (std::sqrt(r.first[c]) + a->epsilon);
    } else if (const auto* rows = std::get_if<RowWiseAdagradOptions>(&options)) {
      if (c == 0) r.first[0] = r.first[0] + mean;
      w = w - rows->learning_rate / (std::sqrt(r.first[0]) + rows->epsilon) * g[c];
    } else {
      const auto adam = [&](const auto& m, double square, double& v, bool advance) {
        double power1 = 1;
        double power2 = 1;
        for (int i = 0; i < t; ++i) {
          power1 *= m.beta1;
          power2 *= m.beta2;
        }
        if (advance) v = m.beta2 * v + (1 - m.beta2) * square;
        r.first[c] = m.beta1 * r.first[c] + (1 - m.beta1) * g[c];
        const double under = std::sqrt(v) * (1 / std::sqrt(1 - power2)) + m.epsilon;
        const double step = m.learning_rate / (1 - power1);
        w = w - (std::is_same_v<std::decay_t<decltype(m)>, AdamOptions> ? step * r.first[c] / under
                                                                        : step / under * r.first[c]);
      };
      if (const auto* all = std::get_if<AdamOptions>(&options)) adam(*all, g[c] * g[c], r.second[c], true);
      if (const auto* one = std::get_if<PartialRowWiseAdamOptions>(&options)) adam(*one, mean, r.second[0], c == 0);
    }
  }
}

std::vector<OptimizerOptions> every_optimizer() {
  return {SgdOptions{.learning_rate = 0.1},
          SgdOptions{.learning_rate = 0.1, .decay = WeightDecay::l2, .weight_decay = 0.01},
          SgdOptions{.learning_rate = 0.1, .momentum = 0.9},
          SgdOptions{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true},
          AdagradOptions{.learning_rate = 0.1, .initial_accumulator = 0.1},
          RowWiseAdagradOptions{.learning_rate = 0.1, .initial_accumulator = 0.3},
          RowWiseAdagradOptions{.learning_rate = 0.1, .decay = WeightDecay::l2, .weight_decay = 0.01},
          AdamOptions{.learning_rate = 0.01},
          adamw(0.01, 0.1),
          PartialRowWiseAdamOptions{.learning_rate = 0.01, .decay = WeightDecay::decoupled, .weight_decay = 0.1}};
}

std::vector<GradientOptions> every_guard() {
  return {{},
          {.scale_grad_by_freq = true, .skip_nonfinite = true, .clip_value = 0.7},
          {.clip_row_norm = 0.3},
          {.clip_value = 2, .clip_row_norm = 1.5, .clip_global_norm = 1}};
}

/// A step's batch: bags of a mean with weights, one pass of two; row 3 is hot.
struct Batch {
  std::vector<std::int64_t> ids;
  std::vector<float> weights;
  std::vector<std::int64_t> offsets = {0};

  explicit Batch(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (int b = 0; b < 900; ++b) {
      for (std::uint64_t i = random() % 4; i > 0; --i) {
        ids.push_back(random() % 6 == 0 ? static_cast<std::int64_t>(random() % 15) : 3);
        weights.push_back(static_cast<float>(random() % 100) / 64);
      }
      offsets.push_back(std::ssize(ids));
    }
  }
  [[nodiscard]] Bags bags() const { return Bags(ids, offsets).with_weights(weights); }
};

PlainGradients plain_gradients(const Bags& bags, const PoolOptions& options, const ExactTable<double>& gradient) {
  PlainGradients gradients;
  for (std::int64_t b = 0; b < bags.size(); ++b) {
    for (const PlainPosition& p : plain_positions(bags, b, kRows, options.out_of_range)) {
      std::vector<double> x;
      for (std::int64_t c = 0; c < gradient.view().dim(); ++c) {
        x.push_back(plain_contribution(bags, b, p, options, gradient.at(b, c)));
      }
      if (p.row) gradients.add(*p.row, std::move(x));
    }
  }
  return gradients;
}

TEST(ExactDoubles, EveryOptimizer) {
  constexpr std::int64_t kDim = 17;
  const PoolOptions pooling{.pooling = Pooling::mean};
  std::vector<PlainGradients> gradients;
  std::vector<Batch> batches;
  std::vector<ExactTable<double>> values;
  for (const std::uint64_t seed : {21U, 22U, 23U}) {
    batches.emplace_back(seed);
    values.push_back(ExactTable<double>(900, kDim).fill(seed));
    gradients.push_back(plain_gradients(batches.back().bags(), pooling, values.back()));
  }
  const auto start = ExactTable<double>(kRows, kDim).fill(24);
  for (const OptimizerOptions& options : every_optimizer()) {
    for (const GradientOptions& guards : every_guard()) {
      const StorageOptions storage{.state_format = Format::f64};
      const Optimizer fresh(options, kRows, kDim, storage);
      std::vector<PlainRow> rows(kRows);
      for (std::int64_t r = 0; r < kRows; ++r) {
        PlainRow& row = rows[static_cast<std::size_t>(r)];
        for (std::int64_t c = 0; c < kDim; ++c) row.w.push_back(start.at(r, c));
        double initial = 0;
        if (const auto* a = std::get_if<AdagradOptions>(&options)) initial = a->initial_accumulator;
        if (const auto* a = std::get_if<RowWiseAdagradOptions>(&options)) initial = a->initial_accumulator;
        row.first.assign(kDim, initial);
        row.second.assign(kDim, 0);
      }
      for (int t = 1; t <= 3; ++t) {
        const PlainGradients& of = gradients[static_cast<std::size_t>(t - 1)];
        auto sums = of.sums();
        ASSERT_TRUE(plain_guard(sums, of, guards));
        for (std::size_t k = 0; k < sums.size(); ++k) {
          plain_update(rows[static_cast<std::size_t>(of.rows[k])], sums[k], options, t);
        }
      }
      for_each_thread_count([&] {
        ExactTable<double> weights = start;
        Optimizer optimizer = fresh.clone();
        for (std::size_t t = 0; t < 3; ++t) {
          // Of two passes.
          const Plan plan(batches[t].bags(), kRows, {.double_coefficients = true, .pooling = Pooling::mean});
          const ConstTableView all = std::as_const(values[t]).view();
          const ConstTableView passes[] = {
              {&values[t].at(0, 0), 400, kDim, all.row_stride()},
              {&values[t].at(400, 0), 500, kDim, all.row_stride()},
          };
          Workspace workspace(optimizer.memory_required(plan.id_count(), 2, guards, Pooling::mean));
          const std::size_t capacity = workspace.capacity();
          optimizer.step(weights.view(), plan, passes, guards, &workspace);
          EXPECT_EQ(workspace.capacity(), capacity) << "memory_required promised too little";
        }
        ExactTable<double> expected(kRows, kDim);
        for (std::int64_t r = 0; r < kRows; ++r) {
          for (std::int64_t c = 0; c < kDim; ++c) {
            expected.at(r, c) = rows[static_cast<std::size_t>(r)].w[static_cast<std::size_t>(c)];
          }
        }
        EXPECT_TRUE(same(weights, expected)) << optimizer.name();
        for (std::size_t s = 0; s < optimizer.state().size(); ++s) {
          const TableView state = optimizer.state()[s];
          for (std::int64_t r = 0; r < kRows; ++r) {
            const PlainRow& row = rows[static_cast<std::size_t>(r)];
            for (std::size_t c = 0; c < static_cast<std::size_t>(state.dim()); ++c) {
              ASSERT_TRUE(same_element(state.row<double>(r)[c], (s == 0 ? row.first : row.second)[c]))
                  << optimizer.name() << " " << state.name();
            }
          }
        }
      });
    }
  }
}

TEST(ExactDoubles, GradientsOfRows) {
  for_each_thread_count([] {
    const Batch batch(25);
    const auto values = ExactTable<double>(900, 5).fill(26);
    const PlainGradients expected = plain_gradients(batch.bags(), {.pooling = Pooling::sqrtn}, values);
    const Plan plan(batch.bags(), kRows, {.double_coefficients = true, .pooling = Pooling::sqrtn});
    for (const GradientOptions& options : {every_guard()[0], every_guard()[2], every_guard()[3]}) {
      auto sums = expected.sums();
      plain_guard(sums, expected, options);
      SparseGradient sparse;
      sparse.build(plan, values.view(), options);
      ExactTable<double> dense(kRows, 5);
      const ConstTableView pass = values.view();
      dense_gradient(plan, std::span(&pass, 1), dense.view(), options);
      ExactTable<double> expected_dense(kRows, 5);
      for (std::int64_t i = 0; i < kRows * 5; ++i) expected_dense.at(i / 5, i % 5) = 0;
      ASSERT_TRUE(std::ranges::equal(sparse.rows(), expected.rows));
      for (std::size_t k = 0; k < sums.size(); ++k) {
        for (std::size_t c = 0; c < 5; ++c) {
          ASSERT_TRUE(same_element(sparse.values().row<double>(static_cast<std::int64_t>(k))[c], sums[k][c]));
          expected_dense.at(expected.rows[k], static_cast<std::int64_t>(c)) = sums[k][c];
        }
      }
      EXPECT_TRUE(same(dense, expected_dense));
    }
  });
}

TEST(ExactDoubles, ASkippedStepChangesNothing) {
  const std::vector<std::int64_t> ids = {1, 2};
  auto weights = ExactTable<double>(4, 3).fill(27);
  const ExactTable<double> before = weights;
  auto gradient = ExactTable<double>(2, 3).fill(28);
  gradient.at(1, 1) = HUGE_VAL;
  Optimizer adam(AdamOptions{}, 4, 3, StorageOptions{.state_format = Format::f64});
  adam.step(weights.view(), Plan(ids, 4), gradient.view(), {.skip_nonfinite = true});
  EXPECT_TRUE(same(weights, before));
  EXPECT_EQ(adam.skipped_steps(), 1);
  EXPECT_EQ(adam.step_count(), 0);
}

TEST(ExactDoubles, MaxNorm) {
  for_each_thread_count([] {
    for (const NormType norm : {NormType::one, NormType::two, NormType::infinity}) {
      const auto start = ExactTable<double>(kRows, 17).fill(29);
      ExactTable<double> expected = start;
      for (const std::int64_t r : {2, 5, 7}) {
        std::vector<double> terms;
        double largest = 0;
        for (std::int64_t c = 0; c < 17; ++c) {
          const double x = start.at(r, c);
          terms.push_back(norm == NormType::one ? std::fabs(x) : x * x);
          largest = std::max(largest, std::fabs(x));
        }
        const double sum = plain_lane_sum(terms);
        const double found = norm == NormType::one ? sum : norm == NormType::two ? std::sqrt(sum) : largest;
        if (!(found > 0.1)) continue;
        for (std::int64_t c = 0; c < 17; ++c) expected.at(r, c) = start.at(r, c) * (0.1 / (found + 1e-7));
      }
      ExactTable<double> table = start;
      renormalize(table.view(), std::vector<int>{2, 7, 2, 5}, {.max_norm = 0.1, .norm = norm});
      EXPECT_TRUE(same(table, expected));
    }
  });
}

TEST(ExactDoubles, LayersTrain) {
  const std::vector<std::int64_t> ids = {1, 2, 2, 5};
  EmbeddingBag layer({.rows = 9, .dim = 5, .initializer = Initializer::normal(0, 1), .format = Format::f64});
  auto weights = ExactTable<double>(9, 5);
  for (std::int64_t i = 0; i < 45; ++i)
    weights.at(i / 5, i % 5) = layer.table().view().row<double>(i / 5)[static_cast<std::size_t>(i % 5)];
  ExactTable<double> out(1, 5);
  layer.forward(Bags(ids, 1, 4), out.view());
  EXPECT_TRUE(same(out, plain_pool(weights, Bags(ids, 1, 4), {.pooling = Pooling::mean})));
  const auto gradient = ExactTable<double>(1, 5).fill(30);
  layer.backward(Bags(ids, 1, 4), gradient.view());
  layer.step();
  for (std::int64_t c = 0; c < 5; ++c) {
    const double x = 0.25 * gradient.at(0, c);
    EXPECT_EQ(layer.table().view().row<double>(1)[static_cast<std::size_t>(c)], weights.at(1, c) - 0.01 * x);
    EXPECT_EQ(layer.table().view().row<double>(2)[static_cast<std::size_t>(c)], weights.at(2, c) - 0.01 * (x + x));
  }
  Embedding words({.rows = 9, .dim = 5, .format = Format::f64, .optimizer = AdagradOptions{}, .max_norm = MaxNorm{}});
  ExactTable<double> rows(4, 5);
  words.forward(ids, rows.view());
  words.backward(ids, rows.view());
  words.step();
  EXPECT_EQ(words.optimizer().state()[0].format(), Format::f64);
}

TEST(ExactErrors, TrainingSaysWhatIsSupported) {
  ExactTable<double> weights(4, 3);
  ExactTable<float> floats(4, 3);
  const std::vector<std::int64_t> ids = {0, 1, 2, 3};
  const Plan plan(ids, 4);
  const Plan mean(Bags(ids, 4, 1), 4, {.pooling = Pooling::mean});
  const StorageOptions storage{.state_format = Format::f64};
  Optimizer of_f64(SgdOptions{}, 4, 3, storage);
  Optimizer of_f32(SgdOptions{}, 4, 3);
  expect_error([&] { of_f32.step(weights.view(), plan, ExactTable<double>(4, 3).view()); },
               "rowmill: sgd: weights (4 x 3) has format f64; its optimizer needs StorageOptions::state_format = f64");
  expect_error([&] { of_f64.step(floats.view(), plan, ExactTable<double>(4, 3).view()); },
               "rowmill: sgd: weights (4 x 3) has format f32; supported: f64");
  expect_error([&] { of_f64.step(weights.view(), plan, floats.view()); },
               "rowmill: sgd: gradient (4 x 3) has format f32; supported: f64");
  expect_error(
      [&] { of_f64.step(weights.view(), mean, ExactTable<double>(4, 3).view()); },
      "rowmill: sgd: weights (4 x 3) has format f64, but the plan has the coefficients of its mean or sqrtn in "
      "float; set PlanOptions::double_coefficients");
  expect_error([] { Optimizer(SgdOptions{}, 4, 3, StorageOptions{.split = true, .state_format = Format::f64}); },
               "rowmill: sgd: split is set, but state_format is f64: weights of f64 are not split");
  expect_error(
      [] {
        Optimizer(SgdOptions{}, 4, 3, StorageOptions{.rounding = Rounding::stochastic, .state_format = Format::f64},
                  "t");
      },
      "rowmill: sgd: rounding is stochastic, but state_format is f64: nothing is rounded");
  const ConstTableView pass = weights.view();
  EXPECT_THROW(dense_gradient(plan, std::span(&pass, 1), floats.view()), Error);
  ExactTable<std::int32_t> integers(4, 3);
  EXPECT_THROW(dense_gradient(plan, std::span(&pass, 1), integers.view()), Error);
  EXPECT_THROW(renormalize(integers.view(), ids, {}), Error);
  expect_error([] { Embedding({.rows = 4, .dim = 3, .format = Format::i32}); },
               "rowmill: layer: table (4 x 3) has format i32; supported: f32, bf16, f16, f64");
}

}  // namespace
}  // namespace rowmill::test
