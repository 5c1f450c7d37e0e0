// SPDX-License-Identifier: Apache-2.0
// Tables of float64 and integers with guards, and what their operations mean, as plain loops.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "rowmill/bags.hpp"
#include "rowmill/error.hpp"
#include "rowmill/pool.hpp"
#include "rowmill/table_view.hpp"
#include "tests/support/isa_test.hpp"

namespace rowmill::test {

/// rows x dim elements in memory with guards before, between and after the rows.
template <StorageType T>
class ExactTable {
 public:
  ExactTable(std::int64_t rows, std::int64_t dim, std::int64_t gap = 3)
      : rows_(rows), dim_(dim), stride_(dim + gap), elements_(static_cast<std::size_t>(rows * stride_ + 2 * kMargin)) {
    std::memset(elements_.data(), 0xA5, elements_.size() * sizeof(T));
  }

  [[nodiscard]] TableView view() { return {elements_.data() + kMargin, rows_, dim_, stride_}; }
  [[nodiscard]] ConstTableView view() const { return {elements_.data() + kMargin, rows_, dim_, stride_}; }
  [[nodiscard]] T& at(std::int64_t r, std::int64_t c) { return elements_[index(r, c)]; }
  [[nodiscard]] const T& at(std::int64_t r, std::int64_t c) const { return elements_[index(r, c)]; }

  /// Integers of the whole range; doubles of many magnitudes, with special values if asked for.
  ExactTable& fill(std::uint64_t seed, bool special = false) {
    std::mt19937_64 random(seed);
    constexpr double kSpecials[] = {0.0,    -0.0,
                                    1e-310, -5e-324,
                                    1e308,  std::numeric_limits<double>::infinity(),
                                    -1e308, 1e-40,
                                    3.0,    std::numeric_limits<double>::quiet_NaN()};
    for (std::int64_t r = 0; r < rows_; ++r) {
      for (std::int64_t c = 0; c < dim_; ++c) {
        if constexpr (std::is_integral_v<T>) {
          at(r, c) = static_cast<T>(random());
        } else if constexpr (std::is_same_v<T, double>) {
          const double mantissa = static_cast<double>(static_cast<std::int64_t>(random()) >> 10) * 0x1p-53;
          at(r, c) = special && random() % 8 == 0 ? kSpecials[random() % std::size(kSpecials)]
                                                  : std::ldexp(mantissa, static_cast<int>(random() % 24) - 12);
        }
      }
    }
    return *this;
  }

  [[nodiscard]] testing::AssertionResult guards_intact() const {
    T guard;
    std::memset(&guard, 0xA5, sizeof guard);
    for (std::size_t i = 0; i < elements_.size(); ++i) {
      const std::int64_t from_first = static_cast<std::int64_t>(i) - kMargin;
      const bool in_row = from_first >= 0 && from_first < rows_ * stride_ && from_first % stride_ < dim_;
      if (!in_row && std::memcmp(&elements_[i], &guard, sizeof guard) != 0) {
        return testing::AssertionFailure() << "a guard was overwritten " << from_first << " elements after row 0";
      }
    }
    return testing::AssertionSuccess();
  }

 private:
  static constexpr std::int64_t kMargin = 16;
  [[nodiscard]] std::size_t index(std::int64_t r, std::int64_t c) const {
    return static_cast<std::size_t>(kMargin + r * stride_ + c);
  }

  std::int64_t rows_, dim_, stride_;
  std::vector<T> elements_;
};

/// Of one type, so that -0 is not +0.
template <class T>
bool same_element(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a) && std::isnan(b)) return true;
  }
  return std::memcmp(&a, &b, sizeof a) == 0;
}

/// Bit for bit, but any NaN equals any NaN; and the guards of `actual` are there.
template <class T>
testing::AssertionResult same(const ExactTable<T>& actual, const ExactTable<T>& expected) {
  for (std::int64_t r = 0; r < expected.view().rows(); ++r) {
    for (std::int64_t c = 0; c < expected.view().dim(); ++c) {
      if (same_element(actual.at(r, c), expected.at(r, c))) continue;
      return testing::AssertionFailure() << "row " << r << ", column " << c << ": " << +actual.at(r, c)
                                         << " instead of " << +expected.at(r, c);
    }
  }
  return actual.guards_intact();
}

/// The row of an id: nothing if it is none, or is left out.
inline std::optional<std::int64_t> plain_row(std::int64_t id, std::int64_t rows, OutOfRange policy) {
  if (policy == OutOfRange::clip) return std::min(std::max<std::int64_t>(id, 0), rows - 1);
  if (policy == OutOfRange::wrap_negative && id < 0) return id + rows;
  if (id < 0 || id >= rows) return std::nullopt;
  return id;
}

