// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace bench {

/// How rows are prefetched: so many rows ahead, 0 for not at all, into the first or the second level of the caches.
struct RowPrefetch {
  std::int64_t rows = 0;
  bool first_level = true;
};

/// Rows of one or more tables of the same shape.
struct Rows {
  static constexpr int kMaxTables = 3;
  float* tables[kMaxTables];
  int table_count;
  float* row_values;  ///< one value for each row besides; may be null
  std::int64_t dim;   ///< a multiple of 16; of rows that are read any number: the cache lines that they touch are read
  const std::int32_t* ids;
  std::int64_t count;
  RowPrefetch prefetch;
};

/// The plain loops of the roofline, compiled once for each instruction set. None of them changes a value, except those
/// that write.
struct RooflineLoops {
  const char* isa;
  /// Reads `count` floats, a multiple of 16.
  void (*read)(const float* values, std::int64_t count);
  /// Writes `count` floats, a multiple of 16.
  void (*write)(float* values, std::int64_t count);
  /// The same by stores that go past the caches; `values` lies on a cache line.
  void (*stream)(float* values, std::int64_t count);
  /// Reads rows of the first table.
  void (*read_rows)(const Rows& rows);
  /// Reads and writes rows of all tables.
  void (*update_rows)(const Rows& rows);
};

/// Those of the best instruction set of this machine.
[[nodiscard]] const RooflineLoops& roofline_loops();

namespace baseline {
extern const RooflineLoops roofline;
}
namespace avx2 {
extern const RooflineLoops roofline;
}
namespace avx512 {
extern const RooflineLoops roofline;
}

}  // namespace bench
