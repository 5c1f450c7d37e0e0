// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
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

  friend bool operator==(const Shape&, const Shape&) = default;
  [[nodiscard]] std::int64_t id_count() const { return batch * length; }
  [[nodiscard]] std::size_t table_bytes() const { return static_cast<std::size_t>(rows * dim) * sizeof(float); }
  [[nodiscard]] std::size_t batch_bytes() const { return static_cast<std::size_t>(id_count() * dim) * sizeof(float); }
  [[nodiscard]] std::string table_name() const;
  [[nodiscard]] std::string batch_name() const;
  [[nodiscard]] std::string name() const { return table_name() + "/" + batch_name(); }
};

/// The shapes of the suite; the small table and one that is larger than most caches, or all.
[[nodiscard]] std::vector<Shape> shapes(bool all);
/// Row widths for pooled operations and for lookups of every format, in tables that the caches hold and in larger ones;
/// some are among shapes() too.
[[nodiscard]] std::vector<Shape> pooled_shapes();

/// Where a batch's ids come from.
enum class IdSource {
  uniform,  ///< every row alike
  zipf,     ///< Zipf with exponent 1.05 over all rows; hot rows lie scattered
  one_row,  ///< all ids are one row
};
inline constexpr IdSource kIdSources[] = {IdSource::uniform, IdSource::zipf, IdSource::one_row};
[[nodiscard]] std::string_view name(IdSource source);

/// The number of batches that a workload rotates over. Small tables: 8. Tables larger than the last-level cache: so
/// many that the rows touched are several times its size, so that no batch finds its rows still cached.
[[nodiscard]] std::size_t batch_count(const Shape& shape, std::size_t cache_bytes);

/// `count` distinct batches of shape.id_count() ids, the same in every run.
[[nodiscard]] std::vector<std::vector<std::int32_t>> make_batches(const Shape& shape, IdSource source,
                                                                  std::size_t count);

}  // namespace bench