/// A position of a bag that counts, with nothing for a row of zeros.
struct PlainPosition {
  std::int64_t i;
  std::optional<std::int64_t> row;
  double weight;
};

inline std::vector<PlainPosition> plain_positions(const Bags& bags, std::int64_t b, std::int64_t rows,
                                                  OutOfRange policy) {
  std::vector<PlainPosition> positions;
  for (std::int64_t i = bags.begin(b); i < bags.begin(b + 1); ++i) {
    const std::int64_t id = bags.ids()[i];
    if (bags.padding_id() && id == *bags.padding_id()) continue;
    const auto row = plain_row(id, rows, policy);
    if (!row && policy == OutOfRange::skip) continue;
    if (row && bags.padding_id() && *row == *bags.padding_id()) continue;
    positions.push_back({i, row, bags.has_weights() ? double{bags.weights()[static_cast<std::size_t>(i)]} : 1.0});
  }
  return positions;
}

/// What the sum of a bag is divided by; 1 where it is not.
inline double plain_divisor(const Bags& bags, const std::vector<PlainPosition>& positions, const PoolOptions& options) {
  if (options.pooling != Pooling::mean && options.pooling != Pooling::sqrtn) return 1;
  double total = static_cast<double>(positions.size());
  if (options.divisor == Divisor::weights && bags.has_weights()) {
    total = 0;
    for (std::size_t k = 0; k < positions.size(); ++k) {
      const double w = positions[k].weight;
      const double x = options.pooling == Pooling::mean ? w : w * w;
      total = k == 0 ? x : total + x;
    }
  }
  return options.pooling == Pooling::mean ? total : std::sqrt(total);
}

/// 16 lanes, then a tree.
inline double plain_lane_sum(const std::vector<double>& terms) {
  double lanes[16] = {};
  for (std::size_t c = 0; c < terms.size(); ++c) lanes[c % 16] += terms[c];
  for (const int half : {8, 4, 2, 1}) {
    for (int k = 0; k < half; ++k) lanes[k] += lanes[k + half];
  }
  return lanes[0];
}

/// Ids that every policy allows: rows of the table, and others if the policy is not `error`.
inline std::vector<std::int64_t> ids_for(OutOfRange policy, std::int64_t rows, std::int64_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::int64_t> ids;
  for (std::int64_t i = 0; i < count; ++i) {
    auto id = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(rows));
    if (policy == OutOfRange::wrap_negative && random() % 2 == 0) id -= rows;
    if (policy != OutOfRange::wrap_negative && policy != OutOfRange::error && random() % 4 == 0) {
      id = random() % 2 == 0 ? -1 - id : rows + id;
    }
    ids.push_back(id);
  }
  return ids;
}

inline constexpr OutOfRange kPolicies[] = {OutOfRange::error, OutOfRange::clip, OutOfRange::zero,
                                           OutOfRange::wrap_negative, OutOfRange::skip};

inline constexpr std::int64_t kRows = 23;

/// Runs f with several numbers of threads, which share the smallest work too.
template <class F>
void for_each_thread_count(F f) {
  for (const int threads : {1, 2, 7}) {
    SCOPED_TRACE(std::to_string(threads) + " threads");
    with_threads(threads, [&] {
      override_tuning({.parallel_bytes = 1, .parallel_lookup_bytes = 1, .parallel_plan_ids = 1});
      f();
    });
  }
}

/// Integers wrap around.
template <class T>
T plain_sum(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
  } else {
    return a + b;
  }
}

/// What position p of bag b adds to its row in column c.
inline double plain_contribution(const Bags& bags, std::int64_t b, const PlainPosition& p, const PoolOptions& options,
                                 double g) {
  if (options.pooling == Pooling::sum || options.pooling == Pooling::max) return p.weight * g;
  const auto positions = plain_positions(bags, b, kRows, options.out_of_range);
  const double divisor = plain_divisor(bags, positions, options);
  const double factor = divisor == 0 ? 0 : 1 / divisor;
  return (factor == 0 ? 0 : p.weight * factor) * g;
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

inline std::vector<float> weights_for(const Bags& bags, float first) {
  std::vector<float> weights;
  for (std::int64_t i = 0; i < bags.ids().size(); ++i) {
    weights.push_back(first + 0.37F * static_cast<float>(i % 11) - 0.1F * static_cast<float>(i % 3));
  }
  return weights;
}

}  // namespace rowmill::test
