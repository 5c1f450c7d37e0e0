// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

/// A table and a batch shape.
struct Shape {
  std::int64_t rows;
  std::int64_t dim;
  std::int64_t batch;
  std::int64_t length;

  [[nodiscard]] std::int64_t id_count() const { return batch * length; }
  [[nodiscard]] std::size_t table_bytes() const { return static_cast<std::size_t>(rows * dim) * sizeof(float); }
  [[nodiscard]] std::size_t batch_bytes() const { return static_cast<std::size_t>(id_count() * dim) * sizeof(float); }
  [[nodiscard]] std::string table_name() const;
  [[nodiscard]] std::string batch_name() const;
};

/// The shapes of the suite; the small table alone, or all.
[[nodiscard]] std::vector<Shape> shapes(bool all);

/// Where a batch's ids come from.
enum class IdSource {
  uniform,  ///< every row alike
  zipf,     ///< Zipf with exponent 1.05 over all rows; hot rows lie scattered
  one_row,  ///< all ids are one row
  tokens,   ///< running text, words numbered by frequency
};
inline constexpr IdSource kIdSources[] = {IdSource::uniform, IdSource::zipf, IdSource::one_row, IdSource::tokens};
[[nodiscard]] std::string_view name(IdSource source);

/// Draws ranks 1 .. n with probability proportional to rank^-exponent, by rejection-inversion: Hörmann and Derflinger,
/// "Rejection-inversion to generate variates from monotone discrete distributions", ACM TOMACS 6(3), 1996. Needs no
/// table, whatever n is.
class Zipf {
 public:
  Zipf(std::int64_t n, double exponent);
  [[nodiscard]] std::int64_t operator()(std::mt19937_64& words) const;

 private:
  [[nodiscard]] double integral(double x) const;
  [[nodiscard]] double integral_inverse(double y) const;
  [[nodiscard]] double weight(double x) const;

  std::int64_t n_;
  double exponent_;
  double integral_begin_;
  double integral_end_;
  double shortcut_;
};

/// A fixed permutation of 0 .. rows-1 that needs no memory: it keeps hot rows from being neighbours.
[[nodiscard]] std::int64_t scatter_rank(std::int64_t rank, std::int64_t rows);

/// Running text as word ranks, the most frequent word first (0).
struct TokenStream {
  std::string description;
  std::vector<std::int32_t> ranks;
};

/// The words of the file that ROWMILL_BENCH_TEXT names (lines `label<TAB>text`), else of the tweets beside the source
/// tree, else of a synthetic corpus. Throws std::runtime_error if the named file cannot be read or holds no words.
[[nodiscard]] TokenStream load_token_stream();

/// The number of batches that a workload rotates over. Small tables: 8. Tables larger than the last-level cache: so
/// many that the rows touched are several times its size, so that no batch finds its rows still cached.
[[nodiscard]] int batch_count(const Shape& shape, std::size_t cache_bytes);

/// `count` distinct batches of shape.id_count() ids, the same in every run.
[[nodiscard]] std::vector<std::vector<std::int32_t>> make_batches(const Shape& shape, IdSource source, int count,
                                                                  const TokenStream& tokens);

}  // namespace bench
