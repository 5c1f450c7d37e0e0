// SPDX-License-Identifier: Apache-2.0
#include "workloads.hpp"

#include <algorithm>
#include <bit>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <unordered_map>

namespace bench {

namespace {

constexpr double kZipfExponent = 1.05;

// The standard library's distributions differ between implementations; these use the raw words.
double unit_interval(std::mt19937_64& words) { return static_cast<double>(words() >> 11) * 0x1p-53; }

std::int64_t below(std::mt19937_64& words, std::int64_t n) {
  return static_cast<std::int64_t>(unit_interval(words) * static_cast<double>(n));
}

TokenStream read_text(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read the text file '" + path + "'");

  std::vector<std::int32_t> words;  // numbered by first occurrence
  std::unordered_map<std::string, std::int32_t> numbers;
  std::string line;
  while (std::getline(file, line)) {
    const std::size_t tab = line.find('\t');
    std::string word;
    for (std::size_t i = tab == std::string::npos ? 0 : tab + 1; i <= line.size(); ++i) {
      const unsigned char c = i < line.size() ? static_cast<unsigned char>(line[i]) : ' ';
      if (std::isalnum(c) != 0 || c == '\'' || c >= 0x80) {
        word += static_cast<char>(std::tolower(c));
      } else if (!word.empty()) {
        words.push_back(numbers.try_emplace(word, static_cast<std::int32_t>(numbers.size())).first->second);
        word.clear();
      }
    }
  }
  if (words.empty()) throw std::runtime_error("the text file '" + path + "' holds no words");

  std::vector<std::int64_t> frequency(numbers.size());
  for (const std::int32_t w : words) ++frequency[static_cast<std::size_t>(w)];
  std::vector<std::int32_t> by_frequency(numbers.size());
  for (std::size_t i = 0; i < by_frequency.size(); ++i) by_frequency[i] = static_cast<std::int32_t>(i);
  // Ties by number, so that no stable sort is needed: clang 19 warns of what is inside libstdc++ 12's.
  std::sort(by_frequency.begin(), by_frequency.end(), [&](std::int32_t a, std::int32_t b) {
    const std::int64_t more = frequency[static_cast<std::size_t>(a)] - frequency[static_cast<std::size_t>(b)];
    return more != 0 ? more > 0 : a < b;
  });
  std::vector<std::int32_t> rank(numbers.size());
  for (std::size_t i = 0; i < by_frequency.size(); ++i) {
    rank[static_cast<std::size_t>(by_frequency[i])] = static_cast<std::int32_t>(i);
  }
  for (std::int32_t& w : words) w = rank[static_cast<std::size_t>(w)];
  return {std::to_string(words.size()) + " words of " + path.substr(path.find_last_of('/') + 1), std::move(words)};
}

TokenStream synthetic_text() {
  constexpr std::int64_t kWords = 9088;
  constexpr int kLength = 150'000;
  std::mt19937_64 words(2024);
  const Zipf zipf(kWords, kZipfExponent);
  TokenStream stream{"synthetic corpus of " + std::to_string(kLength) + " words", {}};
  stream.ranks.reserve(kLength);
  for (int i = 0; i < kLength; ++i) stream.ranks.push_back(static_cast<std::int32_t>(zipf(words) - 1));
  return stream;
}

}  // namespace

std::string Shape::table_name() const { return std::to_string(rows) + "x" + std::to_string(dim); }
std::string Shape::batch_name() const { return std::to_string(batch) + "x" + std::to_string(length); }

std::vector<Shape> shapes(bool all) {
  std::vector<Shape> result = {{9088, 256, 16, 15}, {9088, 256, 128, 32}, {9088, 256, 1024, 64}};
  if (all) {
    result.push_back({30522, 768, 32, 128});
    result.push_back({250002, 768, 8, 512});
    result.push_back({1'000'000, 64, 2048, 20});
    result.push_back({10'000'000, 64, 2048, 20});
  }
  return result;
}

std::string_view name(IdSource source) {
  switch (source) {
    case IdSource::uniform:
      return "uniform";
    case IdSource::zipf:
      return "zipf";
    case IdSource::one_row:
      return "one_row";
    case IdSource::tokens:
      return "tokens";
  }
  return "";
}

Zipf::Zipf(std::int64_t n, double exponent)
    : n_(n),
      exponent_(exponent),
      integral_begin_(integral(1.5) - 1),
      integral_end_(integral(static_cast<double>(n) + 0.5)),
      shortcut_(2 - integral_inverse(integral(2.5) - weight(2))) {}

// The integral of x^-exponent, and its inverse.
double Zipf::integral(double x) const { return (std::pow(x, 1 - exponent_) - 1) / (1 - exponent_); }
double Zipf::integral_inverse(double y) const { return std::pow(1 + y * (1 - exponent_), 1 / (1 - exponent_)); }
double Zipf::weight(double x) const { return std::pow(x, -exponent_); }

std::int64_t Zipf::operator()(std::mt19937_64& words) const {
  while (true) {
    const double y = integral_end_ + unit_interval(words) * (integral_begin_ - integral_end_);
    const double x = integral_inverse(y);
    const double k = std::clamp(std::floor(x + 0.5), 1.0, static_cast<double>(n_));
    if (k - x <= shortcut_ || y >= integral(k + 0.5) - weight(k)) return static_cast<std::int64_t>(k);
  }
}

std::int64_t scatter_rank(std::int64_t rank, std::int64_t rows) {
  // A bijection of 0 .. 2^bits-1, walked until it lands inside the table.
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

TokenStream load_token_stream() {
  if (const char* path = std::getenv("ROWMILL_BENCH_TEXT")) return read_text(path);
  const std::string beside_source = ROWMILL_SOURCE_DIR "/../shared/data/tweets-train.tsv";
  if (std::ifstream(beside_source)) return read_text(beside_source);
  return synthetic_text();
}

int batch_count(const Shape& shape, std::size_t cache_bytes) {
  constexpr std::size_t kLeast = 8;
  constexpr std::size_t kMost = 64;
  if (shape.table_bytes() <= cache_bytes) return kLeast;
  return static_cast<int>(std::clamp(4 * cache_bytes / shape.batch_bytes() + 1, kLeast, kMost));
}

std::vector<std::vector<std::int32_t>> make_batches(const Shape& shape, IdSource source, int count,
                                                    const TokenStream& tokens) {
  std::mt19937_64 words(7);
  const Zipf zipf(shape.rows, kZipfExponent);
  std::size_t next_token = 0;

  const auto next = [&]() -> std::int64_t {
    switch (source) {
      case IdSource::uniform:
        return below(words, shape.rows);
      case IdSource::zipf:
        return scatter_rank(zipf(words) - 1, shape.rows);
      case IdSource::one_row:
        return shape.rows / 2;
      case IdSource::tokens:
        return tokens.ranks[next_token++ % tokens.ranks.size()] % shape.rows;
    }
    return 0;
  };

  std::vector<std::vector<std::int32_t>> batches(static_cast<std::size_t>(count));
  for (auto& batch : batches) {
    batch.resize(static_cast<std::size_t>(shape.id_count()));
    for (std::int32_t& id : batch) id = static_cast<std::int32_t>(next());
  }
  return batches;
}

}  // namespace bench
