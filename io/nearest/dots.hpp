// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace rowmill::io {

/// Columns that are summed beside each other.
inline constexpr std::int64_t kLanes = 16;

/// Rows that are multiplied with a query at once. Each is cut into whole groups of kLanes columns, which stand
/// anywhere, and a tail, filled up with zeros.
struct DotRows {
  static constexpr std::int64_t kCount = 4;

  const float* whole[kCount];
  float tails[kCount][kLanes];
  std::int64_t whole_columns;  // a multiple of kLanes
  std::int64_t next;           // bytes from a row to the one that takes its place in the next call; to be prefetched
  bool has_tail;
};

/// Vectors to compare with: filled up with zeros to `stride` floats, one after another, and their lengths.
struct DotQueries {
  const float* vectors;
  const float* lengths;
  std::int64_t count;
  std::int64_t stride;
};

/// Not the leaf kernels dot_pairs_f32 and dot_tile_f32, which take rows filled up to a multiple of 16 columns: copying
/// the rows so makes a query a third slower.
///
/// Sums as docs/numerics.md has them: by lane, then lanes as a balanced tree. The best loops for isa_name().
struct DotLoops {
  /// out[r] = dot(row r, row r)
  void (*squares)(const DotRows& rows, float* out);
  /// out[q * DotRows::kCount + r] = dot(row r, query q) / (lengths[r] * length of query q)
  void (*cosines)(const DotRows& rows, const float* lengths, const DotQueries& queries, float* out);
};
[[nodiscard]] DotLoops dot_loops();

}  // namespace rowmill::io
