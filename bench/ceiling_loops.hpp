// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace bench {

// The plain loops of the ceiling. ceiling_loops.cpp is compiled once per instruction set; everything it needs is
// planned beforehand in ceiling.cpp, outside the timing.

struct Columns {
  std::int64_t begin;
  std::int64_t end;
};

/// A touched row and its positions: positions[begin] .. positions[end - 1].
struct Segment {
  std::int32_t row;
  std::int32_t begin;
  std::int32_t end;
};

/// What to do with one position's gradient.
struct Step {
  enum class Kind : std::uint8_t {
    apply,      ///< update the row with it
    start,      ///< store it in scratch row `slot`
    add,        ///< add it to scratch row `slot`
    add_apply,  ///< add scratch row `slot` to it, and update the row with the sum
  };
  std::int32_t row;
  std::int32_t position;
  std::int32_t slot;
  Kind kind;
};

/// How far ahead to ask for rows, and how near.
struct Prefetch {
  enum class To : std::uint8_t {
    first_level,
    second_level,
    non_temporal,        ///< gradients past the second level; tables into it
    tables_first_level,  ///< tables alone
    tables_second_level,
  };
  std::int64_t rows;  ///< 0: no prefetch
  To to;
};

struct UpdateArguments {
  float* weights;
  float* states[2];
  int state_count;
  float* row_state;  ///< one value a row; null for none
  std::int64_t dim;
  const float* gradients;
  float* scratch;  ///< rows for slots; null if no step uses one
  Columns columns;
  Prefetch prefetch;    ///< in segments or steps, and in positions for gradients
  bool tables_between;  ///< their rows are asked for between the loads of another, not before those
  bool streaming;
};

struct GatherArguments {
  const float* table;
  std::int64_t dim;
  const std::int32_t* ids;
  std::int64_t count;
  float* out;
  Prefetch prefetch;
  bool streaming;
};

struct PoolArguments {
  const float* table;
  std::int64_t dim;
  const std::int32_t* ids;
  std::int64_t bags;
  std::int64_t length;
  float* out;
  Prefetch prefetch;
  bool columns_outside;  ///< all bags' first columns, then the next ones
};

struct Loops {
  const char* isa;

  /// out[i, :] = table[ids[i], :]
  void (*gather)(const GatherArguments&);

  /// out[b, :] = sum of the rows of bag b
  void (*pool)(const PoolArguments&);

  /// For each segment: g = the sum of its gradient rows; weights[row] += g; each state[row] += g * g;
  /// row_state[row] += 1.
  void (*update_segments)(const UpdateArguments&, const Segment* segments, std::int64_t segment_count,
                          const std::int32_t* positions);

  /// The same in the order of the gradients.
  void (*update_steps)(const UpdateArguments&, const Step* steps, std::int64_t step_count);

  /// scratch[segment.row] = the sum of the segment's gradient rows.
  void (*sum_segments)(const UpdateArguments&, const Segment* segments, std::int64_t segment_count,
                       const std::int32_t* positions);
};

namespace baseline {
extern const Loops loops;
}
namespace avx2 {
extern const Loops loops;
}
namespace avx512 {
extern const Loops loops;
}

}  // namespace bench
