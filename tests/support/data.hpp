// SPDX-License-Identifier: Apache-2.0
// Data that breaks kernels: awkward shapes, strides and values, in memory with guards around every row.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "rowmill/ids.hpp"
#include "rowmill/table_view.hpp"

namespace rowmill::test {

inline constexpr std::array<std::int64_t, 11> kDims = {1, 3, 15, 16, 17, 32, 64, 100, 128, 256, 1000};

/// A rows x dim table of float, Bf16 or F16 with guard elements before, between and after its rows, at any element
/// alignment.
template <StorageType T>
class BasicGuardedTable {
 public:
  BasicGuardedTable(std::int64_t rows, std::int64_t dim, std::int64_t gap = 5, std::int64_t offset = 1)
      : rows_(rows), dim_(dim), stride_(dim + gap), offset_(kMargin + offset) {
    elements_.assign(static_cast<std::size_t>(offset_ + rows * stride_ + kMargin), guard());
  }

  [[nodiscard]] TableView view() { return {elements_.data() + offset_, rows_, dim_, stride_}; }
  [[nodiscard]] ConstTableView view() const { return {elements_.data() + offset_, rows_, dim_, stride_}; }

  /// Values of all magnitudes, with signed zeros, denormals, infinities and NaN if `special`.
  BasicGuardedTable& fill(std::uint64_t seed, bool special = false) {
    std::mt19937_64 random(seed);
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> specials = {0.0F, -0.0F, 1e-40F, -1e-41F, kInfinity, -kInfinity, 3e38F, kNaN};
    // The smallest F16, the largest that is denormal, and the largest.
    if (sizeof(T) == 2) specials.insert(specials.end(), {0x1p-24F, -0x3FFp-24F, 65504.0F, -65519.0F});
    for (std::int64_t r = 0; r < rows_; ++r) {
      for (T& to : view().template row<T>(r)) {
        const double mantissa = static_cast<double>(static_cast<std::int64_t>(random() >> 11)) * 0x1p-52 - 1;
        auto x = static_cast<float>(std::ldexp(mantissa, static_cast<int>(random() % 24) - 12));
        if (special && random() % 8 == 0) x = specials[random() % specials.size()];
        to = static_cast<T>(x);
      }
    }
    return *this;
  }

  /// The elements that are no part of a row still hold the guard.
  [[nodiscard]] testing::AssertionResult guards_intact() const {
    std::int64_t begin = 0;
    for (std::int64_t r = 0; r <= rows_; ++r) {  // what lies before each row, and after the last
      const std::int64_t end = r < rows_ ? offset_ + r * stride_ : std::ssize(elements_);
      for (std::int64_t i = begin; i < end; ++i) {
        if (std::bit_cast<Bits>(elements_[static_cast<std::size_t>(i)]) != std::bit_cast<Bits>(guard())) {
          return testing::AssertionFailure() << "a guard was overwritten " << i - offset_ << " elements after row 0";
        }
      }
      begin = end + dim_;
    }
    return testing::AssertionSuccess();
  }

 private:
  static constexpr std::int64_t kMargin = 64;
  using Bits = std::conditional_t<sizeof(T) == 2, std::uint16_t, std::uint32_t>;
  static T guard() {
    return std::bit_cast<T>(static_cast<Bits>(sizeof(T) == 2 ? 0x7FABU : 0x7FABCDEFU));
  }  // a NaN that no arithmetic makes

  std::int64_t rows_, dim_, stride_, offset_;
  std::vector<T> elements_;
};
using GuardedTable = BasicGuardedTable<float>;
using GuardedBf16Table = BasicGuardedTable<Bf16>;
using GuardedF16Table = BasicGuardedTable<F16>;

/// Calls f.operator()<T>() for each type that arithmetic in float has in memory.
template <class F>
void for_each_float_type(F f) {
  f.template operator()<float>();
  f.template operator()<Bf16>();
  f.template operator()<F16>();
}

/// A table's element as a float, which holds every format's exactly.
inline float element(const ConstTableView& view, std::int64_t r, std::size_t c) {
  if (view.format() == Format::bf16) return static_cast<float>(view.row<Bf16>(r)[c]);
  if (view.format() == Format::f16) return static_cast<float>(view.row<F16>(r)[c]);
  return view.row(r)[c];
}

inline bool same_bits(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) || (std::isnan(a) && std::isnan(b));
}

/// Bit for bit, except that any NaN equals any NaN.
inline testing::AssertionResult same(const ConstTableView& actual, const ConstTableView& expected) {
  if (actual.rows() != expected.rows() || actual.dim() != expected.dim() || actual.format() != expected.format()) {
    return testing::AssertionFailure() << "shapes differ";
  }
  for (std::int64_t r = 0; r < actual.rows(); ++r) {
    for (std::size_t c = 0; c < static_cast<std::size_t>(actual.dim()); ++c) {
      const float a = element(actual, r, c);
      const float e = element(expected, r, c);
      if (!same_bits(a, e)) {
        return testing::AssertionFailure()
               << "row " << r << ", column " << c << ": " << std::hexfloat << a << " instead of " << e;
      }
    }
  }
  return testing::AssertionSuccess();
}

/// Batches of ids chosen to break things.
struct IdCase {
  std::string name;
  std::vector<std::int64_t> ids;
};

inline std::vector<IdCase> id_cases(std::int64_t rows, std::int64_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto any_row = [&] { return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(rows)); };
  const auto n = static_cast<std::size_t>(count);
  std::vector<IdCase> cases = {{"none", {}},
                               {"one", {any_row()}},
                               {"both ends", {0, rows - 1, 0, rows - 1, rows - 1}},
                               {"one row", std::vector<std::int64_t>(n, rows / 2)},
                               {"uniform", {}},
                               {"skewed", {}}};
  for (std::size_t i = 0; i < n; ++i) {
    cases[4].ids.push_back(any_row());
    cases[5].ids.push_back(random() % 3 == 0 ? rows - 1 : any_row() % (any_row() + 1));
  }
  return cases;
}

inline std::vector<std::int32_t> narrow(const std::vector<std::int64_t>& ids) {
  std::vector<std::int32_t> narrowed;
  for (const std::int64_t id : ids) narrowed.push_back(static_cast<std::int32_t>(id));
  return narrowed;
}

/// Offsets of bags of up to `longest` ids, some empty, that hold `count` ids in all.
inline std::vector<std::int64_t> any_offsets(std::int64_t count, std::int64_t longest, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::int64_t> offsets = {0, 0};
  while (offsets.back() < count) {
    const auto length = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(longest + 1));
    offsets.push_back(std::min(offsets.back() + length, count));
  }
  offsets.push_back(count);
  return offsets;
}

}  // namespace rowmill::test
