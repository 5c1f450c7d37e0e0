// SPDX-License-Identifier: Apache-2.0
#include "workloads.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>

namespace bench {

namespace {

// The standard library's distributions differ between implementations; these use the raw words.
double unit_interval(std::mt19937_64& words) { return static_cast<double>(words() >> 11) * 0x1p-53; }

/// Draws ranks 1 .. n with probability proportional to rank^-exponent, by rejection-inversion: Hörmann and Derflinger,
/// "Rejection-inversion to generate variates from monotone discrete distributions", ACM TOMACS 6(3), 1996. Needs no
/// table, whatever n is.
class Zipf {
 public:
  explicit Zipf(std::int64_t n) : n_(static_cast<double>(n)) {}

  std::int64_t operator()(std::mt19937_64& words) const {
    while (true) {
      const double y = integral_end_ + unit_interval(words) * (integral_begin_ - integral_end_);
      const double x = integral_inverse(y);
      const double k = std::clamp(std::floor(x + 0.5), 1.0, n_);
      if (k - x <= shortcut_ || y >= integral(k + 0.5) - weight(k)) return static_cast<std::int64_t>(k);
    }
  }

 private:
  static constexpr double kExponent = 1.05;

  // The integral of x^-exponent, and its inverse.
  static double integral(double x) { return (std::pow(x, 1 - kExponent) - 1) / (1 - kExponent); }
  static double integral_inverse(double y) { return std::pow(1 + y * (1 - kExponent), 1 / (1 - kExponent)); }
  static double weight(double x) { return std::pow(x, -kExponent); }

  double n_;
  double integral_begin_ = integral(1.5) - 1;
  double integral_end_ = integral(n_ + 0.5);
  double shortcut_ = 2 - integral_inverse(integral(2.5) - weight(2));
};

/// A fixed permutation of 0 .. rows-1 that needs no memory: it keeps hot rows from being neighbours. A bijection of
/// 0 .. 2^bits-1, walked until it lands inside the table.
std::int64_t scatter_rank(std::int64_t rank, std::int64_t rows) {
  const int bits = std::max(2, static_cast<int>(std::bit_width(static_cast<std::uint64_t>(rows - 1))));
  const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
  auto x = static_cast<std::uint64_t>(rank);
  do {
    for (const std::uint64_t odd : {0x9E3779B97F4A7C15U, 0xBF58476D1CE4E5B9U}) {
      x = (x + 0x632BE5ABU) * odd & mask;
      x ^= x >> (bits / 2);
    }
  } while (x >= static_cast<std::uint64_t>(rows));
  return static_cast<std::int64_t>(x);
}

}  // namespace

std::string Shape::table_name() const { return std::to_string(rows) + "x" + std::to_string(dim); }
std::string Shape::batch_name() const { return std::to_string(batch) + "x" + std::to_string(length); }

std::vector<Shape> shapes(bool all) {
  std::vector<Shape> result = {{9088, 256, 16, 15}, {9088, 256, 128, 32}, {9088, 256, 1024, 64}};
  if (all) result.insert(result.end(), {{30522, 768, 32, 128}, {250002, 768, 8, 512}});
  result.push_back({1'000'000, 64, 2048, 20});
  if (all) result.push_back({10'000'000, 64, 2048, 20});
  return result;
}

std::vector<Shape> pooled_shapes() {
  std::vector<Shape> result;
  for (const std::int64_t dim : {32, 64, 128, 256}) result.push_back({9088, dim, 128, 32});
  for (const std::int64_t dim : {32, 64, 128, 256}) result.push_back({1'000'000, dim, 2048, 20});
  return result;
}

std::string_view name(IdSource source) {
  return source == IdSource::uniform ? "uniform" : source == IdSource::zipf ? "zipf" : "one_row";
}

std::size_t batch_count(const Shape& shape, std::size_t cache_bytes) {
  constexpr std::size_t kMinCount = 8;
  constexpr std::size_t kMaxCount = 64;
  if (shape.table_bytes() <= cache_bytes) return kMinCount;
  return std::clamp(4 * cache_bytes / shape.batch_bytes() + 1, kMinCount, kMaxCount);
}

std::vector<std::vector<std::int32_t>> make_batches(const Shape& shape, IdSource source, std::size_t count) {
  std::mt19937_64 words(7);
  const Zipf zipf(shape.rows);

  const auto next = [&]() -> std::int64_t {
    if (source == IdSource::uniform) {
      return static_cast<std::int64_t>(unit_interval(words) * static_cast<double>(shape.rows));
    }
    return source == IdSource::zipf ? scatter_rank(zipf(words) - 1, shape.rows) : shape.rows / 2;
  };

  std::vector<std::vector<std::int32_t>> batches(count);
  for (auto& batch : batches) {
    batch.resize(static_cast<std::size_t>(shape.id_count()));
    for (std::int32_t& id : batch) id = static_cast<std::int32_t>(next());
  }
  return batches;
}

}  // namespace bench
